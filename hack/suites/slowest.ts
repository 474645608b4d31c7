/** Which files took longest, in a line. Pure. */
const NAMED = 8;

/** `took`: path -> milliseconds. */
export function lineOf(took: ReadonlyMap<string, number>, root: string): string {
  const first = [...took].sort(([, a], [, b]) => b - a).slice(0, NAMED);
  if (first.length === 0) return "";
  const words = first.map(([file, ms]) => `${file.replace(`${root}/`, "")} ${(ms / 1000).toFixed(1)} s`);
  return `slowest of ${took.size} files: ${words.join(", ")}\n`;
}
