/**
 * Looks at what the node's administrator, or the network's load, can put in the way, and that no part of ours is told of:
 * a full table of tracked connections, a strict reverse path filter, a clock that was set. It looks every two seconds, in
 * a loop of its own, at five small files; no pass waits for it.
 */
import type { Clock } from "#common/clock.ts";
import type { Logger } from "#common/log.ts";
import type { Trouble } from "#speaker/apply.ts";
import { gravest } from "#speaker/gravest.ts";
import { NotedTrouble } from "#speaker/noted-trouble.ts";
import { conntrackDrops, conntrackTrouble } from "./conntrack.ts";
import { Drops } from "./drops.ts";
import { GROWN, isStrict, reversePathDrops, reversePathTrouble } from "./reverse-path.ts";
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
const WORDS = {
  here: "something on the node is in the way",
  gone: "nothing on the node is in the way any more",
  unseen: "the node is not looked at",
};

export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #conntrackDrops = new Drops({ grown: 1 });
  readonly #reversePathDrops = new Drops({ grown: GROWN });
  readonly #wallClock = new WallClock();
  readonly #noted: NotedTrouble<HostTrouble["reason"]>;
  #isFull = false;

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#noted = new NotedTrouble({ ...options, words: WORDS });
  }

  /** The gravest; its message has the others, too. undefined: none was seen. */
  get trouble(): HostTrouble | undefined {
    return this.#noted.current;
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
      this.#noted.set(gravest(this.#found()));
      this.#noted.looked();
    } catch (error) {
      // A file that cannot be read says nothing about the node, and must not end the speaker.
      this.#noted.failed(error);
    }
  }

  #found(): HostTrouble[] {
    const { clock, read } = this.#options;
    const hadNoRoom = this.#conntrackDrops.see(conntrackDrops(read("net/stat/nf_conntrack") ?? ""));
    const full = conntrackTrouble(this.#conntrack(), { isDropping: hadNoRoom, wasFull: this.#isFull });
    this.#isFull = full !== undefined;
    const isFiltering = this.#reversePathDrops.see(reversePathDrops(read("net/netstat") ?? ""));
    const reversePath = isFiltering ? reversePathTrouble(this.#strictLinks()) : undefined;
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
}
