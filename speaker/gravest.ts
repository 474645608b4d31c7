/** Several troubles in one condition. Pure. */
import type { Reason } from "#api/v1beta1/reasons.ts";
import type { Trouble } from "./apply.ts";

/** The first one's reason, and its message with the others behind it, the gravest first; undefined: there is none. */
export function gravest<R extends Reason>([first, ...others]: readonly Trouble<R>[]): Trouble<R> | undefined {
  if (first === undefined) return undefined;
  const rest = others.map(({ reason, message }) => `${reason}: ${message}`);
  return { reason: first.reason, message: [first.message, ...rest].join("; ") };
}
