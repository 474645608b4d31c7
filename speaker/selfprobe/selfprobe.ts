/**
 * Finds out whether this node's host firewall lets through what other nodes tunnel to it. Each speaker sends a probe of
 * each kind to some others every half minute. A receiver sees it behind the firewall, on raw sockets. Only while no
 * probe comes through does it look at the links, too: a probe that is seen there and does not come through was dropped
 * on this node.
 */
import { FAMILIES, type Family } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Trouble } from "#speaker/apply.ts";
import { DEFAULT_TUNNEL, type Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { sockaddr } from "#speaker/native/sockaddr.ts";
import { SocketError } from "#speaker/native/socket.ts";
import { NotedTrouble } from "#speaker/noted-trouble.ts";
import { carry } from "./carrier.ts";
import { encodeProbe, KINDS, type Probe } from "./packet.ts";
import { LinkWatch, openReceivers, type Receivers } from "./sockets.ts";
import { type Place, Tally, THROUGH_MS } from "./tally.ts";

const ROUND_MS = 30_000;
/** Each speaker probes so many others, so that a thousand nodes do not send a million probes. */
const MAX_TARGETS = 8;
/** If no probe came through for so long, the links are looked at. */
const QUIET_MS = 75_000;

export type Addresses = Readonly<Partial<Record<Family, string>>>;

export interface SelfProbeOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Name of a link by its index. */
  readonly linkName: (index: number) => string;
  /** The trouble came, changed or went. */
  readonly onChange: () => void;
  /** Between rounds; for tests. */
  readonly roundMs?: number;
  readonly quietMs?: number;
}

interface Open {
  readonly family: Family;
  readonly address: string;
  readonly receivers: Receivers;
}

const WORDS = {
  here: "the host firewall is in the way",
  gone: "the host firewall lets through what other nodes send",
  unseen: "the host firewall is not probed",
};

export class SelfProbe {
  readonly #options: SelfProbeOptions;
  #tally = new Tally();
  #open: Open[] = [];
  #watch: LinkWatch | undefined;
  #own: Addresses = {};
  #kind: Encapsulation = DEFAULT_TUNNEL;
  #others: readonly Addresses[] = [];
  readonly #noted: NotedTrouble<"FirewallDrops">;
  #sequence = 0;
  #since: number;

  constructor(options: SelfProbeOptions) {
    this.#options = options;
    this.#noted = new NotedTrouble({ ...options, words: WORDS });
    this.#since = options.clock.now();
  }

  /** undefined: nothing is dropped, or nobody knows. */
  get trouble(): Trouble<"FirewallDrops"> | undefined {
    return this.#noted.current;
  }

  /**
   * The nodes to probe, and those that probe this one: live members without this node, in an order that is the same on
   * every node and begins after this node. `kind`: the tunnel that probes go by.
   */
  set(own: Addresses, others: readonly Addresses[], kind: Encapsulation = DEFAULT_TUNNEL): void {
    this.#others = others;
    if (JSON.stringify(own) === JSON.stringify(this.#own) && kind === this.#kind) return;
    this.#own = own;
    this.#kind = kind;
    this.#closeAll();
    this.#since = this.#options.clock.now();
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, roundMs = ROUND_MS } = this.#options;
    while (!signal.aborted) {
      this.#round();
      // A probe that was seen on a link is judged after it had time to come through, well before the next round.
      await clock.sleep(Math.min(THROUGH_MS + 100, roundMs), signal);
      this.#judge();
      await clock.sleep(Math.max(roundMs - THROUGH_MS - 100, 0), signal);
      this.#judge();
    }
    this.#closeAll();
  }

  #round(): void {
    try {
      if (this.#open.length === 0) this.#openAll();
      this.#send();
      this.#lookAtLinks();
      this.#noted.looked();
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      this.#noted.failed(error);
      this.#closeAll();
    }
  }

  #openAll(): void {
    for (const family of FAMILIES) {
      const address = this.#own[family];
      if (address === undefined) continue;
      const onProbe = (probe: Probe, place: Place): void => this.#see(probe, place);
      this.#open.push({
        family,
        address,
        receivers: openReceivers({ family, address, kind: this.#kind }, onProbe),
      });
    }
  }

  #closeAll(): void {
    for (const { receivers } of this.#open) receivers.close();
    this.#open = [];
    this.#watch?.close();
    this.#watch = undefined;
    this.#tally = new Tally(this.#kind);
    this.#noted.set(undefined);
  }

  #send(): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    for (const { family, address, receivers } of this.#open) {
      const targets = this.#others.flatMap((other) => other[family] ?? []).slice(0, MAX_TARGETS);
      for (const to of targets) {
        const way = { family, kind: this.#kind, from: address, to };
        const packets = KINDS.map((kind) =>
          carry(way, encodeProbe({ family, from: address, kind, sequence: this.#sequence }, to)),
        );
        const destination = sockaddr({ family, address: to });
        try {
          receivers.sender.send(
            packets,
            packets.map(() => destination),
          );
        } catch (error) {
          // EPERM by a firewall's output chain, ENETUNREACH: the other one hears nothing, and says nothing.
          this.#options.log.debug("a probe was not sent", { to, error: errorText(error) });
        }
      }
    }
  }

  #lookAtLinks(): void {
    const { clock, quietMs = QUIET_MS } = this.#options;
    const isProbed = ({ family }: Open): boolean => this.#others.some((other) => other[family] !== undefined);
    const isQuiet = this.#open
      .filter(isProbed)
      .some(({ family }) =>
        KINDS.some((kind) => clock.now() - (this.#tally.through(family, kind) ?? this.#since) > quietMs),
      );
    if (isQuiet) this.#watch ??= this.#openWatch();
    else {
      this.#watch?.close();
      this.#watch = undefined;
    }
  }

  #openWatch(): LinkWatch {
    return new LinkWatch(this.#kind, (probe, index) => {
      // Anybody can send a probe: only members' mean something, and filters of ours drop the others' anyway.
      if (this.#others.some((other) => other[probe.family] === probe.from))
        this.#see(probe, "link", this.#options.linkName(index));
    });
  }

  #see(probe: Probe, place: Place, link?: string): void {
    this.#tally.see(probe, place, this.#options.clock.now(), link);
    if (place === "inner") this.#judge();
  }

  #judge(): void {
    this.#noted.set(this.#tally.judge(this.#options.clock.now()));
  }
}

/** Pure: of sorted `members`, those after `own`, round the ring: everybody is somebody's. */
export function ringAfter(own: string, members: readonly string[]): string[] {
  const sorted = [...members].sort();
  return [...sorted.filter((name) => name > own), ...sorted.filter((name) => name < own)];
}
