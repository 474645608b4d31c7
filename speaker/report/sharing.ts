/** How it stands with connections that nodes share, for the condition ConnectionsShared. Pure. */
import type { Trouble } from "../apply.ts";
import type { SyncTrouble } from "../forwarding/types.ts";
import type { LoadBalancerView } from "../known/view.ts";
import type { Work } from "../reporting.ts";

/** "Sharing": it works. */
export type Sharing = Trouble<"Sharing" | SyncTrouble["code"]>;

/** Undefined: nothing is to be shared, or nothing can be said yet. */
export function sharingOf(
  loadBalancer: Pick<LoadBalancerView, "mode" | "connectionSync"> | undefined,
  { syncTrouble: trouble, isAlone }: Pick<Work, "syncTrouble" | "isAlone">,
): Sharing | undefined {
  if (loadBalancer?.mode !== "IPVS" || !loadBalancer.connectionSync) return undefined;
  if (isAlone || trouble === null) return undefined;
  if (trouble === undefined) return { reason: "Sharing", message: "" };
  return { reason: trouble.code, message: trouble.message };
}
