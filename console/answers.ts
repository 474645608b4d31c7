/** What the console answers under /api/: one pure function of the cluster's facts each, and the kinds that it shows. */

import { firstLines } from "#api/and-more.ts";
import { parseClient } from "#cli/explain/client.ts";
import { type Explanation, explanationOf } from "#cli/explain/command.ts";
import { type Stay, staysOfService } from "#cli/history/command.ts";
import { type PoolRow, poolsOf } from "#cli/list/pools.ts";
import { type Counts, countsOf } from "#cli/status/command.ts";
import type { Finding } from "#cli/status/findings.ts";
import type { Facts } from "#console/facts.ts";
import { KINDS, type Kind } from "#console/kinds.ts";
import {
  type Drained,
  type PlannedAddress,
  type PlannedPeer,
  plannedAddresses,
  plannedPeers,
} from "#console/node.ts";
import {
  type Move,
  movesByMinute,
  movesOf,
  type NodeLine,
  nodeLines,
  type SessionLine,
  sessionLines,
} from "#console/nodes.ts";
import { type Part, partOf } from "#console/page-of.ts";
import type { ServiceLine } from "#console/services.ts";
import type { Rates } from "#console/traffic.ts";
import { type Way, wayOf } from "#console/way.ts";

/** Every answer says when the cluster was as it says. */
export interface At {
  /** ISO 8601. */
  readonly at: string;
}

export interface StatusAnswer extends At, Counts {
  readonly findings: Part<Finding>;
  /** Services of ours with something that is broken. */
  readonly broken: number;
  /** What comes in for all Services at all nodes; absent: nobody measures. */
  readonly traffic?: Rates;
}
export interface ServicesAnswer extends At, Part<ServiceLine> {}
export interface ServiceAnswer extends At, Explanation {
  readonly way: Way;
  /** Where its addresses have been, the latest last; of each the last hundred. */
  readonly stays: readonly Stay[];
}
/** The rows: what it is to attract, and what it reports. */
export interface NodeAnswer extends At, Part<PlannedAddress> {
  readonly node: NodeLine;
  /** Of the rows, and of the peers: where the node is not as planned. */
  readonly differing: number;
  readonly peers: readonly PlannedPeer[];
  /** Where it was asked for. */
  readonly drained?: Drained;
}
export interface PoolsAnswer extends At, Part<PoolRow> {}
export interface NodesAnswer extends At, Part<NodeLine> {}
export interface SessionsAnswer extends At, Part<SessionLine> {}
export interface MovesAnswer extends At, Part<Move> {
  /** Of the last hour, the oldest first: how many moves in each minute. */
  readonly minutes: readonly number[];
}

export interface Route {
  /** Who may not list all of these does not get the answer. */
  readonly needs: readonly Kind[];
  readonly answer: (facts: Facts, query: URLSearchParams) => object;
}

/** The query asks for something that nobody can answer. */
export class QuestionError extends Error {
  override readonly name = "QuestionError";
  readonly code = "QUESTION";
}

/** There is nothing of that name: the words say what. */
export class AbsentError extends Error {
  override readonly name = "AbsentError";
  readonly code = "ABSENT";
}

/** Too much is asked for at once. */
export class BusyError extends Error {
  override readonly name = "BusyError";
  readonly code = "BUSY";
}

/** Lines of one step that are shown: a Service may have thousands of pods. */
const MOST_DETAILS = 100;

const status = (facts: Facts, query: URLSearchParams): Omit<StatusAnswer, "at"> => ({
  ...countsOf(facts.snapshot),
  findings: partOf(facts.findings, query, ({ kind, name, reason, message }) =>
    [kind, name, reason, message].join(" "),
  ),
  broken: facts.services.filter(({ trouble }) => trouble !== undefined).length,
  ...(facts.traffic.all !== undefined && { traffic: facts.traffic.all }),
});

const services = ({ services }: Facts, query: URLSearchParams): Omit<ServicesAnswer, "at"> => {
  const isBroken = query.get("only") === "broken";
  const rows = isBroken ? services.filter(({ trouble }) => trouble !== undefined) : services;
  const ordered = query.get("order") === "busiest" ? rows.toSorted(busier) : rows;
  const part = partOf(ordered, query, ({ service, addresses, pools, nodes, state, trouble = "" }) =>
    [service, ...addresses, ...pools, ...nodes, state, trouble].join(" "),
  );
  return { ...part, all: services.length };
};

const busier = (a: ServiceLine, b: ServiceLine): number =>
  (b.traffic?.bytesPerSecond ?? 0) - (a.traffic?.bytesPerSecond ?? 0);

function node(facts: Facts, query: URLSearchParams): Omit<NodeAnswer, "at"> {
  const name = query.get("name") ?? "";
  const line = nodeLines(facts.snapshot, facts.findings, facts.traffic).find(({ node }) => node === name);
  if (line === undefined) throw new AbsentError(`there is no node ${name}`);
  const addresses = plannedAddresses(name, facts);
  const peers = plannedPeers(name, facts);
  const drained = query.get("drain") === "yes" ? facts.drained(name) : undefined;
  if (query.get("drain") === "yes" && drained === undefined)
    throw new BusyError("others ask what a drain would do: try again in a moment");
  return {
    ...partOf(addresses, query, ({ address, services }) => [address, ...services].join(" ")),
    node: line,
    differing:
      addresses.filter(({ differs }) => differs).length +
      peers.filter(({ isUp, planned, advertised }) => isUp && planned !== advertised).length,
    peers,
    ...(drained !== undefined && { drained }),
  };
}

function service(facts: Facts, query: URLSearchParams): Omit<ServiceAnswer, "at"> {
  const { snapshot, world, owners, traffic } = facts;
  const key = query.get("name") ?? "";
  const from = query.get("from") ?? "";
  const client = parseClient(from);
  if (from !== "" && client === undefined)
    throw new QuestionError("a connection comes from ADDRESS:PORT, such as 203.0.113.7:4242");
  const { steps, ...rest } = explanationOf(snapshot, key, { world, client });
  return {
    ...rest,
    steps: steps.map((step) => ({ ...step, details: shortened(step.details) })),
    way: wayOf(key, world, { owners, speakers: snapshot.speakers, traffic }),
    stays: staysOfService(snapshot, key),
  };
}

const shortened = (lines: readonly string[]): readonly string[] => firstLines(lines, MOST_DETAILS);

/** By path. */
export const ROUTES: Readonly<Record<string, Route>> = {
  "/api/status": { needs: KINDS, answer: status },
  "/api/services": { needs: KINDS, answer: services },
  "/api/service": { needs: KINDS, answer: service },
  "/api/node": { needs: KINDS, answer: node },
  "/api/pools": {
    needs: ["pools"],
    answer: ({ snapshot }, query) =>
      partOf(poolsOf(snapshot.pools), query, ({ pool, protocol, addresses, state }) =>
        [pool, protocol, state, ...addresses].join(" "),
      ),
  },
  "/api/nodes": {
    needs: KINDS,
    answer: ({ snapshot, findings, traffic }, query) =>
      partOf(nodeLines(snapshot, findings, traffic), query, ({ node, speaker, troubles }) =>
        [node, speaker, ...troubles].join(" "),
      ),
  },
  "/api/sessions": {
    needs: ["speakers", "leases"],
    answer: ({ snapshot }, query) =>
      partOf(sessionLines(snapshot), query, ({ protocol, node, peer, address = "", state, message = "" }) =>
        [protocol, node, peer, address, state, message].join(" "),
      ),
  },
  "/api/moves": {
    needs: ["speakers"],
    answer: ({ snapshot }, query) => {
      const moves = movesOf(snapshot);
      const part = partOf(moves, query, ({ address, service = "", node, reason }) =>
        [address, service, node, reason].join(" "),
      );
      return { ...part, minutes: movesByMinute(moves, snapshot.at, 60) };
    },
  },
};
