/**
 * Reads what the kernel's IPVS has counted, where `spec.serviceTraffic` asks for it, in a loop of its own: no pass waits
 * for it, and it takes a fiftieth of the thread's time at most.
 */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { Slices } from "#speaker/forwarding/slices.ts";
import type { MarkTraffic } from "#speaker/netlink/ipvs-traffic.ts";
import { Meter, type ServiceTraffic } from "./meter.ts";
import { type TrafficReport, trafficReport } from "./report.ts";

export interface Source extends Disposable {
  /** Part by part. Throws NetlinkError, DecodeError. */
  walk(): Iterable<readonly MarkTraffic[]>;
}

export interface TrafficWatchOptions {
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly log: Logger;
  /** Asked for, and this node forwards by IPVS. */
  readonly isWanted: () => boolean;
  /** How many nodes report. */
  readonly nodes: () => number;
  /** Throws SocketError. */
  readonly open: () => Source;
  /** Which Service has a mark. */
  readonly serviceOf: (mark: number) => string | undefined;
  /** undefined: nothing is measured any more. */
  readonly onReport: (report: TrafficReport | undefined) => void;
}

/** How soon it begins. */
const LOOK_MS = 2_000;
const EVERY_MS = 10_000;
/** Each reading may be a write of the node's status: all nodes together write five times a second at most. */
const EVERY_NODE_MS = 200;
const REST = 49;

export class TrafficWatch {
  readonly #options: TrafficWatchOptions;
  #meter: Meter | undefined;
  #source: Source | undefined;
  #services: readonly ServiceTraffic[] = [];

  constructor(options: TrafficWatchOptions) {
    this.#options = options;
  }

  /** As of the last reading. */
  get services(): readonly ServiceTraffic[] {
    return this.#services;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#options.clock.sleep(await this.look(), signal);
    this.#end();
  }

  /** Returns after how many milliseconds to look again. */
  async look(): Promise<number> {
    const { clock, log, isWanted, nodes, serviceOf, onReport } = this.#options;
    if (!isWanted()) {
      if (this.#meter !== undefined) onReport(undefined);
      this.#end();
      return LOOK_MS;
    }
    const beganAt = clock.now();
    const isFirst = this.#meter === undefined;
    this.#meter ??= new Meter();
    const slices = new Slices(clock);
    let worked = 0;
    try {
      this.#source ??= this.#options.open();
      const breathe = async (): Promise<void> => {
        const before = clock.now();
        await slices.breathe();
        worked -= clock.now() - before;
      };
      this.#services = await this.#meter.read(this.#source.walk(), serviceOf, { at: beganAt, breathe });
      // The first reading says only what there was before.
      if (!isFirst) onReport(trafficReport(this.#services));
    } catch (error) {
      log.warn("what Services' traffic is cannot be read", { error: errorText(error) });
      onReport(undefined);
      this.#end();
    }
    worked += clock.now() - beganAt;
    return Math.max(EVERY_MS, nodes() * EVERY_NODE_MS, worked * REST);
  }

  #end(): void {
    this.#meter = undefined;
    this.#services = [];
    this.#source?.[Symbol.dispose]();
    this.#source = undefined;
  }
}
