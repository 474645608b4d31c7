/** The state that is in the kernel once more, by ipvsadm and nft. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const MAX_BUFFER = 1 << 28;
const read = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: "utf8", maxBuffer: MAX_BUFFER });

/** Takes away what is there, and puts it back by the programs; how long they took for that. */
export function programTheSame(): { ms: number; ipvsadm_ms: number; nft_ms: number } {
  const directory = mkdtempSync(join(tmpdir(), "genkan-scale-"));
  const [servers, table] = [join(directory, "servers"), join(directory, "table")];
  try {
    writeFileSync(servers, read("ipvsadm", "-Sn"));
    writeFileSync(table, read("nft", "-n", "list", "table", "inet", "genkan"));
    read("nft", "delete", "table", "inet", "genkan");
    read("ipvsadm", "-C");
    const startedAt = performance.now();
    execFileSync("ipvsadm", ["-R"], { input: readFileSync(servers), maxBuffer: MAX_BUFFER });
    const restoredAt = performance.now();
    read("nft", "-f", table);
    const endedAt = performance.now();
    return {
      ms: endedAt - startedAt,
      ipvsadm_ms: Math.round(restoredAt - startedAt),
      nft_ms: Math.round(endedAt - restoredAt),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
