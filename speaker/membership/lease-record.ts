/** What a speaker's Lease says, read as what it claims to be. Pure. */
import { ANNOTATION_SPEAKER_STATE, LABEL_SPEAKER_LEASE, speakerLease } from "#api/names.ts";
import type { Lease } from "#common/kube/resource.ts";
import { readState } from "../known/project.ts";
import { attempt, fields, optional, text, type Unusable } from "../known/usable.ts";
import type { LeaseRecord } from "./liveness.ts";

export interface NamedRecord {
  readonly node: string;
  readonly record: LeaseRecord;
}

/**
 * undefined for what is no speaker's Lease. One that cannot be used says so with its node's name, and is not left out:
 * what was known of that node must not change with the first stray write.
 */
export function projectLease(raw: Lease): NamedRecord | undefined {
  const node: unknown = raw.metadata.labels?.[LABEL_SPEAKER_LEASE];
  if (typeof node !== "string" || raw.metadata.name !== speakerLease(node)) return undefined;
  const faults: Unusable[] = [];
  const record = attempt(faults, node, (): LeaseRecord => {
    const spec = fields(raw.spec, "spec");
    const holder = optional(text, "")(spec.holderIdentity, "spec.holderIdentity");
    const renewed = optional(text, "")(spec.renewTime, "spec.renewTime");
    const annotations = optional(fields, {})(raw.metadata.annotations, "metadata.annotations");
    // In our own words: nothing else that may be in it is kept, or compared.
    const state = JSON.stringify(readState(annotations[ANNOTATION_SPEAKER_STATE]));
    return { stamp: `${holder} ${renewed}`, isHeld: holder !== "", state };
  });
  const [fault] = faults;
  const stamp = `unusable ${raw.metadata.resourceVersion}`;
  return { node, record: record ?? { stamp, isHeld: true, state: "", fault: fault?.why ?? "" } };
}
