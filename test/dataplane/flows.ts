/** Echo servers in the pods and flows from the client, seen from the test. */
import type { Running } from "#hack/guest/channel.ts";
import type { Machine } from "#test/network/machine.ts";
import type { PodPlace, Topology } from "#test/network/three-nodes.ts";
import { until } from "#test/until.ts";

export interface FlowRequest {
  protocol: "TCP" | "UDP";
  port: number;
  targets: Array<{ address: string; flows: number; firstPort: number }>;
  intervalMs: number;
  chunkBytes: number;
}

export interface FlowState {
  address: string;
  sourcePort: number;
  /** Pods that answered this flow. */
  pods: string[];
  /** The client's address as the pods saw it. */
  clients: string[];
  echoes: number;
  /** UDP: datagrams sent. */
  sent: number;
  wrongBytes: number;
  maxGapMs: number;
  /** Time since the last echo. */
  silentMs: number;
  lastEchoAt: number;
  /** ECONNRESET, closed, ... */
  failure?: string;
}

export interface FlowReport {
  flows: FlowState[];
}

/** What a test asserts on. */
export interface FlowSummary {
  flows: number;
  /** Flows that ended: reset by the network, or closed. */
  broken: number;
  /** Flows without an echo for more than 2 s, and that did not go on when they were given time. */
  stalled: number;
  wrongBytes: number;
  /** Flows that more than one pod answered. */
  moved: number;
  pods: Record<string, number>;
  clients: string[];
  maxGapMs: number;
}

const STALL_MS = 2000;
/** A flow that is silent when it is judged gets so much time to go on: the machine may have stood still. */
const GOES_ON_MS = 20_000;
/** No more of it on a busy machine: tests that must lose flows wait for all of it. */
const GOES_ON = { deadlineMs: GOES_ON_MS, everyMs: 250, watch: async () => async () => undefined };

/** Starts an echo server in every pod, on `port`, TCP and UDP, both families. */
export async function startEchoServers(machine: Machine, topology: Topology, port: number): Promise<void> {
  await Promise.all(topology.pods.map((pod) => startEchoServer(machine, pod, port)));
}

/** Resolves when it listens. */
export async function startEchoServer(machine: Machine, pod: PodPlace, port: number): Promise<Running> {
  const lines = new Lines();
  let errors = "";
  let code: number | undefined;
  const server = machine.spawn(["node", "test/dataplane/echo-server.ts", pod.name, String(port)], {
    netns: pod.netns,
    discard: true,
    onOutput: (chunk, stream) => {
      if (stream === "stdout") lines.add(chunk);
      else errors += chunk.toString();
    },
  });
  server.done.then(
    (result) => {
      code = result.code;
    },
    () => {},
  );
  await until(
    `echo server of ${pod.name}`,
    () => {
      if (code !== undefined || errors !== "") throw new Error(`ended with ${code}: ${errors}`);
      return lines.take();
    },
    { deadlineMs: 180_000 },
  );
  return server;
}

export class Flows {
  readonly #running: Running;
  readonly #lines = new Lines();
  #errors = "";

  constructor(
    machine: Machine,
    topology: Topology,
    request: Partial<FlowRequest> & Pick<FlowRequest, "targets" | "port">,
  ) {
    const full: FlowRequest = { protocol: "TCP", intervalMs: 250, chunkBytes: 200, ...request };
    this.#running = machine.spawn(["node", "test/dataplane/flow-driver.ts", JSON.stringify(full)], {
      netns: topology.client.netns,
      discard: true,
      onOutput: (chunk, stream) => {
        if (stream === "stdout") this.#lines.add(chunk);
        else this.#errors += chunk.toString();
      },
    });
  }

  async report(): Promise<FlowReport> {
    this.#running.write("report\n");
    return this.#next();
  }

  /**
   * Waits until every flow that `isAwaited` has had `echoes` more echoes than it has now; flows that broke count as
   * done.
   */
  async progress(
    echoes: number,
    deadlineMs = 30_000,
    isAwaited: (flow: FlowState) => boolean = () => true,
  ): Promise<void> {
    const before = (await this.report()).flows.map((flow) => flow.echoes);
    await until(
      `${echoes} more echoes on every flow`,
      async () => {
        const missing = (await this.report()).flows.filter(
          (flow, index) =>
            flow.failure === undefined && isAwaited(flow) && flow.echoes < (before[index] ?? 0) + echoes,
        );
        if (missing.length === 0) return true;
        throw new Error(`${missing.length} flows lack them: ${JSON.stringify(missing.slice(0, 3))}`);
      },
      { deadlineMs, everyMs: 250 },
    );
  }

  async summary(): Promise<FlowSummary> {
    return summarise(await this.#judged());
  }

  async stop(): Promise<FlowSummary> {
    await this.#judged();
    this.#running.end();
    const report = await this.#next();
    await this.#running.done;
    return summarise(report);
  }

  /** A report in which no flow is silent; where some stay so, one that has them. */
  async #judged(): Promise<FlowReport> {
    let last = await this.report();
    const goOn = async (): Promise<boolean> => {
      last = await this.report();
      return !last.flows.some(isStalled);
    };
    if (last.flows.some(isStalled)) await until("silent flows to go on", goOn, GOES_ON).catch(() => {});
    return last;
  }

  async #next(): Promise<FlowReport> {
    const look = (): string | undefined => {
      if (this.#errors !== "") throw new Error(this.#errors);
      return this.#lines.take();
    };
    const line = await until("a report of the flow driver", look, { deadlineMs: 60_000 });
    return JSON.parse(line) as FlowReport;
  }
}

const isStalled = ({ failure, silentMs }: FlowState): boolean => failure === undefined && silentMs > STALL_MS;

function summarise(report: FlowReport): FlowSummary {
  const pods: Record<string, number> = {};
  const clients = new Set<string>();
  for (const flow of report.flows) {
    for (const pod of flow.pods) pods[pod] = (pods[pod] ?? 0) + 1;
    for (const client of flow.clients) clients.add(client);
  }
  const alive = report.flows.filter((flow) => flow.failure === undefined);
  return {
    flows: report.flows.length,
    broken: report.flows.length - alive.length,
    stalled: alive.filter(isStalled).length,
    wrongBytes: report.flows.reduce((sum, flow) => sum + flow.wrongBytes, 0),
    moved: report.flows.filter((flow) => flow.pods.length > 1).length,
    pods: Object.fromEntries(Object.entries(pods).sort()),
    clients: [...clients].sort(),
    maxGapMs: Math.max(0, ...alive.map((flow) => flow.maxGapMs)),
  };
}

/** Whole lines out of chunks of output. */
export class Lines {
  #text = "";
  readonly #lines: string[] = [];

  add(chunk: Buffer): void {
    const parts = (this.#text + chunk.toString()).split("\n");
    this.#text = parts.pop() ?? "";
    this.#lines.push(...parts);
  }

  take(): string | undefined {
    return this.#lines.shift();
  }
}
