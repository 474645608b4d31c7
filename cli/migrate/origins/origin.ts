/** A load balancer other than MetalLB. What it has is said in MetalLB's words, and then converted as MetalLB's is. */
import type { Found } from "#cli/documents.ts";
import type { Notes, Source } from "#cli/migrate/source.ts";

export interface Origin {
  readonly reads: (found: Found) => boolean;
  /** Of what is no manifest at all: keepalived.conf. */
  readonly readsText?: (value: unknown) => boolean;
  /** All that was found of it, at once: what one object says may be completed by another. */
  readonly convert: (
    found: readonly Found[],
    notes: Notes,
  ) => { readonly sources: readonly Source[]; readonly installs: readonly Source[] };
}
