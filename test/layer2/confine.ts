/**
 * Starts speakers under the profile of seccomp that config/profiles has, without a container runtime. Run by itself, it
 * prints the words for SPEAKER_UNDER, so that whole suites run so (`make test-confined`); with the word `refused` it prints
 * which calls the profile refused them, and fails if there were any.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;
const PROFILE = join(ROOT, "config/profiles/genkan-speaker.json");
const SOURCE = join(ROOT, "test/layer2/confine.c");
const DIRECTORY = join(ROOT, "build/confine");

interface Argument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
}

/** As container runtimes read it; only as much of their format as the profile uses. */
export interface Profile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly comment: string;
    readonly names: readonly string[];
    readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
    readonly errnoRet?: number;
    readonly args?: readonly [Argument];
  }[];
}

export const readProfile = (): Profile => JSON.parse(readFileSync(PROFILE, "utf8")) as Profile;

/** As confine.c reads them. */
function rulesOf({ defaultErrnoRet, syscalls }: Profile, report: string): string {
  const lines = syscalls.flatMap(({ names, action, errnoRet, args }) =>
    names.map((name) =>
      action === "SCMP_ACT_ERRNO"
        ? `errno ${errnoRet} ${name}`
        : ["allow", name, ...(args === undefined ? [] : words(args[0]))].join(" "),
    ),
  );
  return [`default ${defaultErrnoRet}`, `report ${report}`, ...lines, ""].join("\n");
}

const words = ({ index, op, value, valueTwo }: Argument): (string | number)[] =>
  op === "SCMP_CMP_EQ" ? [index, "eq", value] : [index, "masked", value, valueTwo ?? 0];

const reportOf = (name: string): string => join(DIRECTORY, `${name}.refused`);

/**
 * Words of a command; what is started by them, from the checkout, is confined. `name`: of the files, where a profile is
 * another one, or where `refusedCalls` is to tell of these speakers alone.
 */
export function confining(profile = readProfile(), name = "speaker"): readonly string[] {
  mkdirSync(DIRECTORY, { recursive: true });
  const [program, rules, report] = [
    join(DIRECTORY, "confine"),
    join(DIRECTORY, `${name}.rules`),
    reportOf(name),
  ];
  // Without the library: a guest has its own.
  const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE];
  execFileSync("cc", [...flags, "-l:libseccomp.a"]);
  rmSync(report, { force: true });
  // From the checkout, which a guest has at another place.
  writeFileSync(rules, rulesOf(profile, relative(ROOT, report)));
  return [program, rules];
}

/** What was refused since `confining`, by the profile's default: calls, each with its first argument. */
export function refusedCalls(name = "speaker"): string[] {
  if (!existsSync(reportOf(name))) return [];
  const lines = readFileSync(reportOf(name), "utf8").split("\n");
  return [...new Set(lines.filter((line) => line !== ""))].sort();
}

/** What Node's event loop asks for at its start, and does without where it is refused. */
const DONE_WITHOUT = ["io_uring_setup"];

/** Of `refusedCalls`, those that a speaker may have needed. */
export const missedCalls = (name = "speaker"): string[] =>
  refusedCalls(name).filter((line) => !DONE_WITHOUT.includes(line.split(" ")[0] ?? ""));

if (import.meta.main) {
  if (process.argv[2] === "refused") {
    const refused = missedCalls();
    for (const call of refused) console.log(`refused: ${call}`);
    process.exitCode = refused.length === 0 ? 0 : 1;
  } else
    console.log(
      confining()
        .map((path) => relative(ROOT, path))
        .join(" "),
    );
}
