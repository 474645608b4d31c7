/** Starts a guest: a machine with a kernel that has ip_vs, the host's root, and a way to run commands in it. */
import type { Say } from "#hack/common/progress.ts";
import { type BootOptions, bootGuest, type Guest, GuestBootError } from "#hack/guest/boot.ts";
import type { KernelKind } from "#hack/guest/kernel.ts";
import { qemuKernel } from "#hack/guest/qemu/kernel.ts";
import { findBuiltKernel, KernelBuildError } from "#hack/guest/user-mode/build.ts";
import { userModeKernel } from "#hack/guest/user-mode/kernel.ts";
import { findRefusal, refuseUserMode } from "#hack/guest/user-mode/refusal.ts";
import { KernelSourceError } from "#hack/guest/user-mode/sources.ts";

export interface GuestOptions extends BootOptions {
  /** When absent the best that works here: user-mode Linux, else qemu, with the reason told. */
  readonly kernel?: KernelKind;
  /** Told what is being waited for. */
  readonly progress?: Say;
}

/** Boots a guest; the first time also gets and builds its kernel (minutes). Throws GuestBootError where none boots. */
export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const tell = options.progress ?? (() => {});
  const underQemu = async (): Promise<Guest> => bootGuest(await qemuKernel(tell), options);
  const inUserMode = async (): Promise<Guest> => bootGuest(await userModeKernel(tell), options);
  if (options.kernel === "qemu") return underQemu();
  if (options.kernel === "user-mode") return inUserMode();
  const known = await findRefusal();
  if (known === undefined) {
    try {
      return await inUserMode();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await refuseUserMode(error.message);
    }
  }
  const reason = known ?? (await findRefusal());
  tell(`no user-mode Linux on this machine, so a slower guest under qemu: ${reason}`);
  return underQemu();
}

/** Gets and builds whatever a guest needs, and boots one if that was much: the first test waits no longer than others. */
export async function prepareGuest(kernel: KernelKind | undefined, tell: Say): Promise<void> {
  const isThere = kernel !== "qemu" && ((await findBuiltKernel()) ?? (await findRefusal())) !== undefined;
  if (isThere) return;
  const guest = await startGuest({
    progress: tell,
    memory: 512,
    ...(kernel === undefined ? {} : { kernel }),
  });
  tell(`guests run on ${guest.kernel.description}`);
  await guest.stop();
}

function isRefusal(error: unknown): error is Error {
  return (
    error instanceof GuestBootError || error instanceof KernelBuildError || error instanceof KernelSourceError
  );
}
