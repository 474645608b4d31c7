/** What has to be changed in a kernel's sources to run here: as little as can be, and said when it does not fit. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KernelSourceError, type SourcePackage, seriesOf } from "#hack/guest/user-mode/sources.ts";

interface Change {
  readonly file: string;
  /** Must be there, once. */
  readonly from: string;
  readonly to: string;
}

/**
 * Linux 7 needs none. Before, 2,696 octets were kept for a program's extended registers; a processor with AMX has 11,008
 * of them, and PTRACE_SETREGSET fails with EFAULT.
 */
export function changesFor(source: SourcePackage): readonly Change[] {
  if (seriesOf(source)[0] >= 7) return [];
  const size = (octets: number): string => `DEFINE_LONGS(HOST_FP_SIZE, ${octets});`;
  return [{ file: "arch/x86/um/user-offsets.c", from: size(2696), to: size(12288) }];
}

/** Throws KernelSourceError where the text to change is not there exactly once. Pure. */
export function changed(text: string, { file, from, to }: Change): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new KernelSourceError(
      `${file} has "${from}" ${parts.length - 1} times, not once: the change does not fit`,
    );
  return parts.join(to);
}

export async function fitSources(tree: string, source: SourcePackage): Promise<void> {
  for (const change of changesFor(source)) {
    const path = join(tree, change.file);
    await writeFile(path, changed(await readFile(path, "utf8"), change));
  }
}
