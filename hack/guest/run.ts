/**
 * node hack/guest/run.ts [--memory MB] [--tap NAME] [--guest] -- COMMAND...
 *
 * Runs a command as root where the kernel has ip_vs: on this machine if it has, else in a guest (Debian's generic
 * kernel under qemu; --guest forces it), in the checkout's directory, with node_modules/.bin first in PATH. Output is
 * passed through, and the exit code is the command's.
 *
 * In the guest:
 * - / is the host's root through an overlay in memory: what is written stays in the guest, except in the checkout,
 *   which is the host's own directory (over 9p: no unix sockets, no shared mmap, nothing to put containerd on).
 *   /tmp, /run and /dev/shm are tmpfs. The raw host root is /host.
 * - 9p caches: a file that the host changes after the guest looked at it (or at its absence) may be seen as it was.
 *   Hand data to a running guest through `exec`'s input instead.
 * - ip_vs and its schedulers, ipip, ip6_tunnel, all of nftables, veth, bridge, vxlan, dummy, sctp, overlay and
 *   virtio_net are loaded; `modprobe` works for everything else of the kernel (br_netfilter, ...).
 * - Starting a program costs about 0.1 s, node about 1 s: batch.
 *
 * Library: `startGuest({memory, tap, directory, detached})` and `connectGuest(directory)` in guest.ts give a `Guest` with
 * `exec(argv, {netns, input, onOutput, ...})` (any number at a time; `netns` costs no extra program) and `stop()`.
 * `hasIpvs()` and `runWithIpvs()` are in ipvs.ts.
 */

import { parseArgs } from "node:util";
import type { GuestOptions } from "#hack/guest/guest.ts";
import { runWithIpvs } from "#hack/guest/ipvs.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { memory: { type: "string" }, tap: { type: "string" }, guest: { type: "boolean" } },
});
if (positionals.length === 0) {
  process.stderr.write("usage: node hack/guest/run.ts [--memory MB] [--tap NAME] [--guest] -- COMMAND...\n");
  process.exit(2);
}
const options: GuestOptions = {
  ...(values.memory === undefined ? {} : { memory: Number(values.memory) }),
  ...(values.tap === undefined ? {} : { tap: values.tap }),
};
process.exitCode = await runWithIpvs(positionals, options, values.guest === true);
