/**
 * Members of gossip in one process, over a network that loses, delays, doubles and cuts as it is told, in a time of its
 * own. The same seed gives the same story.
 */
import { dueAt, recordsOf, startGossip, step } from "#speaker/gossip/step.ts";
import { GOSSIP_SETTINGS, type GossipSettings } from "#speaker/gossip/timing.ts";
import type { Gossip, GossipAction, GossipEvent, Peer, Told } from "#speaker/gossip/types.ts";
import { decodeMessage, type Message } from "#speaker/gossip/wire/message.ts";
import type { MemberState } from "#speaker/gossip/wire/stream.ts";
import { fakeRandom } from "#test/fakes/random.ts";

const NO_OCTETS = new Uint8Array(0);

export interface Weather {
  /** Share of datagrams that are lost. */
  loss: number;
  /** Milliseconds from here to there, evenly spread: what varies comes in another order. */
  delayMs: readonly [least: number, most: number];
  /** Share of datagrams that come twice. */
  twice: number;
  /** Nothing goes from one to the other. */
  isCut: (from: string, to: string) => boolean;
}

export interface Change {
  readonly at: number;
  /** Who thinks so. */
  readonly by: string;
  readonly name: string;
  readonly state: MemberState;
}

export interface NetworkOptions {
  readonly count: number;
  readonly seed?: number;
  readonly settings?: Partial<GossipSettings>;
}

interface Node {
  readonly gossip: Gossip;
  isRunning: boolean;
  /** Asleep until then; what comes meanwhile waits. */
  asleepUntil: number;
  /** The wake that is planned. */
  wakeAt: number;
}

export class FakeNetwork {
  readonly weather: Weather = { loss: 0, delayMs: [0.1, 1], twice: 0, isCut: () => false };
  readonly changes: Change[] = [];
  readonly peers: readonly Peer[];
  readonly #nodes = new Map<string, Node>();
  readonly #byPlace = new Map<string, string>();
  readonly #queue = new Queue();
  readonly #random;
  readonly #settings: GossipSettings;
  packets = 0;
  now = 0;
  /** The application's whole state at a member. */
  wholeOf: (name: string) => Uint8Array = () => NO_OCTETS;
  /** A member was told news of the application, or a whole state of it. */
  onTold: (name: string, told: Told) => void = () => undefined;
  onJoined: (name: string) => void = () => undefined;
  /** A member thinks otherwise of somebody. */
  onChange: (name: string) => void = () => undefined;

  constructor({ count, seed = 1, settings = {} }: NetworkOptions) {
    this.#random = fakeRandom(seed);
    this.#settings = { ...GOSSIP_SETTINGS, ...settings };
    this.peers = Array.from({ length: count }, (_, at) => ({
      name: `n${at}`,
      address: `10.0.${at >> 8}.${at & 255}`,
      port: 7946,
    }));
    for (const peer of this.peers) this.#byPlace.set(`${peer.address} ${peer.port}`, peer.name);
  }

  /** One after the other in so many milliseconds, so that they do not run in step. */
  startAll(withinMs = 1_000): void {
    for (const [at, { name }] of this.peers.entries())
      this.#at((withinMs * at) / this.peers.length, () => this.start(name));
  }

  /** Begins the life of a member, or another one. */
  start(name: string, incarnation = 1 + Math.floor(this.now)): void {
    const own = this.peers.find((peer) => peer.name === name);
    if (own === undefined) throw new Error(`no peer ${name}`);
    const settings = this.#settings;
    const random = this.#random;
    const gossip = startGossip({ own, settings, random, label: "", incarnation, now: this.now });
    this.#nodes.set(name, { gossip, isRunning: true, asleepUntil: 0, wakeAt: Number.POSITIVE_INFINITY });
    this.tell(name, { type: "peers", peers: this.peers });
  }

  /** All at once, knowing each other: what a cluster comes to after a while, without the while. */
  startJoined(): void {
    for (const { name } of this.peers) this.start(name);
    const records = this.peers.flatMap(({ name }) => recordsOf(this.gossip(name)));
    for (const { name } of this.peers) {
      const from = this.peers.find((peer) => peer.name !== name)?.address ?? "";
      const { gossip } = this.#node(name);
      step(gossip, { type: "pushPull", from, records, user: NO_OCTETS }, this.now);
      for (const peer of this.peers) gossip.broadcasts.forget(peer.name);
    }
  }

  gossip(name: string): Gossip {
    return this.#node(name).gossip;
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`${name} was never started`);
    return node;
  }

  /** Power cut. */
  kill(name: string): void {
    const node = this.#nodes.get(name);
    if (node !== undefined) node.isRunning = false;
  }

  /** SIGSTOP, and SIGCONT after so many milliseconds. */
  stall(name: string, ms: number): void {
    const node = this.#nodes.get(name);
    if (node !== undefined) node.asleepUntil = this.now + ms;
  }

  /** Something happens to a member. */
  tell(name: string, event: GossipEvent): void {
    const node = this.#nodes.get(name);
    if (node?.isRunning !== true) return;
    if (node.asleepUntil > this.now) {
      this.#at(node.asleepUntil - this.now, () => this.tell(name, event));
      return;
    }
    for (const action of step(node.gossip, event, this.now)) this.#do(name, action);
    const due = dueAt(node.gossip);
    if (due >= node.wakeAt || due === Number.POSITIVE_INFINITY) return;
    node.wakeAt = due;
    this.#at(due - this.now, () => {
      if (node.wakeAt !== due) return;
      node.wakeAt = Number.POSITIVE_INFINITY;
      this.tell(name, { type: "wake" });
    });
  }

  /** A packet as it comes from the network, whoever made it. */
  inject(to: string, from: Peer, messages: readonly Message[]): void {
    this.tell(to, { type: "packet", from, messages });
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#queue.take(end); next !== undefined; next = this.#queue.take(end)) {
      this.now = next.at;
      next.fn();
    }
    this.now = end;
  }

  /** Until it holds, in steps of 10 ms; the time that it took, undefined when it never did within `mostMs`. */
  advanceUntil(mostMs: number, holds: () => boolean): number | undefined {
    const began = this.now;
    while (!holds()) {
      if (this.now - began >= mostMs) return undefined;
      this.advance(10);
    }
    return this.now - began;
  }

  /** What `by` thinks of everybody. */
  view(by: string): Map<string, MemberState> {
    return new Map([...this.gossip(by).members.values()].map(({ name, state }) => [name, state]));
  }

  /** Every one of these thinks so of all of those. */
  agree(by: readonly string[], about: readonly string[], state: MemberState): boolean {
    return by.every((name) => {
      const { members } = this.gossip(name);
      return about.every((other) => other === name || members.get(other)?.state === state);
    });
  }

  get names(): string[] {
    return this.peers.map(({ name }) => name);
  }

  deaths(): Change[] {
    return this.changes.filter(({ state }) => state === "dead");
  }

  /** Calls it then, unless it is taken back. */
  after(ms: number, fn: () => void): () => void {
    let isTakenBack = false;
    this.#at(ms, () => {
      if (!isTakenBack) fn();
    });
    return () => {
      isTakenBack = true;
    };
  }

  #at(ms: number, fn: () => void): void {
    this.#queue.add(this.now + ms, fn);
  }

  #delay(): number {
    const [least, most] = this.weather.delayMs;
    return least + (most - least) * this.#random.number();
  }

  #do(name: string, action: GossipAction): void {
    switch (action.type) {
      case "changed":
        this.changes.push({ at: this.now, by: name, name: action.name, state: action.state });
        this.onChange(name);
        return;
      case "send":
        this.#send(name, action);
        return;
      case "pushPull":
        this.#pushPull(name, action);
        return;
      case "told":
        this.onTold(name, action);
        return;
      case "joined":
        this.onJoined(name);
        return;
    }
  }

  #send(name: string, { to, messages }: Extract<GossipAction, { type: "send" }>): void {
    this.packets += 1;
    const target = this.#byPlace.get(`${to.address} ${to.port}`);
    const from = this.gossip(name).own;
    if (target === undefined || this.weather.isCut(name, target)) return;
    const copies = this.#random.number() < this.weather.twice ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random.number() < this.weather.loss) continue;
      this.#at(this.#delay(), () =>
        this.tell(target, { type: "packet", from, messages: messages.map(decoded) }),
      );
    }
  }

  /** TCP sends again what was lost. */
  #pushPull(name: string, { to, isOfUser }: Extract<GossipAction, { type: "pushPull" }>): void {
    const target = to.name;
    const recordsFrom = (one: Gossip) => (isOfUser ? [] : recordsOf(one));
    const isCut = (): boolean => this.weather.isCut(name, target) || this.weather.isCut(target, name);
    if (isCut()) return;
    const { address } = this.gossip(name).own;
    const mine = { records: recordsFrom(this.gossip(name)), user: this.wholeOf(name) };
    this.#at(this.#delay() * 3, () => {
      const node = this.#nodes.get(target);
      if (node?.isRunning !== true || node.asleepUntil > this.now || isCut()) return;
      const theirs = { records: recordsFrom(node.gossip), user: this.wholeOf(target) };
      this.tell(target, { type: "pushPull", from: address, ...mine });
      const from = node.gossip.own.address;
      this.#at(this.#delay(), () => this.tell(name, { type: "pushPull", from, ...theirs }));
    });
  }
}

/** News is the same octets in many packets. */
const DECODED = new WeakMap<Uint8Array, Message>();

function decoded(bytes: Uint8Array): Message {
  const known = DECODED.get(bytes);
  if (known !== undefined) return known;
  const message = decodeMessage(bytes);
  DECODED.set(bytes, message);
  return message;
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A heap by time, then by order of coming. */
class Queue {
  readonly #heap: Entry[] = [];
  #order = 0;

  add(at: number, fn: () => void): void {
    this.#order += 1;
    const heap = this.#heap;
    const entry = { at, order: this.#order, fn };
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  /** The next one, if it is not after `end`. */
  take(end: number): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > end) return undefined;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      const isRight = right !== undefined && left !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !isBefore(child, last)) break;
      heap[index] = child;
      index = 2 * index + (isRight ? 2 : 1);
    }
    heap[index] = last;
    return first;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
