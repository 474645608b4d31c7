/** The console's own server, on a cluster of 5,000 Services that is made up; everybody may see it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lease, node, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";
import { silentLogger } from "#common/log.ts";
import { createMetrics } from "#common/metrics.ts";
import { Facts } from "#console/facts.ts";
import { KINDS } from "#console/kinds.ts";
import { serveConsole } from "#console/serve.ts";
import { bundlePage } from "#hack/images/page.ts";

export const SERVICES = 5_000;
const NODES = 20;
/** The name of a Service whose only pod is not ready. */
export const BROKEN = "default/web-4321";
/** What a tenant may write into a name of a port's error, a reason or a message. */
const SCRIPT = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

/** A Service for which most comes in, and how many bytes a second. */
export const BUSIEST = "default/web-77";

/** `at`: when the cluster was so, in seconds after the beginning. */
function facts(bytesPerSecond: number, at: number): Facts {
  const numbers = Array.from({ length: NODES }, (_, at) => at + 1);
  const services = Array.from({ length: SERVICES }, (_, at) =>
    service(`web-${at}`, `10.64.${at >> 8}.${at & 255}`, at + 1),
  );
  const slices = services.map(({ metadata: { name } }, at) => {
    const address = `10.1.${at >> 8}.${at & 255}`;
    return slice(name, { [address]: `n${(at % NODES) + 1}` }, `default/${name}` === BROKEN ? [address] : []);
  });
  const parts = {
    pools: [pool("big", { addresses: ["10.64.0.0/16"] })],
    nodes: numbers.map((number) => node(number)),
    leases: numbers.map((number) => lease(number)),
    services,
    slices,
  };
  // Every speaker reports what all of them work out.
  const owned = Map.groupBy(new Facts(snapshot(parts)).owners, ({ nodes: [owner = ""] }) => owner);
  const speakers = numbers.map((number) => {
    const own = owned.get(`n${number}`) ?? [];
    const session = { peer: "spine", address: "192.0.2.1", lastError: SCRIPT };
    return {
      metadata: { name: `n${number}`, namespace: "genkan-system" },
      status: {
        bgpSessions: [{ ...session, state: number === 7 ? "Active" : "Established" }],
        addresses: own.map(({ address, services: [first] }) => ({
          ...{ address, service: first, since: "2026-01-01T00:00:30Z" },
          reason: "nobody had it before",
        })),
        ownedCount: own.length,
        traffic: trafficOf(
          own.flatMap(({ services: keys }) => keys),
          bytesPerSecond,
        ),
      },
    };
  });
  const shown = snapshot({ ...parts, speakers });
  return new Facts({ ...shown, at: new Date(shown.at.getTime() + at * 1_000) });
}

/** Of a node: fifty of its Services, the busiest first. */
function trafficOf(services: readonly string[], bytesPerSecond: number) {
  const rates = (bytes: number) => ({
    ...{ connectionsPerMinute: 60, packetsPerSecond: Math.ceil(bytes / 100), bytesPerSecond: bytes },
  });
  const busy = services.toSorted((a, b) => Number(b === BUSIEST) - Number(a === BUSIEST)).slice(0, 50);
  return {
    ...{ ...rates(1_000_000), busyServices: services.length },
    services: busy.map((key) => ({ service: key, ...rates(key === BUSIEST ? bytesPerSecond : 1_000) })),
  };
}

export class LargeConsole implements AsyncDisposable {
  readonly url: string;
  /** What the cluster is from now on: what comes in for BUSIEST, and how long after the beginning. */
  readonly change: (bytesPerSecond: number, at: number) => void;
  readonly #close: () => Promise<void>;

  private constructor(
    url: string,
    { change, close }: Pick<LargeConsole, "change"> & { close: () => Promise<void> },
  ) {
    this.url = url;
    this.change = change;
    this.#close = close;
  }

  static async start(): Promise<LargeConsole> {
    const directory = await mkdtemp(join(tmpdir(), "genkan-console-"));
    await bundlePage(directory);
    let shown = facts(2_500_000, 0);
    const server = await serveConsole(
      {
        port: 0,
        log: silentLogger,
        metrics: createMetrics({ role: "controller", version: "test" }),
        namespace: "genkan-system",
        directory,
        facts: { current: async () => shown },
        visitors: { admit: async () => ({ name: "somebody", may: new Set(KINDS) }) },
      },
      new AbortController().signal,
    );
    return new LargeConsole(`http://localhost:${server.port}/`, {
      change: (bytesPerSecond, at) => {
        shown = facts(bytesPerSecond, at);
      },
      close: async () => {
        await server.close();
        await rm(directory, { recursive: true, force: true });
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
