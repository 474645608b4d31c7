/** The hook, the action and the template for CI call the command as it is. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "yaml";

const textOf = (path: string): Promise<string> => readFile(new URL(`../${path}`, import.meta.url), "utf8");

test("each option that they name is one of check's", async () => {
  const command = await textOf("cli/main.ts");
  const known = [...command.matchAll(/"(?:-\w, )?(--[a-z-]+)/g)].map(([, option]) => option);
  assert.ok(known.includes("--filename") && known.includes("--strict"), known.join(" "));
  for (const file of [".pre-commit-hooks.yaml", "action.yml", "config/ci/gitlab.yml"]) {
    const calls = (await textOf(file)).split("\n").filter((line) => /\bcheck\b.*--|arguments\+=/.test(line));
    assert.ok(calls.length > 0, file);
    for (const [, option] of calls.join("\n").matchAll(/(--[a-z-]+)/g)) {
      assert.ok(known.includes(option), `${file}: ${option}`);
    }
  }
});

test("no input of the action becomes text of its script", async () => {
  const action = parse(await textOf("action.yml"));
  for (const { run } of action.runs.steps) assert.doesNotMatch(String(run ?? ""), /\$\{\{\s*inputs\./);
  assert.ok(
    Object.values<string>(action.runs.steps.at(-1).env).some((value) => value.includes("inputs.path")),
  );
});
