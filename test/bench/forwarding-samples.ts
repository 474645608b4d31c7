/** One sample: the load program in one way of forwarding for a moment, and what a unit of its work cost. */
import type { Family } from "#api/address.ts";
import { POD_PORT } from "./forwarding-hops.ts";
import { BenchError, type Place } from "./forwarding-place.ts";
import { addressesOf, namespacesOf, type Way } from "./forwarding-ways.ts";

/**
 * keep: a request on a connection that is open. new: a request with a connection of its own. forth, back: a packet of a
 * flow that the node knows, to the pod and from it. first: a packet of a flow that it does not know.
 */
export const KINDS = ["keep", "new", "forth", "back", "first"] as const;
export type Kind = (typeof KINDS)[number];

export interface Sample {
  readonly place: Place["name"];
  readonly way: string;
  readonly family: Family;
  readonly kind: Kind;
  readonly round: number;
  /** Processor time of one request, or packet. */
  readonly cpuMicros: number;
  /** Time by the clock of one. */
  readonly wallMicros: number;
  /** Of requests, from the question to the answer. */
  readonly p50Micros?: number;
  readonly p99Micros?: number;
  /** Requests that broke, packets that did not arrive, beyond what is no fault: the sample counts for nothing. */
  readonly faults: number;
}

const CONNECTIONS = 16;
/** Flows of a sample of `first`; each round has ports of its own, so that the node knows none of them. */
const FLOWS = 4000;
const FIRST_PORT = 1100;
export const MOST_ROUNDS = Math.floor((65_536 - FIRST_PORT) / FLOWS);
/** Device counters see neighbor discovery as well, and a router's queue may overflow while it waits for that. */
const LOST_SHARE = 0.002;

export interface Plan {
  readonly way: Way;
  readonly family: Family;
  readonly kind: Kind;
  readonly round: number;
  /** Of requests; packets need half of it. */
  readonly ms: number;
}

export async function takeSample(place: Place, program: string, prefix: string, plan: Plan): Promise<Sample> {
  const { line, cpuUs } = await place.sample([program, ...argumentsOf(prefix, plan), ...place.load]);
  const said = JSON.parse(line) as Said;
  const { way, family, kind, round } = plan;
  if (said.count === 0)
    throw new BenchError(`${place.name}, ${way.name}, ${family}, ${kind}: nothing came back`);
  if (cpuUs === 0)
    throw new BenchError(`${place.name}: this kernel has no /proc/PID/schedstat, so no processor time`);
  const isRequest = kind === "keep" || kind === "new";
  const lost = isRequest ? (said.repeated ?? 0) : said.errors;
  return {
    ...{ place: place.name, way: way.name, family, kind, round },
    cpuMicros: cpuUs / said.count,
    wallMicros: said.wall_us / said.count,
    ...(said.p50_us === undefined ? {} : { p50Micros: said.p50_us }),
    ...(said.p99_us === undefined ? {} : { p99Micros: said.p99_us }),
    faults: (isRequest ? said.errors : 0) + (lost > said.count * LOST_SHARE ? lost : 0),
  };
}

interface Said {
  readonly count: number;
  readonly errors: number;
  readonly wall_us: number;
  /** TCP segments that had to be sent once more. */
  readonly repeated?: number;
  readonly p50_us?: number;
  readonly p99_us?: number;
}

function argumentsOf(prefix: string, { way, family, kind, round, ms }: Plan): string[] {
  const at = namespacesOf(prefix, way);
  const to = addressesOf(way, family);
  const common = {
    ...{ from: at.client, to: at.pod, source: to.client, address: to.target, port: to.port },
    ...{ listen: POD_PORT, back: to.pod, ms: Math.round(kind === "keep" || kind === "new" ? ms : ms / 2) },
  };
  const [command, own] = {
    keep: ["requests", { mode: "keep", connections: CONNECTIONS }] as const,
    new: ["requests", { mode: "new", connections: CONNECTIONS }] as const,
    forth: ["packets", { direction: "forth" }] as const,
    back: ["packets", { direction: "back" }] as const,
    first: ["first", { flows: FLOWS, "source-port": FIRST_PORT + (round % MOST_ROUNDS) * FLOWS }] as const,
  }[kind];
  return [command, ...Object.entries({ ...common, ...own }).map(([name, value]) => `${name}=${value}`)];
}
