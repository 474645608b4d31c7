/** Small files of the kernel below /proc, as this process' network namespace, which is the node's, has them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/proc";

/** undefined: there is no such file, as where a module is not loaded or a link has gone. Other errors are thrown. */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
