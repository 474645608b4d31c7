/** What docs/routers.md tells people to write into FRR and BIRD is taken by them, every line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const PAGE = readFileSync(new URL("../../docs/routers.md", import.meta.url), "utf8");

function check(language: string, program: string, argv: (file: string) => readonly string[]) {
  const text = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "m").exec(PAGE)?.[1];
  assert.ok(text !== undefined, `the page has a block of ${language}`);
  const directory = mkdtempSync(join(tmpdir(), "genkan-page-"));
  try {
    return [text, `${text}\nno such words\n`].map((config) => {
      const file = join(directory, "router.conf");
      writeFileSync(file, config, { mode: 0o644 });
      const { status, stdout, stderr, error } = spawnSync(program, argv(file), { encoding: "utf8" });
      return { status: error === undefined ? status : String(error), said: `${stdout}${stderr}` };
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("FRR takes the page's lines", () => {
  const [own, wrong] = check("frr", "vtysh", (file) => ["--dryrun", "-f", file]);
  assert.ok(own !== undefined);
  assert.equal(own.status, 0, own.said);
  assert.match(wrong?.said ?? "", /Unknown command.*no such words/);
});

test("BIRD takes the page's lines", () => {
  const [own, wrong] = check("bird", "/usr/sbin/bird", (file) => ["-p", "-c", file]);
  assert.ok(own !== undefined);
  assert.equal(own.status, 0, own.said);
  assert.notEqual(wrong?.status, 0);
});
