/**
 * A number that no other test on this machine uses now: two runs side by side must not meet in one bridge. Whoever has
 * it owns the link `gkt<number>`, whose alias says the process; what an ended process left is taken over.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { ip } from "#test/network/namespace.ts";

const FIRST = 20;
const LAST = 99;
const ALIAS = /^genkan test of process (\d+)$/;

/** Its own while the link lives. `make` is the ip(8) command that makes the link `name`. */
export function claimLink(make: (name: string) => string): {
  readonly name: string;
  readonly number: number;
} {
  for (let number = FIRST; number <= LAST; number += 1) {
    const name = `gkt${number}`;
    if (isTaken(name)) continue;
    spawnSync("ip", ["link", "del", name], { stdio: "ignore" });
    // Somebody else may be quicker: then it is theirs.
    if (spawnSync("ip", make(name).split(/\s+/), { stdio: "ignore" }).status !== 0) continue;
    spawnSync("ip", ["link", "set", name, "alias", `genkan test of process ${process.pid}`]);
    return { name, number };
  }
  throw new Error(`links gkt${FIRST} to gkt${LAST} are all taken: remove those of ended tests`);
}

export function releaseLink(name: string): void {
  ip(`link del ${name}`);
}

function isTaken(name: string): boolean {
  const directory = `/sys/class/net/${name}`;
  if (!existsSync(directory)) return false;
  const pid = ALIAS.exec(readFileSync(`${directory}/ifalias`, "utf8").trim())?.[1];
  return pid !== undefined && existsSync(`/proc/${pid}`);
}
