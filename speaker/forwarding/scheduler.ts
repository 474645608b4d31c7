/** What a port's scheduler is told beside its name. Pure. */
import { DEFAULT_SCHEDULER } from "#api/scheduler.ts";
import type { ForwardedPort } from "#speaker/forwarding/types.ts";
import { MH } from "#speaker/netlink/ipvs.ts";

/** IP_VS_SVC_F_SCHED* bits. With affinity the client's port plays no part in the choice of a pod. */
export function schedulerFlags({ scheduler, affinity }: ForwardedPort): number {
  if (scheduler !== DEFAULT_SCHEDULER) return 0;
  return affinity ? MH.fallback : MH.fallback | MH.port;
}
