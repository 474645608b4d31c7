/**
 * What two Services claim at once: a forwarding id, or an address with its port. The controller gives each to one only,
 * so this is somebody else's hand or a moment between two writes. The older Service wins, on every node alike; of the
 * other one that port alone is left out. Pure.
 */

import type { ForwardedPort } from "../forwarding/types.ts";
import type { ServicePlan } from "./endpoints.ts";

/** Why something of a Service is not done. */
export interface LeftOut {
  readonly reason:
    | "DuplicateClaim"
    | "NodeAddress"
    | "NoPool"
    | "Unusable"
    | "UnusableEndpoint"
    | "KernelRefused";
  readonly message: string;
  /** Whose it is, `namespace/name`. */
  readonly services: readonly string[];
}

interface Claim {
  readonly plan: ServicePlan;
  readonly port: ForwardedPort;
}

export class Claims {
  readonly leftOut: LeftOut[] = [];
  readonly #byId = new Map<number, Claim>();
  readonly #byPlace = new Map<string, Claim>();
  /** Ports that lost, and those of addresses that are none of ours. */
  readonly #excluded = new Set<ForwardedPort>();
  readonly #ours: ReadonlyMap<string, unknown>;

  /** `ours`: the addresses that count. */
  constructor(ours: ReadonlyMap<string, unknown>) {
    this.#ours = ours;
  }

  add(plan: ServicePlan): void {
    for (const port of plan.ports) {
      if (!this.#ours.has(port.vip)) {
        this.#excluded.add(port);
        continue;
      }
      const claim = { plan, port };
      this.#settle(this.#byId, port.id, claim, ({ id }) => `forwarding id ${id}`);
      this.#settle(this.#byPlace, placeOf(port), claim, placeOf);
    }
  }

  /** Of the Services that were added, what is to be forwarded. */
  portsOf(plan: ServicePlan): readonly ForwardedPort[] {
    return this.#excluded.size === 0 ? plan.ports : plan.ports.filter((port) => !this.#excluded.has(port));
  }

  /** `what` is put into words only where it is claimed twice: every port of every Service comes here in each plan. */
  #settle<K>(claims: Map<K, Claim>, key: K, claim: Claim, what: (port: ForwardedPort) => string): void {
    const held = claims.get(key);
    if (held === undefined) {
      claims.set(key, claim);
      return;
    }
    const [winner, loser] = isOlder(held.plan, claim.plan) ? [held, claim] : [claim, held];
    claims.set(key, winner);
    this.#excluded.add(loser.port);
    const { protocol, port } = loser.port;
    this.leftOut.push({
      reason: "DuplicateClaim",
      message: `${protocol}/${port} of Service ${loser.plan.service.key} is not forwarded: ${what(loser.port)} is of Service ${winner.plan.service.key}, which is older`,
      services: [loser.plan.service.key],
    });
  }
}

const placeOf = ({ vip, protocol, port }: ForwardedPort): string => `${vip} ${protocol}/${port}`;

/** Of equal age the first by key; ports of one Service are told apart by their order. */
function isOlder({ service: a }: ServicePlan, { service: b }: ServicePlan): boolean {
  return a.createdAt === b.createdAt ? a.key <= b.key : a.createdAt < b.createdAt;
}
