/**
 * Finds out whether packets of full size, and IPv6 multicast, reach other nodes: networks lose the one where an MTU is
 * too small and ICMP is filtered, and the other where a switch snoops MLD and has no querier. Each node asks three others
 * every two seconds, so that each is asked by three; what is lost is asked for again at once, so that it is named within
 * five seconds. Every kernel answers by itself, so nodes of other releases can be asked, too. No pass waits for it.
 */
import { FAMILIES, type Family } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { SocketError } from "#speaker/native/socket.ts";
import type { Trouble } from "../apply.ts";
import { NotedTrouble } from "../noted-trouble.ts";
import { type Asker, openAsker } from "./sockets.ts";
import { type Answer, type Kind, PathTally } from "./tally.ts";

export type PathTrouble = Trouble<"LargePacketsLost" | "MulticastLost">;

/** A node to ask. */
export interface PathPeer {
  readonly name: string;
  readonly addresses: Readonly<Partial<Record<Family, string>>>;
}

/** The kernel's way to an address. */
export interface Way {
  /** The largest packet that it lets through as far as the kernel knows. */
  readonly mtu: number;
  /** The link, where the address is on that link itself; undefined: it is behind a router. */
  readonly link?: { readonly index: number; readonly hardware: Uint8Array };
}

export interface PathProbeOptions {
  readonly clock: Pick<Clock, "sleep">;
  readonly random: Pick<Random, "number">;
  readonly log: Logger;
  /** Whom to ask now. */
  readonly peers: () => readonly PathPeer[];
  /** undefined: there is none. */
  readonly wayTo: (address: string) => Way | undefined;
  /** The trouble came, changed or went. */
  readonly onChange: () => void;
}

const ROUND_MS = 2_000;
/** An answer takes less in any network that nodes share. */
const ANSWER_MS = 400;
/** A packet that every network carries: 28 bytes of headers and some. */
const SMALL_BYTES = 64;
/** Larger ones are no Ethernet's. */
const MAX_BYTES = 9_216;

const WORDS = {
  here: "the network between nodes loses packets",
  gone: "what this node sends to others reaches them again",
  unseen: "ways to other nodes are not looked at",
};

interface Asked {
  readonly node: string;
  readonly address: string;
  readonly kind: Kind;
  readonly bytes: number;
  readonly small: number;
  /** Of a large packet. */
  readonly sequence?: number;
}

export class PathProbe {
  readonly #options: PathProbeOptions;
  readonly #tally = new PathTally();
  readonly #askers = new Map<Family, Asker>();
  readonly #identifier: number;
  readonly #noted: NotedTrouble<PathTrouble["reason"]>;
  #sequence = 0;
  #echoes = new Set<number>();
  #advertised = new Set<string>();

  constructor(options: PathProbeOptions) {
    this.#options = options;
    this.#noted = new NotedTrouble({ ...options, words: WORDS });
    this.#identifier = Math.floor(options.random.number() * 0x1_0000);
  }

  /** undefined: nothing is lost, or nobody knows. */
  get trouble(): PathTrouble | undefined {
    return this.#noted.current;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const asked = this.#ask();
      await clock.sleep(ANSWER_MS, signal);
      if (signal.aborted) break;
      this.#judge(asked);
      if (!this.#tally.isInDoubt) await clock.sleep(ROUND_MS - ANSWER_MS, signal);
    }
    this.#close();
  }

  #ask(): Asked[] {
    this.#echoes = new Set();
    this.#advertised = new Set();
    try {
      const asked = this.#options
        .peers()
        .flatMap(({ name, addresses }) =>
          FAMILIES.flatMap((family) => this.#askAddress(name, family, addresses[family])),
        );
      this.#noted.looked();
      return asked;
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      this.#noted.failed(error);
      this.#close();
      return [];
    }
  }

  #askAddress(node: string, family: Family, address: string | undefined): Asked[] {
    const way = address === undefined ? undefined : this.#options.wayTo(address);
    if (address === undefined || way === undefined) return [];
    const asker = this.#asker(family);
    const bytes = Math.min(way.mtu, MAX_BYTES);
    const [small, large] = [this.#next(), this.#next()];
    try {
      asker.echo({ to: address, sequence: small, bytes: SMALL_BYTES });
      asker.echo({ to: address, sequence: large, bytes });
      const asked: Asked = { node, address, kind: "large", bytes, small, sequence: large };
      if (family === "IPv4" || way.link === undefined) return [asked];
      asker.solicit({ target: address, link: way.link });
      return [asked, { node, address, kind: "multicast", bytes, small }];
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      // ENETUNREACH, EPERM by a firewall's output chain, EMSGSIZE where the path MTU has just been learnt.
      this.#options.log.debug("a way to another node was not looked at", {
        address,
        error: errorText(error),
      });
      return [];
    }
  }

  #asker(family: Family): Asker {
    const open = this.#askers.get(family);
    if (open !== undefined) return open;
    const asker = openAsker(family, this.#identifier, {
      onEcho: (sequence) => void this.#echoes.add(sequence),
      onAdvertised: (address) => void this.#advertised.add(address),
    });
    this.#askers.set(family, asker);
    return asker;
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return this.#sequence;
  }

  #judge(asked: readonly Asked[]): void {
    const answering = new Set(asked.filter(({ small }) => this.#echoes.has(small)).map(({ node }) => node));
    const answers = asked.map(({ small, sequence, ...question }): Answer => {
      const isLarge = sequence !== undefined;
      return {
        ...question,
        // Where questions by multicast are lost, nothing of IPv6 may arrive: that IPv4 does is enough to say so.
        hasSmall: isLarge ? this.#echoes.has(small) : answering.has(question.node),
        has: isLarge ? this.#echoes.has(sequence) : this.#advertised.has(question.address),
      };
    });
    this.#tally.see(answers);
    this.#noted.set(this.#tally.trouble);
  }

  #close(): void {
    for (const asker of this.#askers.values()) asker.close();
    this.#askers.clear();
  }
}
