/**
 * Several Services on one address: which Service may join its holders, and what a Service is told that may not. Pure.
 *
 * No message names a Service of another namespace or its sharing key, or says whether it has one. Whoever asks with a
 * wrong key, or in a pool that shares nothing across namespaces, reads the same message in every case.
 */
import type { Holding } from "#controller/allocation/holding.ts";
import type { Ledger, Vip } from "#controller/allocation/ledger.ts";
import type { Pool } from "#controller/allocation/pool.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { AllocationRequest } from "#controller/allocation/request.ts";

const STRANGER = "a Service of another namespace";

/**
 * The address is free, or all its holders share it by the same key and the same backend. A Service that has the address
 * already needs no more: it keeps sharing across namespaces even if the pool has stopped to allow it.
 */
export function holdersAgree(vip: Vip, request: AllocationRequest, ledger: Ledger): Refusal | undefined {
  const holding = ledger.holding(vip.address);
  if (holding === undefined) return undefined;
  const known = holding.holderIn(request.namespace);
  const theirs = holding.sharing;
  const ours = request.sharing;
  if (theirs !== undefined && theirs.key === ours?.key) {
    if (theirs.backend === ours.backend) return undefined;
    return refuse(
      RefusalReason.SharingConflict,
      `${vip.address} is shared with ${known === undefined ? STRANGER : `Service ${known}`}: with externalTrafficPolicy Local all of them must have it and the same spec.selector`,
    );
  }
  if (known === undefined) {
    const words = `${vip.address} is held by ${STRANGER}, which does not share it with this one`;
    return refuse(RefusalReason.AddressInUse, words);
  }
  if (theirs === undefined || ours === undefined) {
    const held =
      theirs === undefined
        ? `is held by Service ${known}, which`
        : `is held by Service ${known} and this Service`;
    const words = `${vip.address} ${held} has no sharing key (annotation allow-shared-ip)`;
    return refuse(RefusalReason.AddressInUse, words);
  }
  return refuse(
    RefusalReason.SharingConflict,
    `${vip.address} is held by Service ${known} under sharing key "${theirs.key}", not "${ours.key}"`,
  );
}

/** The Service may have the address anew, with these ports: also, its pool lets it share with those who hold it. */
export function mayJoin(
  vip: Vip,
  ports: readonly string[],
  request: AllocationRequest,
  ledger: Ledger,
): Refusal | undefined {
  const holding = ledger.holding(vip.address);
  if (holding === undefined) return undefined;
  const { namespace } = request;
  const isApart = !mayMeet(holding, namespace, ledger.pools.get(vip.pool));
  const rule = `AddressPool "${vip.pool}" shares no address across namespaces (spec.shareAcrossNamespaces)`;
  if (isApart && !holding.isHeldIn(namespace)) {
    const words = `${vip.address} is held by ${STRANGER}, and ${rule}`;
    return refuse(RefusalReason.AddressInUse, words);
  }
  const disagreement = holdersAgree(vip, request, ledger);
  if (disagreement !== undefined) return disagreement;
  if (isApart) {
    const words = `${vip.address} is held by ${STRANGER}, too, and ${rule}`;
    return refuse(RefusalReason.SharingConflict, words);
  }
  return ports.map((port) => portTaken(port, vip, request, ledger)).find((taken) => taken !== undefined);
}

/** All who hold the address are of the namespace, or the pool lets others join them. */
export function mayMeet(holding: Holding, namespace: string, pool: Pool | undefined): boolean {
  return pool?.sharesAcrossNamespaces === true || !holding.isHeldBeside(namespace);
}

/** Another Service has the port at the address. */
export function portTaken(
  port: string,
  vip: Vip,
  { namespace }: Pick<AllocationRequest, "namespace">,
  ledger: Ledger,
): Refusal | undefined {
  const holding = ledger.holding(vip.address);
  const taken = holding?.holderOf(port);
  if (taken === undefined) return undefined;
  const who = taken.startsWith(`${namespace}/`) ? `Service ${taken}` : STRANGER;
  return refuse(RefusalReason.SharingConflict, `port ${port} of ${vip.address} is held by ${who}`);
}

/** The same question as mayJoin without a message, which costs: many addresses may be looked at under one key. */
export function hasRoom(
  holding: Holding,
  ports: readonly string[],
  { namespace, sharing }: AllocationRequest,
  pool: Pool,
): boolean {
  if (holding.sharing?.backend !== sharing?.backend || !mayMeet(holding, namespace, pool)) return false;
  return ports.every((port) => holding.holderOf(port) === undefined);
}
