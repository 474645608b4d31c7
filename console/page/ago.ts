/** Times as people read them. Pure. */

const UNITS: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** `3 min`: from `since` to `at`, both ISO 8601; "" if one is none. */
export function ago(since: string | undefined, at: string): string {
  const seconds = Math.round((Date.parse(at) - Date.parse(since ?? "")) / 1_000);
  if (Number.isNaN(seconds)) return "";
  for (const [size, unit] of UNITS) if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, seconds)} s`;
}
