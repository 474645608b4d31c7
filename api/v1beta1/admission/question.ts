/** What admission is asked, and what it answers. */

import type { Fault } from "#api/v1beta1/fault.ts";
import type { ObjectMeta } from "#api/v1beta1/generated/types.ts";

/** An object of any kind; its schema has not been looked at yet. */
export interface Judged {
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
}

export interface Question {
  /** CREATE, UPDATE or DELETE; whatever else an API server may ask about is admitted. */
  readonly operation: string;
  readonly kind: string;
  /** undefined when it is deleted. */
  readonly object: Judged | undefined;
  /** undefined when it is created. */
  readonly oldObject: Judged | undefined;
  /** Nothing will be stored, and neither will what else the same preview asks about. */
  readonly isDryRun?: boolean;
}

export interface Verdict {
  /** Empty: admitted. */
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

export const ADMITTED: Verdict = { faults: [], warnings: [] };
