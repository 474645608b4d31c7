/** The pages of the repository as the site shows them: which there are, their order, and their links. Pure. */
import { dirname, join, normalize, relative } from "node:path/posix";

export interface Group {
  readonly title: string;
  /** Paths of pages from the root; README.md is the first page. */
  readonly pages: readonly string[];
}

const docs = (...names: readonly string[]): string[] => names.map((name) => `docs/${name}.md`);

/** In the order of the site. */
const GROUPS: readonly Group[] = [
  { title: "Begin", pages: ["README.md", ...docs("install", "migrate", "uninstall")] },
  {
    title: "Use it",
    pages: docs(
      "addresses",
      "layer2",
      "bgp",
      "bfd",
      "endpoints",
      "routers",
      "surroundings",
      "check",
      "cli",
      "console",
    ),
  },
  {
    title: "Operate it",
    pages: docs("troubleshooting", "metrics", "security", "admission", "scale", "gitops"),
  },
  { title: "How it works", pages: docs("architecture", "dataplane") },
  {
    title: "Reference",
    pages: [
      ...["addresspool", "bgppeer", "bfdprofile", "loadbalancer", "speakerstatus"],
      ...["conditions", "events", "metrics", "alerts"],
    ].map((name) => `docs/reference/${name}.md`),
  },
  {
    title: "Take part",
    pages: [
      ...["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md"],
      ...docs("lab", "release"),
    ],
  },
];

/** Not in the list at the side, for there are many; reached by links. */
const isFigures = (page: string): boolean => page.startsWith("docs/results/");

/** What the list at the side has. A page that is in no group yet stands under "More", so that none is lost. */
export function groupsOf(pages: Iterable<string>): Group[] {
  const all = new Set(pages);
  const listed = new Set(GROUPS.flatMap((group) => group.pages));
  const more = [...all].filter((page) => !listed.has(page) && !isFigures(page)).sort();
  const groups = GROUPS.map((group) => ({ ...group, pages: group.pages.filter((page) => all.has(page)) }));
  return more.length === 0 ? groups : [...groups, { title: "More", pages: more }];
}

/** Where the site has the page: the README is its first page. */
export const placeOf = (page: string): string => (page === "README.md" ? "index.md" : page);

/** What a page says of itself at its top. */
export const titleOf = (text: string): string => /^# (.+)$/m.exec(text)?.[1] ?? "";

/**
 * The page's text for the site. A link to another page goes there; one to a picture stays; one to any other file of the
 * repository, which the site has not, becomes its words alone.
 */
export function forSite(text: string, page: string, pages: ReadonlySet<string>): string {
  const here = dirname(placeOf(page));
  return outsideOfFences(text, (prose) =>
    prose.replaceAll(
      /(!?)\[([^\]]*)\]\(([^)\s]+)\)/g,
      (whole, mark: string, words: string, target: string) => {
        if (/^[a-z][a-z+.-]*:/.test(target) || target.startsWith("#")) return whole;
        const [path = "", heading] = target.split("#");
        const file = normalize(join(dirname(page), path));
        if (mark === "!") return `![${words}](${linkTo(here, file)})`;
        if (!pages.has(file)) return words;
        return `[${words}](${linkTo(here, placeOf(file))}${heading === undefined ? "" : `#${heading}`})`;
      },
    ),
  );
}

function linkTo(from: string, file: string): string {
  const path = relative(from, file);
  return path.startsWith(".") ? path : `./${path}`;
}

function outsideOfFences(text: string, change: (prose: string) => string): string {
  return text
    .split(/(^ *```[\s\S]*?^ *```)/m)
    .map((part, at) => (at % 2 === 1 ? part : change(part)))
    .join("");
}

/** Links of a built page that lead to no page, or to no heading: `pages` is path -> HTML, links are as the site has them. */
export function deadLinks(pages: ReadonlyMap<string, string>): string[] {
  const ids = new Map(
    [...pages].map(([path, html]) => [
      path,
      new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)),
    ]),
  );
  return [...pages].flatMap(([path, html]) => {
    const targets = [...html.matchAll(/ href="([^"]+)"/g)].map(([, target = ""]) => target);
    return targets
      .filter((target) => !/^[a-z][a-z+.-]*:/.test(target) && !/^\/assets\/|\.css$/.test(target))
      .flatMap((target) => {
        const [place = "", heading] = decodeURIComponent(target).split("#");
        const file = place === "" ? path : fileOf(place.startsWith("/") ? place : join(dirname(path), place));
        const found = ids.get(file);
        const isDead =
          found === undefined || (heading !== undefined && heading !== "" && !found.has(heading));
        return isDead ? [`${path}: ${target} leads nowhere`] : [];
      });
  });
}

const fileOf = (place: string): string =>
  place === "/" ? "/index.html" : place.endsWith(".html") ? place : `${place}.html`;
