/** Patterns of `--exclude`, as .gitignore has them. Pure. */

const ESCAPED = /[.+^$()|[\]{}\\]/g;

/**
 * `*` and `?` are within one name, `**` goes over folders. A pattern without a slash fits a file or a folder of that name
 * anywhere; one with a slash fits the path from the folder that was named with -f, or from where the command runs.
 */
export function excluder(patterns: readonly string[]): (paths: readonly string[]) => boolean {
  const tests = patterns.map((pattern) => {
    const trimmed = pattern.replace(/^\.?\//, "").replace(/\/$/, "");
    const body = trimmed
      .replace(ESCAPED, "\\$&")
      .replaceAll("?", "[^/]")
      .replace(/\*\*\/|\/\*\*|\*\*|\*/g, (part) => {
        if (part === "**/") return "(?:[^/]+/)*";
        if (part === "/**") return "(?:/.*)?";
        return part === "**" ? ".*" : "[^/]*";
      });
    return new RegExp(trimmed.includes("/") ? `^${body}(?:/|$)` : `(?:^|/)${body}(?:/|$)`);
  });
  return (paths) => tests.some((test) => paths.some((path) => test.test(path.replace(/^\.\//, ""))));
}
