/** Short connections from the client, one after the other, seen from the test. */
import type { Running } from "#hack/guest/channel.ts";
import type { Machine } from "#test/network/machine.ts";

export interface RequestPlan {
  addresses: string[];
  port: number;
  intervalMs: number;
  timeoutMs: number;
}

export interface RequestSummary {
  asked: number;
  answered: number;
  /** Why -> how often. */
  failures: Record<string, number>;
  slowestMs: number;
}

export class Requests {
  readonly #running: Running;

  /** Begins to ask from the network namespace `netns`. */
  constructor(machine: Machine, netns: string, plan: RequestPlan) {
    const argv = ["node", "test/bgp/request-driver.ts", JSON.stringify(plan)];
    this.#running = machine.spawn(argv, { netns });
  }

  async stop(): Promise<RequestSummary> {
    this.#running.end();
    const { stdout, stderr } = await this.#running.done;
    if (stderr !== "") throw new Error(stderr);
    return JSON.parse(stdout) as RequestSummary;
  }
}
