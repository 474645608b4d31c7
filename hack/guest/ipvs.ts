/** Where what needs ip_vs runs: on this kernel when it has all that is used, else in the guest. */
import { execFileSync, spawn } from "node:child_process";
import { constants } from "node:os";
import type { GuestOptions } from "#hack/guest/guest.ts";
import { startGuest } from "#hack/guest/guest.ts";

const PROBE = `ipvsadm -A -f 1 -s mh && ip link set tunl0 up && ip link set ip6tnl0 up`;

/** True when this kernel has IPVS with mh, and both tunnels: tried for real, in a network namespace of its own. */
export function hasIpvs(): boolean {
  try {
    execFileSync(
      "sh",
      ["-c", 'modprobe -qa ip_vs ip_vs_mh ip_vs_rr ipip ip6_tunnel; exec unshare -n sh -c "$0"', PROBE],
      {
        stdio: "ignore",
      },
    );
    return true;
  } catch {
    // The probe's own exit code says no; why does not matter to anybody.
    return false;
  }
}

/**
 * Runs a command where ip_vs is, in the checkout's directory, output passed through.
 * On a host kernel that has it: in new network and mount namespaces, so that nothing is left behind.
 * Returns its exit code.
 */
export async function runWithIpvs(
  argv: readonly string[],
  options: GuestOptions = {},
  force = false,
): Promise<number> {
  if (!force && hasIpvs()) return runOnHost(argv);
  const guest = await startGuest({ progress: (line) => process.stderr.write(`${line}\n`), ...options });
  const why = force ? "as asked" : "this machine's kernel has no ip_vs";
  process.stderr.write(`${why}: running in a guest, ${guest.kernel.description}\n`);
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
  try {
    const { code } = await guest.exec(argv, {
      discard: true,
      signal: interrupted.signal,
      onOutput: (chunk, stream) => process[stream].write(chunk),
    });
    return code;
  } finally {
    await guest.stop();
    process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
  }
}

function runOnHost(argv: readonly string[]): Promise<number> {
  const script =
    'mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && mount -t sysfs sysfs /sys; ip link set lo up; exec "$@"';
  const child = spawn("unshare", ["-n", "-m", "sh", "-c", script, "sh", ...argv], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
