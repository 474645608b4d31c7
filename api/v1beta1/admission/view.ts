/** What rules across objects look at. */
import type { AddressPool } from "#api/v1beta1/generated/types.ts";

export interface ServiceInUse {
  /** namespace/name */
  readonly key: string;
  readonly addresses: readonly string[];
}

export interface View {
  /** The only namespace that our kinds may be in. */
  readonly namespace: string;
  readonly pools: readonly AddressPool[];
  readonly services: readonly ServiceInUse[];
}
