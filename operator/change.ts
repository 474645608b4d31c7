/**
 * Whether a child has to be applied, and why: the one place that decides it. Three kinds of deviation count.
 *
 * - It is missing.
 * - A wanted field is missing or says something else (differs.ts). The fingerprint annotation is such a field: it
 *   changes with what is wanted, so that a field that is wanted no longer is noticed too.
 * - Somebody else put in a field that nobody wants (ownership.ts).
 *
 * Pure.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import type { Child } from "#operator/children/child.ts";
import { firstDifference } from "#operator/differs.ts";
import type { ActualChild } from "#operator/view.ts";

export interface Change {
  /** For the log: `missing`, the first field that differs, or who put something in. */
  readonly why: string;
  /** The first field that differs; undefined if the child is missing, or others only put something in. */
  readonly path: string | undefined;
  /** Set if other managers' fields must be taken over before they can go. */
  readonly hasStrangers: boolean;
}

export const MISSING: Change = { why: "missing", path: undefined, hasStrangers: false };

/** Undefined if `actual` says all of `child` and nobody else put anything in. */
export function changeOf(child: Child, { object, strangers }: ActualChild): Change | undefined {
  const hasStrangers = strangers.length > 0;
  const path = firstDifference(child.object, object);
  if (path !== undefined) return { why: `${path} differs`, path, hasStrangers };
  if (!hasStrangers) return undefined;
  return { why: `changed by ${strangers.join(", ")} besides ${FIELD_MANAGER.operator}`, path, hasStrangers };
}
