/**
 * All sessions of the node: which packet is whose (RFC 5880 section 6.3), who is due, what becomes of the list of peers.
 * Sockets and time are given, so that it runs in the worker and in tests alike.
 */
import { familyOf } from "#api/address.ts";
import type { Random } from "#common/random.ts";
import type { Datagram } from "#speaker/native/datagram.ts";
import type { Admitted } from "./admission.ts";
import { Entry, type EntryIo, isSamePath, type PathPeer } from "./entry.ts";
import type { FloorPolicy } from "./floor.ts";
import type { FromBfdWorker } from "./messages.ts";
import { decodeControl, emptyPacket } from "./packet.ts";
import { MOST_LATENESS_MS, Punctuality } from "./punctuality.ts";
import type { BfdPeer, BfdScheduling } from "./types.ts";

/** Sessions that one thread is asked to hold at most. */
export const SESSIONS_MAX = 256;
/** How often what a peer changed is told. */
const SLOW_MS = 1_000;
/** How often failed sockets are tried again, links and neighbours looked up, and counters told: every so many times. */
const LOOKUP_TURNS = 5;
/** When AdminDown is said again, milliseconds after the first time: one packet may be lost. */
const REPEAT_MS: readonly number[] = [40, 80];
const LEAVE_MS = 120;

export interface EngineIo extends EntryIo {
  /** Wakes the engine (`wake`) once, in `ms`; replaces what was armed. */
  arm(ms: number): void;
  /** After what already waits in sockets could be seen. */
  defer(fn: () => void): void;
  /** Hands everything that waits in the sockets to `receive`. */
  drain(): void;
  after(ms: number, fn: () => void): void;
  /** The address is on a network of one of this node's links. */
  isConnected(address: string): boolean;
  /** Has the port of each kind of session open that is wanted, and no other; why not, by kind. */
  listen(kinds: ReadonlySet<ListenerKind>): ReadonlyMap<ListenerKind, string>;
  /** From now on each of these ports hears nobody else. */
  admit(admitted: ReadonlyMap<ListenerKind, Admitted>): void;
  post(message: FromBfdWorker): void;
}

export type ListenerKind = "single-IPv4" | "single-IPv6" | "multi-IPv4" | "multi-IPv6";
const kindOf = ({ multihop, address }: Pick<PathPeer, "multihop" | "address">): ListenerKind =>
  `${multihop ? "multi" : "single"}-${familyOf(address)}`;
/** Whoever is asked for one hop may speak over several, or the other way round: that is heard, and said. */
const kindsOf = (peers: readonly PathPeer[]): ReadonlySet<ListenerKind> =>
  new Set(peers.flatMap((peer) => [kindOf(peer), kindOf({ ...peer, multihop: !peer.multihop })]));

export interface EngineOptions {
  readonly io: EngineIo;
  readonly random: Random;
  readonly scheduling: BfdScheduling;
  readonly policy: FloorPolicy;
}

/** GTSM: one hop only (RFC 5881 section 5). */
const NO_HOP_BETWEEN = 255;

export class Engine {
  readonly #options: EngineOptions;
  readonly #io: EngineIo;
  readonly #packet = emptyPacket();
  readonly #entries = new Map<string, Entry>();
  /** The same, for the loop over all of them: no iterator a packet. */
  #list: readonly Entry[] = [];
  /**
   * When each of `#list` is due. Kept here, since a number that a method gives is a new object on the heap: 64 of them
   * at each wakeup were megabytes a second, and a collection of garbage waits for threads of the ordinary class.
   */
  #dues = new Float64Array(0);
  readonly #byDiscriminator = new Map<number, Entry>();
  readonly #discards: Record<string, number> = {};
  #armedFor = Number.POSITIVE_INFINITY;
  readonly #punctuality: Punctuality;
  /** Milliseconds that packets may be late. */
  #lateness: number = MOST_LATENESS_MS;
  #slowDue: number;
  #slowTurn = 0;
  #wanted: readonly BfdPeer[] = [];
  #isJudging = false;
  #isLeaving = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#io = options.io;
    this.#slowDue = this.#io.now() + SLOW_MS;
    this.#punctuality = new Punctuality(this.#io.now());
  }

  /** The whole list: sessions whose path stays are not disturbed. */
  reconcile(wantedPeers: readonly BfdPeer[]): void {
    this.#wanted = wantedPeers;
    const peers = wantedPeers.map((peer) => this.#placed(peer));
    const wanted = new Map(peers.map((peer) => [peer.key, peer]));
    for (const [key, entry] of this.#entries) {
      const peer = wanted.get(key);
      if (peer === undefined || !isSamePath(peer, entry.peer)) this.#remove(entry);
    }
    const kinds = kindsOf(peers);
    const problems = this.#io.listen(kinds);
    for (const peer of peers) {
      const known = this.#entries.get(peer.key);
      if (known === undefined) this.#add(peer);
      else known.configure(peer);
    }
    this.#open(problems);
    this.#io.admit(new Map([...kinds].map((kind) => [kind, this.#admitted(kind)])));
    this.#report();
    this.#rearm();
  }

  /** A datagram to one of our ports; `datagram` is valid for this call only. */
  receive(isMultihop: boolean, datagram: Datagram): void {
    const entry = this.#receiverOf(isMultihop, datagram);
    if (entry === undefined) return;
    entry.receive(this.#packet, datagram.link);
    const due = entry.due;
    this.#dues[entry.slot] = due;
    if (due < this.#armedFor) this.#arm(due);
  }

  /** One of our echo packets, by the discriminator in it. */
  receiveEcho(discriminator: number): void {
    this.#byDiscriminator.get(discriminator)?.receiveEcho();
    this.#rearm();
  }

  /** What is due is sent; who is silent is judged after one more look at the sockets. */
  wake(): void {
    const now = this.#io.now();
    if (now > this.#armedFor) this.#punctuality.note(now - this.#armedFor, now);
    let isAnySilent = false;
    let next = this.#slowDue;
    for (let at = 0; at < this.#list.length; at++) {
      let due = this.#dues[at] ?? 0;
      if (due <= now) {
        const entry = this.#list[at];
        if (entry === undefined) continue;
        entry.tick(now);
        if (entry.isSilent(now)) isAnySilent = true;
        due = entry.due;
        this.#dues[at] = due;
      }
      if (due < next) next = due;
    }
    this.#arm(next);
    if (isAnySilent && !this.#isJudging) this.#judgeLater();
    if (now >= this.#slowDue) {
      this.#limit(now);
      this.#slow(now);
      this.#rearm();
    }
  }

  /** Says AdminDown to every peer; `done` runs when it was said often enough. */
  adminDown(done: () => void): void {
    this.#isLeaving = true;
    for (const entry of this.#list) entry.leave();
    for (const ms of REPEAT_MS) {
      this.#io.after(ms, () => {
        for (const entry of this.#list) entry.repeat();
      });
    }
    this.#io.after(this.#list.length === 0 ? 0 : LEAVE_MS, () => {
      this.#report();
      done();
    });
  }

  close(): void {
    for (const entry of this.#list) entry.close();
    this.#entries.clear();
    this.#setList();
    this.#byDiscriminator.clear();
    this.#io.listen(new Set());
  }

  /** Whose valid packet this is, decoded into `#packet`. */
  #receiverOf(isMultihop: boolean, datagram: Datagram): Entry | undefined {
    const fault = decodeControl(datagram.payload, datagram.length, this.#packet);
    if (fault !== undefined) return this.#discard(fault);
    if (!isMultihop && datagram.hops !== NO_HOP_BETWEEN) return this.#discard("Hops");
    const entry = this.#entryFor(isMultihop, datagram);
    if (entry === undefined) {
      this.#noteDistance(isMultihop, datagram);
      return this.#discard("NoSession");
    }
    return datagram.hops < entry.minimumTtl ? this.#discard("Hops") : entry;
  }

  /** Section 6.3: by our discriminator alone; a peer that does not know it yet by its address. */
  #entryFor(isMultihop: boolean, { from, link }: Datagram): Entry | undefined {
    if (this.#packet.yourDiscriminator !== 0) {
      const entry = this.#byDiscriminator.get(this.#packet.yourDiscriminator);
      return entry?.peer.multihop === isMultihop ? entry : undefined;
    }
    for (let at = 0; at < this.#list.length; at++) {
      const entry = this.#list[at];
      if (entry?.peer.multihop === isMultihop && entry.isFrom(from, link)) return entry;
    }
    return undefined;
  }

  /** Who speaks over another distance does not hear us, and so knows no discriminator of ours. */
  #noteDistance(isMultihop: boolean, { from, link }: Datagram): void {
    if (this.#packet.yourDiscriminator !== 0) return;
    for (let at = 0; at < this.#list.length; at++) {
      const entry = this.#list[at];
      if (entry?.peer.multihop === !isMultihop && entry.isFrom(from, link)) entry.hearOtherDistance();
    }
  }

  #discard(reason: string): undefined {
    this.#discards[reason] = (this.#discards[reason] ?? 0) + 1;
    return undefined;
  }

  /** Packets may wait that came in time while this thread did not run. */
  #judgeLater(): void {
    this.#isJudging = true;
    this.#io.defer(() => {
      this.#isJudging = false;
      this.#io.drain();
      const now = this.#io.now();
      for (const entry of this.#list) if (entry.isSilent(now)) entry.judge(now);
      this.#rearm();
    });
  }

  /**
   * Where the node cannot know how far away the peer is, its networks say so. A link without a carrier has none; a session
   * that is up keeps its path then, until its detection time is over: its loss has to be told, and not to begin anew.
   */
  #placed(peer: BfdPeer): PathPeer {
    const { multihop } = peer;
    if (multihop !== "unlessConnected") return { ...peer, multihop };
    const known = this.#entries.get(peer.key);
    if (known?.isUp === true) {
      const same = { ...peer, multihop: known.peer.multihop };
      if (isSamePath(same, known.peer)) return same;
    }
    return { ...peer, multihop: !this.#io.isConnected(peer.address) };
  }

  #add(peer: PathPeer): void {
    const rival = this.#list.find((entry) => isSamePath({ ...peer, key: entry.peer.key }, entry.peer));
    const { scheduling, policy, random } = this.#options;
    const entry = new Entry({
      peer,
      scheduling,
      policy,
      lateness: () => this.#lateness,
      random,
      io: this.#io,
      post: (message) => this.#io.post(message),
    });
    if (rival !== undefined) entry.refuse(`${rival.peer.key} has a session with ${peer.address} already`);
    else if (this.#list.length >= SESSIONS_MAX) entry.refuse(`there are ${SESSIONS_MAX} sessions already`);
    this.#entries.set(peer.key, entry);
    this.#setList();
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.peer.key);
    this.#setList();
    this.#byDiscriminator.delete(entry.discriminator);
    entry.leave();
    for (const ms of REPEAT_MS) this.#io.after(ms, () => entry.repeat());
    this.#io.after(LEAVE_MS, () => entry.close());
  }

  #admitted(kind: ListenerKind): Admitted {
    const entries = this.#list.filter(({ discriminator }) => discriminator !== 0);
    const own = entries.filter(({ peer }) => kindOf(peer) === kind);
    const heard = entries.filter(({ peer }) => kindsOf([peer]).has(kind));
    return {
      discriminators: own.map(({ discriminator }) => discriminator),
      addresses: [...new Set(heard.map(({ peer }) => peer.address))],
      minimumTtl: kind.startsWith("single")
        ? NO_HOP_BETWEEN
        : Math.min(NO_HOP_BETWEEN, ...heard.map(({ minimumTtl }) => minimumTtl)),
    };
  }

  #open(problems: ReadonlyMap<ListenerKind, string>): void {
    this.#byDiscriminator.clear();
    for (const entry of this.#list) {
      if (entry.discriminator !== 0) this.#byDiscriminator.set(entry.discriminator, entry);
    }
    for (const entry of this.#list) {
      const problem = problems.get(kindOf(entry.peer));
      entry.open(problem, () => this.#freeDiscriminator());
      if (entry.discriminator !== 0) this.#byDiscriminator.set(entry.discriminator, entry);
    }
  }

  /** Hard to guess, unique, and within 31 bits, which JavaScript keeps as a small integer. */
  #freeDiscriminator(): number {
    for (;;) {
      const bytes = Buffer.from(this.#options.random.bytes(4));
      const discriminator = bytes.readUInt32BE(0) & 0x7fffffff;
      if (discriminator !== 0 && !this.#byDiscriminator.has(discriminator)) return discriminator;
    }
  }

  /** A session that stands is told other timers by a poll, and does not fall for it. */
  #limit(now: number): void {
    const lateness = this.#punctuality.allowance(now);
    if (lateness === this.#lateness) return;
    this.#lateness = lateness;
    if (this.#options.scheduling.class !== "normal") return;
    for (const entry of this.#list) entry.limit();
    this.#report();
  }

  #slow(now: number): void {
    this.#slowDue = now + SLOW_MS;
    this.#slowTurn = (this.#slowTurn + 1) % LOOKUP_TURNS;
    const isLookup = this.#slowTurn === 0;
    // A link's networks may be others by now; for the rest it looks up what sessions need.
    if (isLookup && !this.#isLeaving) this.reconcile(this.#wanted);
    else if (this.#list.some((entry) => entry.hasNews)) this.#report();
  }

  #report(): void {
    const reports = this.#list.map((entry) => entry.report());
    this.#io.post({ type: "reports", reports, discards: { ...this.#discards } });
  }

  #setList(): void {
    this.#list = [...this.#entries.values()];
    this.#dues = new Float64Array(this.#list.length);
    this.#list.forEach((entry, slot) => {
      entry.slot = slot;
    });
  }

  /** After more than one session has changed. */
  #rearm(): void {
    let next = this.#slowDue;
    this.#list.forEach((entry, slot) => {
      const { due } = entry;
      this.#dues[slot] = due;
      if (due < next) next = due;
    });
    this.#arm(next);
  }

  #arm(due: number): void {
    this.#armedFor = due;
    this.#io.arm(due - this.#io.now());
  }
}
