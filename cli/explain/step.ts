/** One step of the way from an address to a pod. */
export interface Step {
  readonly step:
    | "service"
    | "address"
    | "ids"
    | "nodes"
    | "sessions"
    | "endpoints"
    | "forwarding"
    | "entries"
    | "connection";
  readonly isOk: boolean;
  /** A whole sentence: what was found; of a broken step what is broken. */
  readonly says: string;
  /** What was looked at, a line each. */
  readonly details: readonly string[];
}

export const step = (
  name: Step["step"],
  isOk: boolean,
  says: string,
  details: readonly string[] = [],
): Step => ({ step: name, isOk, says, details });
