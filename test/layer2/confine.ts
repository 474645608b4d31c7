/**
 * Starts speakers under the profile of seccomp that config/profiles has, without a container runtime. Run by itself, it
 * prints the words for SPEAKER_UNDER, so that whole suites run so (`make test-confined`).
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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
function rulesOf({ defaultErrnoRet, syscalls }: Profile): string {
  const lines = syscalls.flatMap(({ names, action, errnoRet, args }) =>
    names.map((name) =>
      action === "SCMP_ACT_ERRNO"
        ? `errno ${errnoRet} ${name}`
        : ["allow", name, ...(args === undefined ? [] : words(args[0]))].join(" "),
    ),
  );
  return [`default ${defaultErrnoRet}`, ...lines, ""].join("\n");
}

const words = ({ index, op, value, valueTwo }: Argument): (string | number)[] =>
  op === "SCMP_CMP_EQ" ? [index, "eq", value] : [index, "masked", value, valueTwo ?? 0];

/** Words of a command; what is started by them is confined. `name`: of the files, where a profile is another one. */
export function confining(profile = readProfile(), name = "speaker"): readonly string[] {
  mkdirSync(DIRECTORY, { recursive: true });
  const [program, rules] = [join(DIRECTORY, "confine"), join(DIRECTORY, `${name}.rules`)];
  // Without the library: a guest has its own.
  const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE];
  execFileSync("cc", [...flags, "-l:libseccomp.a"]);
  writeFileSync(rules, rulesOf(profile));
  return [program, rules];
}

// From the checkout, which a guest has at another place.
if (import.meta.main)
  console.log(
    confining()
      .map((path) => relative(ROOT, path))
      .join(" "),
  );
