/**
 * What the failover benchmark's first answer does not show: until when requests fail once the owner's link is cut, and which
 * part of them. Three nodes with pods under a kernel with ip_vs, each the whole way of a packet; the pods of the node that is
 * cut off are dead as well.
 */
import { systemClock } from "#common/clock.ts";
import { Lines } from "#test/dataplane/flows.ts";
import { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";
import { script } from "#test/network/machine.ts";
import { until } from "#test/until.ts";
import { spread } from "./failover-figures.ts";
import type { RequestsSeen } from "./request-client.ts";

const EVERY_MS = 20;
/** From the cut until nobody asks any more what failed. */
const WATCHED_MS = 4_000;
/** Who lost all others judges nobody until it has heard them for 5 s. */
const RESTS_MS = 8_000;
/** From the cut to the last request that failed. */
const BAR_MS = 1_200;

interface FailedRequests {
  readonly family: "IPv4" | "IPv6";
  /** Of each cut. */
  readonly lastSent: readonly number[];
  readonly lastEnded: readonly number[];
  /** Of requests that were sent between the cut and the last one that failed. */
  readonly failedPercent: number;
  /** In the seconds after the node was back. */
  readonly afterReturn: number;
}

class Client {
  readonly #process: ReturnType<IpvsNodes["machine"]["spawn"]>;
  readonly #lines = new Lines();

  constructor({ machine, topology }: IpvsNodes, vip: string) {
    this.#process = machine.spawn(["node", "test/bench/request-client.ts", vip, "80", String(EVERY_MS)], {
      netns: topology.client.netns,
      discard: true,
      onOutput: (chunk, stream) =>
        stream === "stdout" ? this.#lines.add(chunk) : console.error(chunk.toString()),
    });
  }

  /** Since it was asked last. */
  async seen(): Promise<RequestsSeen> {
    this.#process.write("\n");
    const limits = { deadlineMs: 30_000, everyMs: 20 };
    return JSON.parse(await until("what came of requests", () => this.#lines.take(), limits)) as RequestsSeen;
  }

  async end(): Promise<void> {
    this.#process.end();
    await this.#process.done;
  }
}

/** The node that the router sends to, as it found out itself. */
async function ownerOf(nodes: IpvsNodes, vip: string): Promise<string> {
  const { machine, topology } = nodes;
  const neighbour = await script(machine, `ip neigh show ${vip} dev eth0`, { netns: topology.router.netns });
  for (const name of nodes.names()) if (neighbour.includes(await nodes.hardwareOf(name))) return name;
  throw new Error(`nobody has ${vip}: ${neighbour}`);
}

/** Cuts the owner's link off and on again. */
async function cuts(nodes: IpvsNodes, family: "IPv4" | "IPv6", runs: number): Promise<FailedRequests> {
  const { machine, topology } = nodes;
  const vip = topology.vip(0)[family];
  const client = new Client(nodes, vip);
  const [lastSent, lastEnded]: [number[], number[]] = [[], []];
  let [failures, sent, afterReturn] = [0, 0, 0];
  await until("requests to be answered", async () => {
    const { answered, failed } = await client.seen();
    return answered > 0 && failed.length === 0;
  });
  for (let run = 0; run < runs; run += 1) {
    const owner = await ownerOf(nodes, vip);
    const setCable = (state: "up" | "down"): Promise<string> =>
      // The time by the clock of the machine that requests are sent from.
      script(machine, `date +%s%3N; ip -n ${topology.lan} link set ${owner} ${state}`);
    await client.seen();
    const cutAt = Number(await setCable("down"));
    await systemClock.sleep(WATCHED_MS);
    const { failed } = await client.seen();
    const last = Math.max(cutAt, ...failed.map(({ from }) => from)) - cutAt;
    lastSent.push(last);
    lastEnded.push(Math.max(cutAt, ...failed.map(({ to }) => to)) - cutAt);
    failures += failed.length;
    sent += last / EVERY_MS;
    await setCable("up");
    await systemClock.sleep(RESTS_MS);
    afterReturn += (await client.seen()).failed.length;
  }
  await client.end();
  return {
    family,
    lastSent,
    lastEnded,
    failedPercent: Math.round((100 * failures) / Math.max(sent, 1)),
    afterReturn,
  };
}

/** A row of the benchmark for each family. */
export async function requestFailures(runs: number): Promise<Readonly<Record<string, unknown>>[]> {
  await using nodes = await IpvsNodes.start();
  const rows: Readonly<Record<string, unknown>>[] = [];
  for (const family of ["IPv4", "IPv6"] as const) {
    const found = await cuts(nodes, family, runs);
    const { times_ms: _, ...figures } = spread(found.lastSent);
    rows.push({
      family,
      ...figures,
      bar: BAR_MS,
      given_up_p99_ms: spread(found.lastEnded).p99_ms,
      failed_until_then_percent: found.failedPercent,
      failed_after_the_return: found.afterReturn,
    });
  }
  return rows;
}
