import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { type CompletedCommand, completion, SHELLS, type Shell } from "./scripts.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const printed = (shell: Shell): string =>
  execFileSync(process.execPath, [MAIN, "completion", shell], { encoding: "utf8" });

/** What bash offers after these words; the last one is being typed. */
function offered(script: string, ...words: readonly string[]): string[] {
  const line = ["genkan", ...words];
  const program = `source /dev/stdin <<'SCRIPT'
${script}
SCRIPT
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _genkan; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync("bash", ["--norc", "-euc", program, "bash", ...line], { encoding: "utf8" });
  return text.split("\n").filter((word) => word !== "");
}

test("bash sources what the command prints, and completes commands, options, their values and paths", () => {
  const script = printed("bash");
  assert.deepEqual(offered(script, "st"), ["status"]);
  assert.deepEqual(offered(script, "b").sort(), ["bfd", "bgp", "bundle"]);
  assert.deepEqual(offered(script, "status", "-o", ""), ["table", "json", "yaml"]);
  assert.deepEqual(offered(script, "status", "--output", "y"), ["yaml"]);
  assert.deepEqual(offered(script, "migrate", "--pre"), ["--prefer"]);
  assert.deepEqual(offered(script, "migrate", "--prefer", "l"), ["layer2"]);
  assert.deepEqual(offered(script, "completion", ""), ["bash", "zsh", "fish", "-h", "--help"]);
  assert.deepEqual(offered(script, "-n", "x", "services", "--of", ""), []);
  assert.ok(offered(script, "check", "-f", "/et").includes("/etc"));
  assert.ok(offered(script, "").includes("explain"));
});

const HOSTILE: readonly CompletedCommand[] = [
  {
    name: "odd",
    description: "it's [odd]: a $(touch /tmp/never) \\ one",
    options: [{ names: ["-x", "--ex"], description: "don't: [$HOME]", value: ["a'b", "c"] }],
  },
];

test("a description with quotes, brackets and colons is text in every shell", () => {
  assert.deepEqual(offered(completion("bash", HOSTILE), "odd", "--"), ["--ex"]);
  assert.match(completion("zsh", HOSTILE), /'\*--ex\[don'\\''t\\: \\\[\$HOME\\\]\]:value:\(a'\\''b c\)'/);
  assert.match(completion("fish", HOSTILE), /-s x -l ex -d 'don\\'t: \[\$HOME\]' -x -a 'a\\'b c'/);
});

test("no shell knows fewer commands or options than another", () => {
  const [bash, zsh, fish] = SHELLS.map(printed) as [string, string, string];
  const commands = [...fish.matchAll(/__fish_use_subcommand -a (\S+)/g)].map(([, name = ""]) => name);
  assert.ok(commands.includes("status") && commands.includes("completion"));
  const options = [...fish.matchAll(/ -l ([\w-]+)/g)].map(([, name = ""]) => `--${name}`);
  for (const script of [bash, zsh])
    for (const word of [...commands, ...options]) assert.ok(script.includes(word), word);
});
