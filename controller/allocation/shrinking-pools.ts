/** What happens when a pool shrinks or is deleted: Services have addresses that no pool has any more. Pure. */
import { parseAddress } from "#api/address.ts";
import type { PoolSet } from "#controller/allocation/pool.ts";
import { isOurs } from "#controller/allocation/request.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";

/**
 * While a user renames, splits or joins pools, some addresses are in no pool for a moment. They are taken from their
 * Services only if no pool has them after this time.
 */
export const ORPHAN_GRACE_MS = 3_000;

/** Whether a Service of ours has an address that no pool has. */
export function hasOrphans(
  services: readonly ServiceRecord[],
  pools: PoolSet,
  { loadBalancerClass }: { readonly loadBalancerClass: string | undefined },
): boolean {
  const isOrphan = (text: string | undefined): boolean => {
    const address = text === undefined ? undefined : parseAddress(text);
    return address !== undefined && pools.poolOf(address.family, address.value) === undefined;
  };
  return services.some(
    (service) => isOurs(service, loadBalancerClass) && service.ingress.some(({ ip }) => isOrphan(ip)),
  );
}
