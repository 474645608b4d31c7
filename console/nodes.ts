/** Nodes, sessions and moves as the console lists them. Pure. */
import { bfdSessionsOf, bgpSessionsOf } from "#cli/list/sessions.ts";
import type { Snapshot } from "#cli/read.ts";
import { speakersOf } from "#cli/speakers.ts";
import type { Finding } from "#cli/status/findings.ts";
import type { Rates, Traffic } from "#console/traffic.ts";

export interface NodeLine {
  readonly node: string;
  /** `live`, `silent`, or `none`. */
  readonly speaker: "live" | "silent" | "none";
  /** Addresses that it answers for by ARP or NDP. */
  readonly owned: number;
  readonly sessions: { readonly established: number; readonly all: number };
  /** What comes in there for Services; absent where it does not measure. */
  readonly traffic?: Rates;
  /** What its speaker reports as not well, a sentence each. */
  readonly troubles: readonly string[];
}

export function nodeLines(
  snapshot: Snapshot<"nodes" | "speakers" | "leases">,
  findings: readonly Finding[],
  traffic: Traffic,
): readonly NodeLine[] {
  const { live, dead } = speakersOf(snapshot.leases, snapshot.at);
  const lives = new Set(live);
  const silent = new Set(dead);
  const reports = new Map(snapshot.speakers.map(({ metadata, status }) => [metadata.name, status]));
  const troubles = Map.groupBy(
    findings.filter(({ kind }) => kind === "SpeakerStatus"),
    ({ name }) => name,
  );
  const names = new Set([...snapshot.nodes.map(({ metadata }) => metadata.name), ...reports.keys()]);
  return [...names].sort().map((node): NodeLine => {
    const report = reports.get(node);
    const sessions = report?.bgpSessions ?? [];
    const rates = traffic.byNode.get(node);
    return {
      node,
      speaker: lives.has(node) ? "live" : silent.has(node) ? "silent" : "none",
      owned: report?.ownedCount ?? report?.addresses?.length ?? 0,
      sessions: {
        established: sessions.filter(({ state }) => state === "Established").length,
        all: sessions.length,
      },
      ...(rates !== undefined && { traffic: rates }),
      troubles: (troubles.get(node) ?? []).map(({ reason, message }) => `${reason}: ${message}`),
    };
  });
}

export interface SessionLine {
  readonly protocol: "BGP" | "BFD";
  readonly node: string;
  readonly peer: string;
  readonly address?: string;
  readonly state: string;
  readonly isUp: boolean;
  readonly since?: string;
  /** Prefixes that the peer was told. */
  readonly advertised?: number;
  readonly losses?: number;
  readonly message?: string;
}

/** What is down comes first. */
export function sessionLines(snapshot: Snapshot<"speakers" | "leases">): readonly SessionLine[] {
  const bgp = bgpSessionsOf(snapshot).map((session): SessionLine => {
    const { state, lastError, warning } = session;
    const message = state === "Established" ? warning : lastError;
    return {
      ...common(session, "BGP", "Established"),
      ...(session.advertised !== undefined && { advertised: session.advertised }),
      ...(message !== undefined && { message }),
    };
  });
  const bfd = bfdSessionsOf(snapshot).map(
    (session): SessionLine => ({
      ...common(session, "BFD", "Up"),
      ...(session.diagnostic !== undefined && session.state !== "Up" && { message: session.diagnostic }),
    }),
  );
  const lines = [...bgp, ...bfd];
  return [...lines.filter(({ isUp }) => !isUp), ...lines.filter(({ isUp }) => isUp)];
}

interface Reported {
  readonly node: string;
  readonly peer: string;
  readonly address?: string;
  readonly state: string;
  readonly since?: string;
  readonly losses?: number;
  readonly isSpeakerSilent: boolean;
}

function common(session: Reported, protocol: SessionLine["protocol"], up: string): SessionLine {
  const { node, peer, address, state, since, losses, isSpeakerSilent } = session;
  return {
    protocol,
    node,
    peer,
    state: isSpeakerSilent ? `${state} (its speaker is silent)` : state,
    isUp: state === up && !isSpeakerSilent,
    ...(address !== undefined && { address }),
    ...(since !== undefined && { since }),
    ...(losses !== undefined && { losses }),
  };
}

export interface Move {
  readonly address: string;
  readonly service?: string;
  /** That it came to. */
  readonly node: string;
  readonly since: string;
  readonly reason: string;
}

/** How many moves each of the last `minutes` minutes has, the oldest first. */
export function movesByMinute(moves: readonly Move[], at: Date, minutes: number): readonly number[] {
  const counts = new Array<number>(minutes).fill(0);
  for (const { since } of moves) {
    const age = Math.floor(at.getTime() / 60_000) - Math.floor(Date.parse(since) / 60_000);
    const index = minutes - 1 - age;
    const before = counts[index];
    if (before !== undefined) counts[index] = before + 1;
  }
  return counts;
}

/** When addresses of layer 2 came to a node, as the nodes' own records say: the youngest first. */
export function movesOf({ speakers }: Snapshot<"speakers">): readonly Move[] {
  return speakers
    .flatMap(({ metadata, status }) =>
      [...(status?.addresses ?? []), ...(status?.formerAddresses ?? [])].flatMap(
        ({ address, service, since, reason }) =>
          since === undefined
            ? []
            : [
                {
                  address,
                  ...(service !== undefined && { service }),
                  node: metadata.name,
                  since,
                  reason: reason ?? "",
                },
              ],
      ),
    )
    .sort((a, b) => (a.since > b.since ? -1 : 1));
}
