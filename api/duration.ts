/** Durations as Go and Kubernetes spell them: `90s`, `1m30s`, `1.5h`. Pure. */

const UNIT_MS = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
} as const;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g;

/** Milliseconds, possibly a fraction; undefined if the text is no duration. A plain `0` is a duration. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!WHOLE.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, amount, unit] of text.matchAll(PART)) {
    // PART has no other units, and neither group is optional.
    milliseconds += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return milliseconds;
}
