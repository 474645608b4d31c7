/** A Go program of a test, built from its pinned modules when it changed. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { say } from "#hack/common/progress.ts";
import { ensureGo } from "#hack/lab/programs.ts";

/** `source`: the folder with its go.mod, by whose name the program is called. Resolves to the path of the program. */
export async function buildGoProgram(source: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(source)).sort()) hash.update(await readFile(join(source, file)));
  const directory = join(LAB_DIRECTORY, "bin");
  const name = basename(source);
  const program = join(directory, `${name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  say(`building ${name} from its Go module (a minute the first time)`);
  const draft = `${program}.${process.pid}`;
  const environment = { CGO_ENABLED: "0", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
  await run([await ensureGo(say), "build", "-o", draft, "."], { cwd: source, environment });
  await rename(draft, program);
  return program;
}
