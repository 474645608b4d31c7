/**
 * Looks at what the node's administrator, or the network's load, can put in the way, and that no part of ours is told of:
 * a full table of tracked connections, a strict reverse path filter, a clock that was set. It looks every two seconds, in
 * a loop of its own, at four small files; no pass waits for it.
 */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Trouble } from "#speaker/apply.ts";
import { gravest } from "#speaker/gravest.ts";
import { conntrackTrouble } from "./conntrack.ts";
import { isStrict, ReversePath, reversePathDrops, reversePathTrouble } from "./reverse-path.ts";
import { WallClock } from "./wall-clock.ts";

export type HostTrouble = Trouble<"ConntrackFull" | "ReversePathDrops" | "ClockJumped">;

export interface HostWatchOptions {
  readonly clock: Pick<Clock, "now" | "date" | "sleep">;
  readonly log: Logger;
  /** A file below /proc; undefined: there is none. */
  readonly read: (path: string) => string | undefined;
  /** Links of this node that have an address. */
  readonly links: () => readonly string[];
  /** The trouble came, changed or went. */
  readonly onChange: () => void;
}

const LOOK_MS = 2_000;

export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #reversePath = new ReversePath();
  readonly #wallClock = new WallClock();
  #isFull = false;
  #trouble: HostTrouble | undefined;
  #saidFailure = "";

  constructor(options: HostWatchOptions) {
    this.#options = options;
  }

  /** The gravest; its message has the others, too. undefined: none was seen. */
  get trouble(): HostTrouble | undefined {
    return this.#trouble;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.look();
      await this.#options.clock.sleep(LOOK_MS, signal);
    }
  }

  look(): void {
    try {
      this.#set(this.#found());
      this.#saidFailure = "";
    } catch (error) {
      // A file that cannot be read says nothing about the node, and must not end the speaker.
      const text = errorText(error);
      if (text !== this.#saidFailure) this.#options.log.warn("the node is not looked at", { error: text });
      this.#saidFailure = text;
    }
  }

  #found(): HostTrouble[] {
    const { clock } = this.#options;
    const full = conntrackTrouble(this.#conntrack(), this.#isFull);
    this.#isFull = full !== undefined;
    const isDropping = this.#reversePath.see(reversePathDrops(this.#options.read("net/netstat") ?? ""));
    const reversePath = isDropping ? reversePathTrouble(this.#strictLinks()) : undefined;
    const jump = this.#wallClock.see(clock.date().getTime(), clock.now());
    return [full, reversePath, jump].filter((one) => one !== undefined);
  }

  #conntrack(): { count: number; max: number } | undefined {
    const [count, max] = ["count", "max"].map((name) =>
      this.#options.read(`sys/net/netfilter/nf_conntrack_${name}`),
    );
    return count === undefined || max === undefined ? undefined : { count: Number(count), max: Number(max) };
  }

  #strictLinks(): string[] {
    const filterOf = (name: string): string | undefined =>
      this.#options.read(`sys/net/ipv4/conf/${name}/rp_filter`);
    const all = filterOf("all");
    return this.#options.links().filter((link) => isStrict(all, filterOf(link)));
  }

  #set(found: readonly HostTrouble[]): void {
    const trouble = gravest(found);
    if (JSON.stringify(trouble) === JSON.stringify(this.#trouble)) return;
    this.#trouble = trouble;
    const { log, onChange } = this.#options;
    if (trouble === undefined) log.info("nothing on the node is in the way any more");
    else log.warn("something on the node is in the way", { reason: trouble.reason, why: trouble.message });
    onChange();
  }
}
