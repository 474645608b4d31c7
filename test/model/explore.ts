/**
 * Walks through all that can happen, breadth first, so that the first breach that is found has the shortest trace. States
 * that look the same are looked at once: `keyOf` has to hold all that decides what can happen next. Pure.
 */
import { hash } from "node:crypto";

export interface Step<S> {
  /** What is done, as a line of a trace. */
  readonly what: string;
  readonly next: S;
}

export interface Exploration<S> {
  readonly starts: readonly Step<S>[];
  readonly stepsOf: (state: S) => Iterable<Step<S>>;
  /** Equal for states from which the same can happen. */
  readonly keyOf: (state: S) => string;
  /** What is promised and not kept; undefined: all is well. */
  readonly breachOf: (state: S) => string | undefined;
  readonly mostDepth: number;
  /** It ends when so many were found, and says so. */
  readonly mostStates?: number;
}

export interface Explored {
  readonly states: number;
  readonly steps: number;
  /** Steps of the longest trace that was walked. */
  readonly depth: number;
  /** Everything within the depth was looked at. */
  readonly isWhole: boolean;
  readonly breach: { readonly what: string; readonly trace: readonly string[] } | undefined;
}

interface Found<S> {
  readonly state: S;
  readonly what: string;
  readonly from: Found<S> | undefined;
}

export function explore<S>(exploration: Exploration<S>): Explored {
  const { starts, stepsOf, keyOf, breachOf, mostDepth, mostStates = Number.POSITIVE_INFINITY } = exploration;
  const seen = new Set<string>();
  let steps = 0;
  const end = (depth: number, isWhole: boolean, at?: { what: string; found: Found<S> }): Explored => {
    const breach = at === undefined ? undefined : { what: at.what, trace: traceOf(at.found) };
    return { states: seen.size, steps, depth, isWhole, breach };
  };
  let front: Found<S>[] = [];
  for (const { what, next } of starts) front.push({ state: next, what, from: undefined });
  for (let depth = 0; front.length > 0; depth += 1) {
    const following: Found<S>[] = [];
    for (const found of front) {
      const what = breachOf(found.state);
      if (what !== undefined) return end(depth, false, { what, found });
      if (depth === mostDepth) continue;
      for (const { what: done, next } of stepsOf(found.state)) {
        steps += 1;
        // Short, because millions of them are kept.
        const key = hash("sha1", keyOf(next), "base64");
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > mostStates) return end(depth, false);
        // Only the trace of what has gone before is kept of it.
        following.push({ state: next, what: done, from: found });
      }
    }
    for (const found of front) (found as { state: S | undefined }).state = undefined;
    if (following.length === 0 || depth === mostDepth) return end(depth, true);
    front = following;
  }
  return end(0, true);
}

function traceOf<S>(last: Found<S>): string[] {
  const trace: string[] = [];
  for (let found: Found<S> | undefined = last; found !== undefined; found = found.from)
    trace.push(found.what);
  return trace.reverse();
}
