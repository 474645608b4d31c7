/**
 * `make mutants [ONLY=path]`: makes each fault of table.ts in a copy of the checkout, runs the fast tests of its room, and
 * says whether they noticed. Ends with 1 if fewer than 90 % were noticed, or if the table does not fit the code any more.
 * With `--check` it only looks whether the table fits the code (`make check`).
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { say } from "#hack/common/progress.ts";
import type { Mutant } from "#hack/mutants/mutant.ts";
import { MUTANTS } from "#hack/mutants/table.ts";

const ENOUGH = 0.9;
/**
 * A mutant may well make a loop endless, or wait for what never comes. The tests of a room need a few seconds of a
 * processor; how long that takes depends on who else is on the machine.
 */
const LIMIT_CPU_S = 60;
const LIMIT_MS = 900_000;

/** Beginning of a path -> the fast tests that are to notice. */
const TESTS: readonly (readonly [prefix: string, tests: readonly string[]])[] = [
  ["speaker/forwarding/", ["speaker/forwarding/*.test.ts"]],
  ["speaker/plan/", ["speaker/plan/*.test.ts"]],
  ["controller/allocation/", ["controller/allocation/*.test.ts", "test/cases/allocation/*.test.ts"]],
  ["controller/webhook/", ["controller/webhook/review.test.ts", "controller/webhook/brief.test.ts"]],
  ["api/", ["api/v1beta1/**/*.test.ts", "test/cases/admission/*.test.ts"]],
];

function testsOf({ path }: Mutant): readonly string[] {
  const found = TESTS.find(([prefix]) => path.startsWith(prefix));
  if (found === undefined) throw new Error(`${path}: no tests are named for it in hack/mutants/main.ts`);
  return found[1];
}

/** The test beside the file, which notices most faults of it and takes a second; none if there is none. */
function testsBeside(path: string): readonly string[] {
  const test = path.replace(/\.ts$/, ".test.ts");
  return existsSync(join(CHECKOUT, test)) ? [test] : [];
}

/** What git knows of, and what is built. */
function copyCheckout(): string {
  const copy = mkdtempSync(join(tmpdir(), "genkan-mutants-"));
  const listed = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: CHECKOUT,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  }).stdout.split("\0");
  for (const path of [...listed, "speaker/native/build/socket.node"]) {
    if (path === "") continue;
    mkdirSync(join(copy, dirname(path)), { recursive: true });
    try {
      cpSync(join(CHECKOUT, path), join(copy, path));
    } catch (error) {
      // Removed, and not committed yet.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  symlinkSync(join(CHECKOUT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

function pass(copy: string, tests: readonly string[]): boolean {
  if (tests.length === 0) return true;
  // In one process: they are pure, and starting a process for each file takes longer than they do.
  const argv = [
    "--import",
    "./test/end.ts",
    "--import",
    "./hack/mutants/no-shrinking.ts",
    "--test",
    "--test-isolation=none",
    "--test-reporter=dot",
    ...tests,
  ];
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const options = { cwd: copy, env: environment, stdio: "ignore", timeout: LIMIT_MS } as const;
  const limited = ["-c", `ulimit -t ${LIMIT_CPU_S}; exec "$0" "$@"`, process.execPath, ...argv];
  return spawnSync("/bin/sh", limited, { ...options, killSignal: "SIGKILL" }).status === 0;
}

/** Its text stands once in its file. */
function isFitting({ path, before }: Mutant): boolean {
  const file = join(CHECKOUT, path);
  return existsSync(file) && readFileSync(file, "utf8").split(before).length === 2;
}

const { values, positionals } = parseArgs({
  options: { check: { type: "boolean", default: false } },
  allowPositionals: true,
});
const chosen = MUTANTS.filter(({ path }) => path.startsWith(positionals[0] ?? ""));
const stale = chosen.filter((mutant) => !isFitting(mutant));
for (const { path, what, before } of stale) {
  const text = JSON.stringify(before);
  process.stderr.write(`hack/mutants: "${what}": ${path} does not have this text exactly once: ${text}\n`);
}
if (stale.length > 0 || chosen.length === 0) process.exit(1);
if (values.check) process.exit(0);
const copy = copyCheckout();
let killed = 0;
try {
  for (const tests of new Set(chosen.map(testsOf))) {
    if (!pass(copy, tests)) throw new Error(`without any mutant these fail: ${tests.join(" ")}`);
  }
  for (const mutant of chosen) {
    const { path, what, before, after } = mutant;
    const file = join(copy, path);
    const text = readFileSync(file, "utf8");
    writeFileSync(
      file,
      text.replace(before, () => after),
    );
    const survived = pass(copy, testsBeside(path)) && pass(copy, testsOf(mutant));
    writeFileSync(file, text);
    if (!survived) killed += 1;
    say(`${survived ? "SURVIVED" : "killed  "} ${path}: ${what}`);
  }
} finally {
  rmSync(copy, { recursive: true });
}
const part = killed / chosen.length;
say(`${killed} of ${chosen.length} killed (${Math.floor(part * 100)} %), ${ENOUGH * 100} % are asked for`);
process.exitCode = part < ENOUGH ? 1 : 0;
