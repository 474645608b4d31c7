/** The rest of the cluster, as rules about one object see it. */
import type { Reserved } from "#api/reserved.ts";
import type { AddressPool, BFDProfile, BGPPeer } from "#api/v1beta1/generated/types.ts";

export interface ServiceInUse {
  /** namespace/name */
  readonly key: string;
  readonly addresses: readonly string[];
}

/** Lists may have more appended between two questions, and are changed in no other way: indexes are kept with them. */
export interface AdmissionView {
  /** The only namespace that our kinds may be in. */
  readonly namespace: string;
  readonly pools: readonly AddressPool[];
  readonly peers: readonly BGPPeer[];
  readonly profiles: readonly BFDProfile[];
  readonly services: readonly ServiceInUse[];
  /** Addresses that the cluster itself uses; absent where they are not known (offline). */
  readonly reserved?: Reserved;
}

/** A cluster in which there is nothing yet. */
export function emptyView(namespace: string): AdmissionView {
  return { namespace, pools: [], peers: [], profiles: [], services: [] };
}
