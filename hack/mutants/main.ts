/**
 * `make mutants [ONLY=path]`: makes each fault of table.ts in a copy of the checkout, runs the fast tests of its room, and
 * says whether they noticed. Ends with 1 if fewer than 90 % were noticed, or if the table does not fit the code any more.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { say } from "#hack/common/progress.ts";
import { MUTANTS, type Mutant } from "#hack/mutants/table.ts";

const ENOUGH = 0.9;
/** A mutant may well make a loop endless. */
const LIMIT_MS = 120_000;

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
  // In one process: they are pure, and starting a process for each file takes longer than they do.
  const argv = [
    "--import",
    "./test/end.ts",
    "--test",
    "--test-isolation=none",
    "--test-reporter=dot",
    ...tests,
  ];
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const options = { cwd: copy, env: environment, stdio: "ignore", timeout: LIMIT_MS } as const;
  return spawnSync(process.execPath, argv, { ...options, killSignal: "SIGKILL" }).status === 0;
}

const only = process.argv[2] ?? "";
const chosen = MUTANTS.filter(({ path }) => path.startsWith(only));
const stale = chosen.filter(
  ({ path, before }) => readFileSync(join(CHECKOUT, path), "utf8").split(before).length !== 2,
);
for (const { path, what } of stale)
  process.stderr.write(`${path}: "${what}": its text does not stand there once\n`);
if (stale.length > 0 || chosen.length === 0) process.exit(1);
const copy = copyCheckout();
let killed = 0;
try {
  for (const tests of new Set(chosen.map(testsOf))) {
    if (!pass(copy, tests)) throw new Error(`without any mutant these fail: ${tests.join(" ")}`);
  }
  for (const mutant of chosen) {
    const { path, what, before, after } = mutant;
    const text = readFileSync(join(CHECKOUT, path), "utf8");
    writeFileSync(
      join(copy, path),
      text.replace(before, () => after),
    );
    const survived = pass(copy, testsOf(mutant));
    writeFileSync(join(copy, path), text);
    if (!survived) killed += 1;
    say(`${survived ? "SURVIVED" : "killed  "} ${path}: ${what}`);
  }
} finally {
  rmSync(copy, { recursive: true });
}
const part = killed / chosen.length;
say(`${killed} of ${chosen.length} killed (${Math.floor(part * 100)} %), ${ENOUGH * 100} % are asked for`);
process.exitCode = part < ENOUGH ? 1 : 0;
