/** The addresses that Services have: which Services share each, and for which of them this node does nothing. */
import type { LeftOut } from "./claims.ts";
import type { ServiceChanges, Services } from "./services.ts";

/** What decides whether an address is one of ours. It is the same object while nothing in it changes. */
export interface OwnershipRules {
  /** The name of the node that has the address as its own; undefined if none has. */
  nodeOf(vip: string): string | undefined;
  isInPool(vip: string): boolean;
}

export interface GivenChanges {
  /** Addresses of ours that came, went, or have another Service, or a Service with other endpoints. */
  readonly vips: ReadonlySet<string>;
  /** Services of which an address came to be ours or stopped being so. */
  readonly affected: ReadonlySet<string>;
}

export class GivenAddresses {
  readonly #sharing = new Map<string, Set<string>>();
  readonly #foreign = new Map<string, LeftOut>();
  #rules: OwnershipRules | undefined;

  /** Keys of the Services that have the address, in no order. */
  sharing(vip: string): ReadonlySet<string> | undefined {
    return this.#sharing.get(vip);
  }

  isOurs(vip: string): boolean {
    return this.#sharing.has(vip) && !this.#foreign.has(vip);
  }

  /** All our addresses. */
  *vips(): Iterable<string> {
    for (const vip of this.#sharing.keys()) if (!this.#foreign.has(vip)) yield vip;
  }

  /** Addresses that are not ours, and why. */
  get foreign(): ReadonlyMap<string, LeftOut> {
    return this.#foreign;
  }

  update(changes: ServiceChanges, services: Services, rules: OwnershipRules): GivenChanges {
    const vips = new Set<string>();
    for (const [key, before] of changes) this.#share(key, before?.service.vips ?? [], services, vips);
    const hasNewRules = rules !== this.#rules;
    this.#rules = rules;
    const affected = new Set<string>();
    for (const vip of hasNewRules ? [...this.#sharing.keys()] : vips) {
      const wasForeign = this.#foreign.has(vip);
      this.#judge(vip, rules);
      if (this.#foreign.has(vip) === wasForeign) continue;
      vips.add(vip);
      for (const key of this.#sharing.get(vip) ?? []) affected.add(key);
    }
    return { vips, affected };
  }

  #share(key: string, before: readonly string[], services: Services, vips: Set<string>): void {
    const now = services.get(key)?.service.vips ?? [];
    for (const vip of before) {
      vips.add(vip);
      const sharing = this.#sharing.get(vip);
      if (now.includes(vip) || sharing === undefined) continue;
      sharing.delete(key);
      if (sharing.size > 0) continue;
      this.#sharing.delete(vip);
      this.#foreign.delete(vip);
    }
    for (const vip of now) {
      vips.add(vip);
      const sharing = this.#sharing.get(vip);
      if (sharing === undefined) this.#sharing.set(vip, new Set([key]));
      else sharing.add(key);
    }
  }

  #judge(vip: string, { nodeOf, isInPool }: OwnershipRules): void {
    const sharing = this.#sharing.get(vip);
    const node = nodeOf(vip);
    if (sharing === undefined || (node === undefined && isInPool(vip))) {
      this.#foreign.delete(vip);
      return;
    }
    const services = [...sharing].sort();
    const what = `nothing is done for ${vip}, which the status of Service ${services.join(", ")} has: it is`;
    this.#foreign.set(
      vip,
      node === undefined
        ? { reason: "NoPool", message: `${what} in no AddressPool that counts`, services }
        : { reason: "NodeAddress", message: `${what} an address of node ${node}`, services },
    );
  }
}
