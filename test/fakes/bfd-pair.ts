/** Two ends of BFD on one FakeClock, joined by a wire that can be cut: real engines, no sockets. */
import type { Admitted } from "#speaker/bfd/admission.ts";
import { Engine, type EngineIo, type ListenerKind } from "#speaker/bfd/engine.ts";
import type { FloorPolicy } from "#speaker/bfd/floor.ts";
import type { FromBfdWorker } from "#speaker/bfd/messages.ts";
import type { BfdChange, BfdPeer, BfdReport, BfdScheduling } from "#speaker/bfd/types.ts";
import type { Datagram } from "#speaker/native/datagram.ts";
import { sockaddr } from "#speaker/native/sockaddr.ts";
import { PROFILE } from "#test/bfd/profile.ts";
import type { FakeClock } from "#test/fakes/clock.ts";
import { fakeRandom } from "#test/fakes/random.ts";

const LATENCY_MS = 1;

export interface EndOptions {
  readonly clock: FakeClock;
  readonly address: string;
  readonly seed: number;
  readonly scheduling?: BfdScheduling;
  readonly policy?: FloorPolicy;
}

export class End {
  readonly changes: BfdChange[] = [];
  readonly sent: { readonly at: number; readonly bytes: Buffer }[] = [];
  readonly engine: Engine;
  readonly address: string;
  reports: readonly BfdReport[] = [];
  discards: Readonly<Record<string, number>> = {};
  /** What leaves goes here. */
  deliver: (bytes: Buffer, isMultihop: boolean) => void = () => {};
  /** Packets that wait in the socket while the thread does not run. */
  readonly socket: (readonly [isMultihop: boolean, datagram: Datagram])[] = [];
  isStalled = false;
  /** How late its thread wakes up. */
  lateMs = 0.01;
  hops = 255;
  /** Addresses on networks of its own. */
  readonly connected = new Set<string>();
  wireProblem: string | undefined;
  readonly listening = new Set<string>();
  /** Whom the kernel would let in. */
  admitted: ReadonlyMap<ListenerKind, Admitted> = new Map();
  readonly #clock: FakeClock;
  #cancel: () => void = () => {};

  constructor({ clock, address, seed, scheduling = { class: "fifo" }, policy = "raise" }: EndOptions) {
    this.#clock = clock;
    this.address = address;
    const random = fakeRandom(seed);
    this.engine = new Engine({ io: this.#io(), random, scheduling, policy });
  }

  /** A packet of the other end arrives, on the port for several hops or for one. */
  arrive(bytes: Buffer, from: string, more: Partial<Datagram> = {}, isMultihop = false): void {
    const family = from.includes(":") ? "IPv6" : "IPv4";
    const sender = sockaddr({ family, address: from, port: 50_000 });
    const datagram = {
      payload: bytes,
      from: sender,
      length: bytes.length,
      hops: this.hops,
      link: 2,
      ...more,
    };
    if (this.listening.has(`${isMultihop ? "multi" : "single"}-${family}`)) {
      this.socket.push([isMultihop, datagram]);
    }
    if (!this.isStalled) this.drain();
  }

  drain(): void {
    for (const [isMultihop, datagram] of this.socket.splice(0)) this.engine.receive(isMultihop, datagram);
  }

  report(key: string): BfdReport {
    const report = this.reports.find((one) => one.key === key);
    if (report === undefined) throw new Error(`no report of ${key}`);
    return report;
  }

  #io(): EngineIo {
    return {
      now: () => this.#clock.now(),
      date: () => this.#clock.date(),
      arm: (ms) => {
        this.#cancel();
        // A real timer is never early and always a little late; time stands still here otherwise.
        this.#cancel = this.#clock.after(Math.max(ms, 0) + this.lateMs, () => this.engine.wake());
      },
      defer: (fn) => void this.#clock.after(0, fn),
      after: (ms, fn) => void this.#clock.after(ms, fn),
      drain: () => this.drain(),
      listen: (kinds) => {
        this.listening.clear();
        for (const kind of kinds) this.listening.add(kind);
        return new Map();
      },
      admit: (admitted) => {
        this.admitted = admitted;
      },
      openWire: ({ multihop }) => {
        if (this.wireProblem !== undefined) throw new Error(this.wireProblem);
        return { send: (packet) => this.#send(packet, multihop), close: () => {} };
      },
      openEcho: () => undefined,
      loopsEcho: () => true,
      linkIndex: () => 2,
      isConnected: (address) => this.connected.has(address),
      post: (message) => this.#told(message),
    };
  }

  #send(packet: Buffer, isMultihop: boolean): boolean {
    const bytes = Buffer.from(packet);
    this.sent.push({ at: this.#clock.now(), bytes });
    this.#clock.after(LATENCY_MS, () => this.deliver(bytes, isMultihop));
    return true;
  }

  #told(message: FromBfdWorker): void {
    if (message.type === "change") this.changes.push(message.change);
    if (message.type === "reports") {
      this.reports = message.reports;
      this.discards = message.discards;
    }
  }
}

/** Joins the two; returns the cable: false cuts it, both ways. */
export function join(a: End, b: End): { isIn: boolean } {
  const cable = { isIn: true };
  a.deliver = (bytes, isMultihop) => cable.isIn && b.arrive(bytes, a.address, {}, isMultihop);
  b.deliver = (bytes, isMultihop) => cable.isIn && a.arrive(bytes, b.address, {}, isMultihop);
  return cable;
}

export const peerOf = (address: string, more: Partial<BfdPeer["profile"]> = {}): BfdPeer => ({
  key: "peer",
  address,
  multihop: false,
  profile: { ...PROFILE, ...more },
});
