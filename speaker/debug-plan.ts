/**
 * What /debug/plan shows, part by part: what is wanted, what is there, and the difference. Settings of peers are shown
 * without passwords. Pure.
 */
import type { Applied, Forwarded, Trouble } from "./apply.ts";
import type { BgpPlan } from "./bgp/plan.ts";
import type { PeerSettings } from "./bgp/types.ts";
import type { NodeLink } from "./known/node-links.ts";
import type { Judgement } from "./membership/liveness.ts";
import type { Checking, Comparison, Forwarder, Wanted } from "./parts.ts";
import type { AddressPlan } from "./plan/addresses.ts";
import type { AttractionPlan, PortPlan } from "./plan/plan.ts";
import type { Role } from "./plan/role.ts";
import type { RoutingReport } from "./routing.ts";

export interface DebugPlanInput {
  readonly role: Role;
  readonly isReady: boolean;
  readonly attraction: AttractionPlan;
  readonly ports: PortPlan;
  /** Link -> addresses that are to be announced there, and that are. */
  readonly wanted: Wanted;
  readonly held: Wanted;
  readonly peers: BgpPlan;
  readonly routing: RoutingReport;
  readonly forwarder: Pick<Forwarder, "counts" | "difference">;
  readonly health: ReturnType<Checking["describe"]>;
  readonly forwarded: Forwarded;
  readonly links: readonly NodeLink[];
  readonly members: Judgement;
  readonly refused: NonNullable<Applied["reconciled"]>["refused"];
  readonly troubles: readonly Trouble[];
  readonly lastError: string | undefined;
}

type DebugAddress = Omit<AddressPlan, "candidates"> & { readonly candidates: string };

/** JSON with sorted parts. A difference leaves out what is equal. */
export interface DebugPlan {
  readonly role: Role;
  readonly isReady: boolean;
  readonly troubles: readonly Trouble[];
  readonly lastError?: string;
  /** Every address of ours, who may attract it and who does. */
  readonly addresses: readonly DebugAddress[];
  /** Lists of nodes that may attract addresses, by number, because thousands of addresses have the same list. */
  readonly candidates: Readonly<Record<string, readonly string[]>>;
  readonly leftOut: PortPlan["leftOut"];
  readonly announcements: Comparison;
  readonly routes: Comparison;
  readonly forwarding: Comparison;
  /** Endpoints that this node checks, those that fail, and why; absent where it checks none. */
  readonly health?: DebugPlanInput["health"];
  readonly links: readonly NodeLink[];
  readonly members: {
    readonly live: readonly string[];
    readonly dead: readonly string[];
    readonly isFrozen: boolean;
  };
}

export function debugPlanOf(input: DebugPlanInput): DebugPlan {
  const { role, isReady, troubles, lastError, attraction, ports, links } = input;
  const { live, dead, isFrozen } = input.members;
  return {
    role,
    isReady,
    troubles,
    ...(lastError !== undefined && { lastError }),
    ...addressesOf(attraction.addresses),
    leftOut: ports.leftOut,
    announcements: announcementsOf(input),
    routes: routesOf(input),
    forwarding: forwardingOf(input),
    ...(input.health.checked > 0 && { health: input.health }),
    links,
    members: { live, dead, isFrozen },
  };
}

function addressesOf(addresses: readonly AddressPlan[]): Pick<DebugPlan, "addresses" | "candidates"> {
  const numbers = new Map<readonly string[], string>();
  const shown = addresses.map(({ candidates, ...address }): DebugAddress => {
    const number = numbers.get(candidates) ?? String(numbers.size + 1);
    numbers.set(candidates, number);
    return { ...address, candidates: number };
  });
  return {
    addresses: shown,
    candidates: Object.fromEntries([...numbers].map(([names, number]) => [number, names])),
  };
}

function announcementsOf({ wanted, held }: DebugPlanInput): Comparison {
  return {
    wanted: textsOf(wanted),
    actual: textsOf(held),
    difference: { toAnnounce: textsOf(without(wanted, held)), toWithdraw: textsOf(without(held, wanted)) },
  };
}

function textsOf(announced: Wanted): Record<string, string[]> {
  return Object.fromEntries([...announced].sort(byKey).map(([link, vips]) => [link, [...vips].sort()]));
}

function without(wanted: Wanted, other: Wanted): Wanted {
  const left = [...wanted].map(
    ([link, vips]) => [link, vips.difference(other.get(link) ?? new Set())] as const,
  );
  return new Map(left.filter(([, vips]) => vips.size > 0));
}

function routesOf({ peers, routing }: DebugPlanInput): Comparison {
  const reports = new Map(routing.sessions.map((report) => [report.peer, report]));
  const wanted = [...peers.sessions].map(([peer, { settings, advertisements }]) => ({
    peer,
    settings: withoutPassword(settings),
    prefixes: advertisements.map(({ prefix }) => prefix),
  }));
  const differences = wanted.flatMap(({ peer, prefixes }) => {
    const report = reports.get(peer);
    const state = report?.state ?? "absent";
    const advertised = report?.prefixesAdvertised ?? 0;
    const isSame = state === "Established" && advertised === prefixes.length;
    return isSame ? [] : [{ peer, state, wanted: prefixes.length, advertised }];
  });
  const { withheld, bfd, listenTrouble } = routing;
  return {
    wanted,
    actual: {
      sessions: routing.sessions,
      withheld,
      bfd,
      ...(listenTrouble !== undefined && { listenTrouble }),
    },
    difference: {
      sessions: differences,
      toEnd: routing.sessions.map(({ peer }) => peer).filter((peer) => !peers.sessions.has(peer)),
    },
  };
}

/** It is no secret whether there is a password, and it explains sessions that do not come up. */
function withoutPassword({ password, ...settings }: PeerSettings): Record<string, unknown> {
  return { ...settings, isSigned: password !== undefined };
}

/** `notForwarded`: addresses that the kernel was not read back with yet. */
function forwardingOf({ ports, attraction, forwarder, forwarded, refused }: DebugPlanInput): Comparison {
  const notForwarded = attraction.vips.filter((vip) => !forwarded.set.has(vip));
  const difference = { kernel: forwarder.difference(), notForwarded, refused };
  return { wanted: { ports: ports.ports }, actual: forwarder.counts(), difference };
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
