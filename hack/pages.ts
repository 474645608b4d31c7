/** What a page in Markdown points at: links, files in backticks, and tests named after a file. Pure. */

export interface Link {
  /** As written, without the part after "#"; "" is the page itself. */
  readonly path: string;
  /** A heading's name in a link; undefined without "#". */
  readonly heading: string | undefined;
}

export interface NamedFile {
  /** From the root, or from the page; may hold `*` and `{a,b}`. */
  readonly path: string;
  /** Names of tests or cases that the page says are in it; what follows "..." in a name is left out. */
  readonly tests: readonly string[];
}

/** Folders whose mention in backticks is a path, with or without a file's ending. */
const FOLDERS = [
  "api",
  "common",
  "operator",
  "controller",
  "speaker",
  "cli",
  "config",
  "hack",
  "test",
  "docs",
];
const ENDINGS = ["ts", "yaml", "yml", "json", "md", "sh", "c", "h", "go", "config", "hex"];
const PATH = /^[\w.-]+(?:\/[\w.*{},-]*)*$/;

/** Fenced blocks show commands and manifests of the reader's own; what they name need not be here. */
const prose = (page: string): string => page.replaceAll(/^ *```[\s\S]*?^ *```/gm, "");

/** Relative links of a page, in its order; addresses with a scheme are left out. */
export function linksOf(page: string): Link[] {
  return [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z][a-z+.-]*:/.test(target))
    .map((target) => {
      const [path = "", heading] = target.split("#");
      return { path, heading };
    });
}

/** The names that links to a page's headings have: lower case, words joined by "-", no punctuation. */
export function headingsOf(page: string): Set<string> {
  const titles = [...prose(page).matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] ?? "");
  const slug = (title: string): string =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-");
  return new Set(titles.map(slug));
}

function isPath(text: string): boolean {
  if (!PATH.test(text) || text.startsWith(".")) return false;
  const [folder = "", ...below] = text.split("/");
  // A name alone may be a file of the reader's; one that ends in .ts is ours.
  if (below.length === 0) return text.endsWith(".ts");
  return FOLDERS.includes(folder) || ENDINGS.includes(text.split(".").at(-1) ?? "");
}

/** Files and folders in backticks, in the page's order, with the tests that are quoted right after them. */
export function filesOf(page: string): NamedFile[] {
  const text = prose(page).replaceAll(/\s+/g, " ");
  return [...text.matchAll(/`([^`]+)`((?:(?:,| and)? "[^"]+")*)/g)]
    .map(([, path = "", quoted = ""]) => ({
      path,
      tests: [...quoted.matchAll(/"([^"]+)"/g)].map((match) => (match[1] ?? "").split("...")[0] ?? ""),
    }))
    .filter(({ path }) => isPath(path));
}

interface NamedSymbol {
  readonly name: string;
  readonly path: string;
}

/** Names that a page says are in a file: `name` in `file.ts`, `name` of `file.ts`, `file.ts`: `name`, In `file.ts`, `name`. */
export function symbolsOf(page: string): NamedSymbol[] {
  const text = prose(page).replaceAll(/\s+/g, " ");
  const symbols = (pattern: RegExp): NamedSymbol[] =>
    [...text.matchAll(pattern)].map(({ groups: { name = "", path = "" } = {} }) => ({ name, path }));
  return [
    ...symbols(/`#?(?<name>\w+)` (?:in|of) `(?<path>[\w./-]+\.ts)`/g),
    ...symbols(/`(?<path>[\w./-]+\.ts)`: `#?(?<name>\w+)`/g),
    ...symbols(/\bIn `(?<path>[\w./-]+\.ts)`, `#?(?<name>\w+)`/g),
  ];
}

/** Rows of the tables under a heading, without those that only divide: each as its cells. */
export function rowsUnder(page: string, heading: string): string[][] {
  const [, after = ""] = page.split(`\n## ${heading}\n`);
  const [part = ""] = after.split(/^## /m);
  return part
    .split("\n")
    .filter((line) => /^\|(?! *-)/.test(line))
    .slice(1)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => cells.slice(1).some((cell) => cell !== ""));
}

/** A page's sentences, on one line each: those of paragraphs, points of lists and cells of tables. */
export function sentencesOf(page: string): string[] {
  const blocks = prose(page.replaceAll(/<!--[\s\S]*?-->/g, "")).split(
    /\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\s*\|)|\n(?=#)/,
  );
  return blocks
    .flatMap((block) => (/^\s*\|/.test(block) ? block.split("|") : [block]))
    .flatMap((text) => text.replaceAll(/\s+/g, " ").split(/(?<=[.?!:;]) /))
    .map((sentence) => sentence.trim())
    .filter((sentence) => /\w/.test(sentence));
}
