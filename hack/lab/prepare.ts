/** Builds whatever a lab needs and is not there yet: minutes the first time. */
import type { Say } from "#hack/common/progress.ts";
import { prepareGuest } from "#hack/guest/guest.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import type { KernelKind } from "#hack/guest/kernel.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";

/** Everything that any lab on this machine needs. */
export function prepareAll(tell: Say): Promise<void> {
  return prepare({ hasGuest: !hasIpvs() }, tell);
}

/** The programs, and beside them, where nodes run in a guest, its kernel: one waits for the mirror while the other computes. */
export async function prepare(
  { hasGuest, kernel }: { hasGuest: boolean; kernel?: KernelKind },
  tell: Say,
): Promise<void> {
  const work = [ensurePrograms(undefined, tell), ...(hasGuest ? [prepareGuest(kernel, tell)] : [])];
  // A failure is told only when nothing goes on behind our back.
  await Promise.allSettled(work);
  await Promise.all(work);
}
