/**
 * `make docs`: the pages of the repository as a site with search, in build/site/html. A link that leads nowhere ends it
 * with 1. What builds it is installed apart (hack/site/tool/package.json), for it is larger than all that everybody needs.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { deadLinks, forSite, groupsOf, placeOf, titleOf } from "#hack/site/pages.ts";

const TOOL = join(CHECKOUT, "hack/site/tool");
const SITE = join(CHECKOUT, "build/site");
const OUTPUT = join(SITE, "html");

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

rmSync(SITE, { recursive: true, force: true });
const pages = new Set(globSync(["*.md", "docs/**/*.md"], { cwd: CHECKOUT }));
const textOf = (page: string): string => readFileSync(join(CHECKOUT, page), "utf8");
for (const page of pages) put(join(SITE, "pages", placeOf(page)), forSite(textOf(page), page, pages));
cpSync(join(CHECKOUT, "docs/pictures"), join(SITE, "pages/docs/pictures"), { recursive: true });
const sidebar = groupsOf(pages).map(({ title, pages: listed }) => ({
  text: title,
  items: listed.map((page) => ({
    text: titleOf(textOf(page)),
    link: `/${placeOf(page).replace(/(index)?\.md$/, "")}`,
  })),
}));
put(join(SITE, "pages/.vitepress/site.json"), JSON.stringify({ sidebar }));
cpSync(join(TOOL, "config.mjs"), join(SITE, "pages/.vitepress/config.mjs"));
symlinkSync(join(TOOL, "node_modules"), join(SITE, "pages/node_modules"));
const program = join(TOOL, "node_modules/vitepress/bin/vitepress.js");
const built = spawnSync(process.execPath, [program, "build", join(SITE, "pages"), "--outDir", OUTPUT], {
  stdio: "inherit",
});
if (built.status !== 0) process.exit(1);
const files = globSync("**/*.html", { cwd: OUTPUT }).filter((file) => file !== "404.html");
const dead = deadLinks(new Map(files.map((file) => [`/${file}`, readFileSync(join(OUTPUT, file), "utf8")])));
for (const fault of dead) process.stderr.write(`${fault}\n`);
process.stdout.write(`${files.length} pages in ${OUTPUT}\n`);
process.exitCode = dead.length === 0 ? 0 : 1;
