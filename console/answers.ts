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
}
export interface ServicesAnswer extends At, Part<ServiceLine> {}
export interface ServiceAnswer extends At, Explanation {
  readonly way: Way;
  /** Where its addresses have been, the latest last; of each the last hundred. */
  readonly stays: readonly Stay[];
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

/** Lines of one step that are shown: a Service may have thousands of pods. */
const MOST_DETAILS = 100;

const status = (facts: Facts, query: URLSearchParams): Omit<StatusAnswer, "at"> => ({
  ...countsOf(facts.snapshot),
  findings: partOf(facts.findings, query, ({ kind, name, reason, message }) =>
    [kind, name, reason, message].join(" "),
  ),
  broken: facts.services.filter(({ trouble }) => trouble !== undefined).length,
});

const services = ({ services }: Facts, query: URLSearchParams): Omit<ServicesAnswer, "at"> => {
  const isBroken = query.get("only") === "broken";
  const rows = isBroken ? services.filter(({ trouble }) => trouble !== undefined) : services;
  const part = partOf(rows, query, ({ service, addresses, pools, nodes, state, trouble = "" }) =>
    [service, ...addresses, ...pools, ...nodes, state, trouble].join(" "),
  );
  return { ...part, all: services.length };
};

function service(facts: Facts, query: URLSearchParams): Omit<ServiceAnswer, "at"> {
  const { snapshot, world, owners } = facts;
  const key = query.get("name") ?? "";
  const from = query.get("from") ?? "";
  const client = parseClient(from);
  if (from !== "" && client === undefined)
    throw new QuestionError("a connection comes from ADDRESS:PORT, such as 203.0.113.7:4242");
  const { steps, ...rest } = explanationOf(snapshot, key, { world, client });
  return {
    ...rest,
    steps: steps.map((step) => ({ ...step, details: shortened(step.details) })),
    way: wayOf(key, world, { owners, speakers: snapshot.speakers }),
    stays: staysOfService(snapshot, key),
  };
}

const shortened = (lines: readonly string[]): readonly string[] => firstLines(lines, MOST_DETAILS);

/** By path. */
export const ROUTES: Readonly<Record<string, Route>> = {
  "/api/status": { needs: KINDS, answer: status },
  "/api/services": { needs: KINDS, answer: services },
  "/api/service": { needs: KINDS, answer: service },
  "/api/pools": {
    needs: ["pools"],
    answer: ({ snapshot }, query) =>
      partOf(poolsOf(snapshot.pools), query, ({ pool, protocol, addresses, state }) =>
        [pool, protocol, state, ...addresses].join(" "),
      ),
  },
  "/api/nodes": {
    needs: KINDS,
    answer: ({ snapshot, findings }, query) =>
      partOf(nodeLines(snapshot, findings), query, ({ node, speaker, troubles }) =>
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
