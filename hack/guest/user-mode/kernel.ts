/** A Linux that is a process of this machine: at the machine's own speed but for system calls. */
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import type { Say } from "#hack/common/progress.ts";
import { ensureAgent, ensureProgram } from "#hack/guest/cache.ts";
import type { GuestKernel, MachineOptions } from "#hack/guest/kernel.ts";
import { type BuiltKernel, ensureBuiltKernel } from "#hack/guest/user-mode/build.ts";

/** Builds what is missing the first time (minutes). Throws KernelBuildError, KernelSourceError. */
export async function userModeKernel(tell: Say): Promise<GuestKernel> {
  const built = await ensureBuiltKernel(tell);
  const [agent, relay] = await Promise.all([
    ensureAgent(),
    ensureProgram(join(import.meta.dirname, "relay.c"), "relay"),
  ]);
  const { name, version, suite } = built.source;
  return {
    kind: "user-mode",
    description: `user-mode Linux (${name} ${version} of ${suite})`,
    argv: (machine) => relayArguments({ built, agent, relay }, machine),
    modules: [],
  };
}

function relayArguments(
  { built, agent, relay }: { built: BuiltKernel; agent: string; relay: string },
  { directory, memory, ports, tap, mac }: MachineOptions,
): string[] {
  const hardware = mac === undefined ? "" : `,mac=${mac}`;
  return [
    ...[relay, directory, `${ports}`, tap ?? ""],
    ...[built.program, `mem=${memory}M`, "ncpus=1"],
    // A program's system calls are trapped by a filter of its own; by ptrace they take twice as long.
    "seccomp=auto",
    // Writable for the checkout's sake; init.sh puts an overlay over the rest.
    ...["root=/dev/root", "rootfstype=hostfs", "hostfs=/", "rw"],
    ...["quiet", "panic=-1", "con=null", "con0=null,fd:1"],
    ...["dummy.numdummies=0", `init=${join(import.meta.dirname, "init.sh")}`],
    ...[`genkan.checkout=${CHECKOUT}`, `genkan.modules=${built.modules}`, `genkan.agent=${agent}`],
    // The relay puts the descriptor in.
    ...(tap === undefined ? [] : [`vec0:transport=fd,fd=CARD,depth=64${hardware}`]),
  ];
}
