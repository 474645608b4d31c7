/** What of a status is only a count: every change of an endpoint changes it, on every node. Pure. */
import type { Status } from "./status.ts";

/** What is left is worth a write at once. */
export function withoutFigures(status: Status): Status {
  const { forwarding, advertisedCount: _advertised, traffic: _traffic, ...rest } = status;
  if (forwarding === undefined) return rest;
  const { mode, programmed } = forwarding;
  return { ...rest, forwarding: { ...(mode && { mode }), ...(programmed && { programmed }) } };
}
