/** .github/workflows and the action of this repository, by actionlint; and what a release's workflow may do. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { parse } from "yaml";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { commandsOf } from "#test/integration/page-commands.ts";

const WORKFLOWS = globSync(".github/workflows/*.yml", { cwd: CHECKOUT }).sort();

before(() => ensurePrograms(["actionlint"]));

// Its helpers for shell and Python scripts may or may not be on the machine.
const lint = (files: readonly string[], cwd = CHECKOUT): Promise<string> =>
  run([join(CHECKOUT, ".lab/bin/actionlint"), "-shellcheck=", "-pyflakes=", ...files], { cwd });

test("actionlint has nothing to say against them, and would say it", async () => {
  assert.deepEqual(WORKFLOWS, [".github/workflows/ci.yml", ".github/workflows/release.yml"]);
  assert.equal(await lint(WORKFLOWS), "");
  const directory = await mkdtemp(join(tmpdir(), "genkan-workflows-"));
  try {
    const text = readFileSync(join(CHECKOUT, ".github/workflows/ci.yml"), "utf8");
    await writeFile(join(directory, "wrong.yml"), text.replace("runs-on:", "run-on:"));
    await assert.rejects(lint(["wrong.yml"], directory), /unexpected key "run-on"/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

interface Workflow {
  readonly permissions: object;
  readonly jobs: Readonly<Record<string, { steps: readonly { run?: string }[] }>>;
}
const read = (path: string): Workflow => parse(readFileSync(join(CHECKOUT, path), "utf8"));
const scripts = ({ jobs }: Workflow): string[] =>
  Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => step.run ?? []));

test("CI runs what a machine of one's own runs, and no workflow may write but where it says so", () => {
  assert.ok(scripts(read(".github/workflows/ci.yml")).includes(".ci/run"));
  for (const path of WORKFLOWS) assert.deepEqual(read(path).permissions, { contents: "read" }, path);
});

test("no script has an expression in it: a tag's name could be a command", () => {
  for (const path of WORKFLOWS)
    for (const script of scripts(read(path))) assert.doesNotMatch(script, /\$\{\{/, path);
});

test("the release is pushed as docs/install.md says", () => {
  const [, build = "none", push = "none"] = commandsOf("docs/install.md", "Build, push, install");
  const all = scripts(read(".github/workflows/release.yml")).join("\n").replaceAll('"', "");
  assert.ok(all.includes(build));
  assert.ok(all.includes(push), push);
});
