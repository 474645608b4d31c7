/**
 * A network namespace of a test's own. The test file re-runs itself inside with `inNamespace`, so that everything it
 * opens is there and the machine's own network is not touched.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Runs a program, gives its standard output; throws with what it said when it fails. */
export function run(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error) throw new Error(`${program}: ${result.error.message}`, { cause: result.error });
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(" ")}: exit ${result.status}: ${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}

/** Runs several ip(8) commands, one a line. */
export function ip(commands: string): void {
  for (const line of commands.split("\n").map((text) => text.trim())) {
    if (line) run("ip", ...line.split(/\s+/));
  }
}

/** Whether this kernel has IPVS or can load it. */
export function hasIpvs(): boolean {
  spawnSync("modprobe", ["-a", "ip_vs", "ip_vs_mh", "ipip", "ip6_tunnel"]);
  return (
    readFileSync("/proc/modules", "utf8").includes("ip_vs ") ||
    spawnSync("ls", ["/proc/net/ip_vs"]).status === 0
  );
}
