/**
 * node hack/guest/run.ts [--memory MB] [--tap NAME] [--guest] [--kernel user-mode|qemu] -- COMMAND...
 *
 * Runs a command as root where the kernel has ip_vs: on this machine if it has, else in a guest (--guest and --kernel
 * ask for one), in the checkout's directory, with node_modules/.bin first in PATH. Output is passed through, and the
 * exit code is the command's.
 *
 * In the guest:
 * - / is the host's root through an overlay in memory: what is written stays in the guest, except in the checkout,
 *   which is the host's own directory (no unix sockets and no shared mmap there, nothing to put containerd on).
 *   /tmp, /run and /dev/shm are tmpfs. The raw host root is /host.
 * - A file that the host changes after the guest looked at it (or at its absence) may be seen as it was. Hand data to
 *   a running guest through `exec`'s input instead.
 * - ip_vs and its schedulers, ipip, ip6_tunnel, all of nftables, veth, bridge, vxlan, dummy, sctp and overlay are there.
 * - user-mode Linux: programs compute at the machine's speed, a system call takes 8 us, fork and exec 3 ms. It has
 *   one processor, no io_uring, and about 450 MB at most for one program (vm.max_map_count of the host).
 * - qemu: programs run 4 to 7 times slower; to start one takes 0.1 s, node 1 s. `modprobe` finds the kernel's modules.
 *
 * Library: `startGuest({memory, tap, directory, detached})` in guest.ts and `connectGuest(directory)` in boot.ts give a
 * `Guest` with `exec(argv, {netns, input, onOutput, ...})` (any number at a time; `netns` costs no extra program) and
 * `stop()`. `hasIpvs()` and `runWithIpvs()` are in ipvs.ts.
 */

import { parseArgs } from "node:util";
import type { GuestOptions } from "#hack/guest/guest.ts";
import { runWithIpvs } from "#hack/guest/ipvs.ts";
import { KERNEL_KINDS, parseKernelKind } from "#hack/guest/kernel.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    memory: { type: "string" },
    tap: { type: "string" },
    guest: { type: "boolean" },
    kernel: { type: "string" },
  },
});
const kernel = parseKernelKind(values.kernel ?? "");
if (positionals.length === 0 || (values.kernel !== undefined && kernel === undefined)) {
  const kernels = KERNEL_KINDS.join("|");
  process.stderr.write(
    `usage: node hack/guest/run.ts [--memory MB] [--tap NAME] [--guest] [--kernel ${kernels}] -- COMMAND...\n`,
  );
  process.exit(2);
}
const options: GuestOptions = {
  ...(values.memory === undefined ? {} : { memory: Number(values.memory) }),
  ...(values.tap === undefined ? {} : { tap: values.tap }),
  ...(kernel === undefined ? {} : { kernel }),
};
const isForced = values.guest === true || kernel !== undefined;
process.exitCode = await runWithIpvs(positionals, options, isForced);
