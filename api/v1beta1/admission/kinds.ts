/** The kinds that admission judges: one row each, with everything that differs between them. Pure. */
import {
  ADDRESSPOOL_RULES,
  addressesTakenAway,
  noOverlapWithOthers,
  poolWarnings,
} from "#api/v1beta1/admission/addresspool.ts";
import { notDeletedWhileNamed, profileWarnings } from "#api/v1beta1/admission/bfdprofile.ts";
import { BGPPEER_RULES, BGPPEER_RULES_AMONG, peerWarnings } from "#api/v1beta1/admission/bgppeer.ts";
import {
  LOADBALANCER_RULES,
  LOADBALANCER_UNSUPPORTED,
  loadBalancerWarnings,
} from "#api/v1beta1/admission/loadbalancer.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import type { Unsupported } from "#api/v1beta1/admission/unsupported.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import type { AddressPool, BFDProfile, BGPPeer, LoadBalancer } from "#api/v1beta1/generated/types.ts";

/** Where nothing else is said, a function is called with objects whose schema holds. */
export interface KindRules<T> {
  /** One function a rule, in the order in which their faults are said. */
  readonly rules: readonly ((object: T, view: AdmissionView) => Fault[])[];
  /** Those of `rules` that compare with other objects of the kind: a change of the other one can remove the fault. */
  readonly rulesAmong: readonly ((object: T, view: AdmissionView) => Fault[])[];
  /** Warnings about an object that is admitted. */
  readonly warnings: (object: T, view: AdmissionView) => string[];
  /** Fields whose feature has not landed. */
  readonly unsupported: readonly Unsupported[];
  /** Why it may not be deleted: looks at `metadata` alone, for what slipped in may be deleted by the same rules. */
  readonly deletionFaults: (old: T, view: AdmissionView) => Fault[];
  /** Warnings about a change, or a deletion (`next` undefined). */
  readonly changeWarnings: (old: T, next: T | undefined, view: AdmissionView) => string[];
  /**
   * The part of the spec whose change may concern Services that have addresses; undefined: no part does. It is called
   * before the schema is looked at.
   */
  readonly servicesDependOn: ((object: Partial<T>) => unknown) | undefined;
  /** Where the view has the objects of the kind; undefined: no rule looks at others of it. */
  readonly list: "pools" | "peers" | "profiles" | undefined;
}

const NOTHING_ELSE = {
  rulesAmong: [],
  unsupported: [],
  deletionFaults: () => [],
  changeWarnings: () => [],
  servicesDependOn: undefined,
} as const;

const ADDRESSPOOL: KindRules<AddressPool> = {
  ...NOTHING_ELSE,
  rules: ADDRESSPOOL_RULES,
  rulesAmong: [noOverlapWithOthers],
  warnings: poolWarnings,
  changeWarnings: addressesTakenAway,
  servicesDependOn: (pool) => pool.spec?.addresses,
  list: "pools",
};

const BGPPEER: KindRules<BGPPeer> = {
  ...NOTHING_ELSE,
  rules: BGPPEER_RULES,
  rulesAmong: BGPPEER_RULES_AMONG,
  warnings: peerWarnings,
  list: "peers",
};

const BFDPROFILE: KindRules<BFDProfile> = {
  ...NOTHING_ELSE,
  // Their ranges are the schema's.
  rules: [],
  warnings: profileWarnings,
  deletionFaults: notDeletedWhileNamed,
  list: "profiles",
};

const LOADBALANCER: KindRules<LoadBalancer> = {
  ...NOTHING_ELSE,
  rules: LOADBALANCER_RULES,
  warnings: loadBalancerWarnings,
  unsupported: LOADBALANCER_UNSUPPORTED,
  list: undefined,
};

/** SpeakerStatus is not among them: speakers write it, and its schema is all that is asked of it. */
const KINDS = {
  AddressPool: ADDRESSPOOL,
  BGPPeer: BGPPEER,
  BFDProfile: BFDPROFILE,
  LoadBalancer: LOADBALANCER,
};

export const JUDGED_KINDS: readonly string[] = Object.keys(KINDS);

/** The row of a kind, which may be any word of a user's; undefined if there is none. */
export function rulesOfKind(kind: string): KindRules<Judged> | undefined {
  if (!Object.hasOwn(KINDS, kind)) return undefined;
  // The type parameter is lost: whoever calls a row's functions has an object of this very kind.
  return KINDS[kind as keyof typeof KINDS] as unknown as KindRules<Judged>;
}
