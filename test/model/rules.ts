/** The rules of ownership that the model runs: the product's own. A test may put a faulty copy in the place of one. */
import { combine } from "#speaker/membership/combine.ts";
import type { Claim } from "#speaker/ownership/claims.ts";
import { claim, hearClaims } from "#speaker/ownership/ownership.ts";

export interface Rules {
  readonly combine: typeof combine;
  readonly claim: typeof claim;
  readonly hearClaims: typeof hearClaims;
  /** As speaker.ts: this node takes nothing that it does not answer for already. */
  readonly isHolding: (of: { readonly isFrozen: boolean; readonly isCatchingUp: boolean }) => boolean;
  /** As owners.ts: what it tells the others of what it has heard. */
  readonly passOn: (counting: readonly Claim[], wasFirst: boolean) => readonly Claim[];
}

export const RULES: Rules = {
  combine,
  claim,
  hearClaims,
  isHolding: ({ isFrozen, isCatchingUp }) => isFrozen || isCatchingUp,
  passOn: (counting, wasFirst) => (wasFirst ? [] : counting),
};
