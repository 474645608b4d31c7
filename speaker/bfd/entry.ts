/** One peer of the list: its session, or why there is none; what is told of it. */
import { familyOf } from "#api/address.ts";
import type { Random } from "#common/random.ts";
import { parseAddress } from "#speaker/netlink/bytes.ts";
import { type FloorPolicy, limitTimers } from "./floor.ts";
import type { Session, SessionSettings } from "./fsm.ts";
import type { FromBfdWorker } from "./messages.ts";
import type { ControlPacket } from "./packet.ts";
import { BfdSession, type EchoWire, type Wire } from "./session.ts";
import { detectionTimeOf, transmitIntervalOf } from "./timing.ts";
import type { BfdChange, BfdPeer, BfdReport, BfdScheduling, BfdTimers } from "./types.ts";

/** A peer whose distance is known. */
export interface PathPeer extends BfdPeer {
  readonly multihop: boolean;
}

export interface EntryIo {
  /** Monotonic milliseconds. */
  now(): number;
  date(): Date;
  /** Throws why the session cannot send. */
  openWire(peer: PathPeer): Wire;
  /** Where echo packets leave; undefined: nowhere for now (no neighbour entry yet). */
  openEcho(peer: PathPeer, link: number, discriminator: number): (EchoWire & { close(): void }) | undefined;
  /** This node forwards IPv4, so that a peer's echo packets go back. */
  loopsEcho(): boolean;
  linkIndex(link: string): number | undefined;
}

export interface EntryOptions {
  readonly peer: PathPeer;
  readonly scheduling: BfdScheduling;
  readonly policy: FloorPolicy;
  /** Milliseconds that a packet may be late, as long as the thread is an ordinary one. */
  readonly lateness: () => number;
  readonly random: Random;
  readonly io: EntryIo;
  post(message: FromBfdWorker): void;
}

/** Another path is another session; other timers are not. */
export function isSamePath(a: PathPeer, b: PathPeer): boolean {
  return (
    a.key === b.key &&
    a.address === b.address &&
    a.sourceAddress === b.sourceAddress &&
    a.link === b.link &&
    a.multihop === b.multihop
  );
}

const MICROS = 1_000;
/** struct sockaddr_in.sin_addr, sockaddr_in6.sin6_addr */
const OFFSET = { 4: 4, 16: 8 } as const;

function distanceWords({ multihop }: Pick<PathPeer, "multihop">): string {
  const [theirs, ours] = multihop ? ["one hop", "several hops"] : ["several hops", "one hop"];
  return `the router speaks BFD over ${theirs} and this node over ${ours}: bfdMultiHop of the BGPPeer, or the router's own setting, is to be changed`;
}

export class Entry {
  readonly #options: EntryOptions;
  readonly #address: Buffer;
  #peer: PathPeer;
  #session: BfdSession | undefined;
  #echo: (EchoWire & { close(): void }) | undefined;
  #refusal: string | undefined;
  #problem: string | undefined;
  /** The peer speaks over several hops where we speak over one, or the other way round. */
  #isOtherDistance = false;
  #reportedDistance = false;
  #link: number | undefined;
  /** By which the peer was heard last. */
  #heardLink = -1;
  #since: string;
  #losses = 0;
  #isLeaving = false;
  #reported: Session | undefined;
  discriminator = 0;
  minimumTtl = 0;
  /** Its place in the engine's list. */
  slot = 0;

  constructor(options: EntryOptions) {
    this.#options = options;
    this.#peer = options.peer;
    this.#address = parseAddress(options.peer.address);
    this.#since = options.io.date().toISOString();
  }

  get peer(): PathPeer {
    return this.#peer;
  }

  /** The peer is heard, and its silence would be a loss. */
  get isUp(): boolean {
    return this.#session?.session.state === "Up";
  }

  get due(): number {
    return this.#session?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Timers or the peer's state are others than those reported. */
  get hasNews(): boolean {
    return this.#session?.session !== this.#reported || this.#isOtherDistance !== this.#reportedDistance;
  }

  /** No session, for good. */
  refuse(reason: string): void {
    this.#refusal = reason;
  }

  configure(peer: PathPeer): void {
    const { io } = this.#options;
    const isSame = JSON.stringify(peer.profile) === JSON.stringify(this.#peer.profile);
    this.#peer = peer;
    if (isSame || this.#session === undefined) return;
    const settings = this.#limited();
    if (settings === undefined) this.#drop();
    else this.#session.configure(settings, io.now());
  }

  /** The thread is more punctual now than it was, or less. */
  limit(): void {
    if (this.#session === undefined || this.#isLeaving) return;
    const settings = this.#limited();
    if (settings !== undefined) this.#session.configure(settings, this.#options.io.now());
  }

  /** Makes the session if it can be made; looks up what may have changed. Runs every few seconds. */
  open(listenerProblem: string | undefined, discriminator: () => number): void {
    const { io, random } = this.#options;
    if (this.#refusal !== undefined || this.#isLeaving) return;
    this.#link = this.#peer.link === undefined ? undefined : io.linkIndex(this.#peer.link);
    const settings = this.#limited();
    if (listenerProblem !== undefined) this.#problem = listenerProblem;
    if (settings === undefined) return;
    this.minimumTtl = this.#peer.multihop ? (this.#peer.profile.minimumTtl ?? 0) : 0;
    if (this.#session === undefined) {
      try {
        const wire = io.openWire(this.#peer);
        const localDiscriminator = discriminator();
        const onChange = (after: Session, before: Session): void => this.#changed(after, before);
        this.#session = new BfdSession({ settings, localDiscriminator, wire, random, onChange }, io.now());
        this.discriminator = localDiscriminator;
      } catch (error) {
        this.#problem = error instanceof Error ? error.message : String(error);
      }
    }
    this.#openEcho(settings);
  }

  isFrom(sender: Buffer, link: number): boolean {
    if (this.#session === undefined) return false;
    if (this.#peer.link !== undefined && link !== this.#link) return false;
    const offset = OFFSET[this.#address.length === 4 ? 4 : 16];
    for (let at = 0; at < this.#address.length; at++) {
      if (sender[offset + at] !== this.#address[at]) return false;
    }
    return true;
  }

  receive(packet: ControlPacket, link: number): void {
    this.#heardLink = link;
    this.#session?.receive(packet, this.#options.io.now());
  }

  /** Heard on the port of the other distance, which our packets do not go to. */
  hearOtherDistance(): void {
    this.#isOtherDistance = true;
  }

  receiveEcho(): void {
    this.#session?.receiveEcho(this.#options.io.now());
  }

  tick(now: number): void {
    this.#session?.tick(now);
  }

  isSilent(now: number): boolean {
    return this.#session?.isSilent(now) ?? false;
  }

  judge(now: number): void {
    this.#session?.judge(now);
  }

  leave(): void {
    this.#isLeaving = true;
    this.#session?.disable(this.#options.io.now());
  }

  repeat(): void {
    this.#session?.repeat(this.#options.io.now());
  }

  close(): void {
    this.#session?.close();
    this.#echo?.close();
    this.#session = undefined;
    this.#echo = undefined;
  }

  report(): BfdReport {
    const session = this.#session?.session;
    this.#reported = session;
    if (session?.state === "Up") this.#isOtherDistance = false;
    this.#reportedDistance = this.#isOtherDistance;
    const distance = this.#isOtherDistance ? distanceWords(this.#peer) : undefined;
    const problem = this.#refusal ?? this.#problem ?? distance;
    const millis = (micros: number | undefined): number => Math.round((micros ?? 0) / MICROS);
    return {
      key: this.#peer.key,
      address: this.#peer.address,
      state: session?.state ?? "Down",
      remoteState: session?.remoteState ?? "Down",
      diagnostic: session?.diagnostic ?? "None",
      remoteDiagnostic: session?.remoteDiagnostic ?? "None",
      since: this.#since,
      detectionTimeMs: session === undefined ? 0 : millis(detectionTimeOf(session)),
      transmitIntervalMs: session === undefined ? 0 : millis(transmitIntervalOf(session)),
      isEchoing: session?.isEchoing ?? false,
      losses: this.#losses,
      packetsIn: this.#session?.packetsIn ?? 0,
      packetsOut: this.#session?.packetsOut ?? 0,
      sendFailures: this.#session?.sendFailures ?? 0,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** By the thread's scheduling; undefined: refused. */
  #limited(): SessionSettings | undefined {
    const { scheduling, policy, lateness, io } = this.#options;
    const { timers, problem } = limitTimers(this.#peer.profile, scheduling, policy, lateness());
    this.#problem = problem;
    return timers === undefined ? undefined : settingsOf(this.#peer, timers, io);
  }

  #openEcho(settings: SessionSettings): void {
    if (this.#session === undefined || !settings.echo || this.#heardLink < 0) return;
    // A neighbour may have another hardware address by now.
    this.#echo?.close();
    this.#echo = undefined;
    try {
      this.#echo = this.#options.io.openEcho(this.#peer, this.#heardLink, this.discriminator);
    } catch (error) {
      this.#problem = `no echo: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#session.echoWire = this.#echo;
  }

  #drop(): void {
    const { io } = this.#options;
    this.#session?.disable(io.now());
    this.close();
    this.discriminator = 0;
  }

  #changed(after: Session, before: Session): void {
    if (after.state === "Up") this.#openEcho(after.settings);
    const at = this.#options.io.date().toISOString();
    this.#since = at;
    const isLoss = before.state === "Up" && after.state === "Down" && after.remoteState !== "AdminDown";
    if (isLoss) this.#losses += 1;
    const change: BfdChange = {
      key: this.#peer.key,
      state: after.state,
      previous: before.state,
      remoteState: after.remoteState,
      diagnostic: after.diagnostic,
      at,
      isLoss,
    };
    this.#options.post({ type: "change", change, report: this.report() });
  }
}

function settingsOf(peer: PathPeer, timers: BfdTimers, io: EntryIo): SessionSettings {
  // RFC 5881 section 4, RFC 5883 section 3: no echo over several hops; over IPv6 our own packets would not come back.
  const canEcho = timers.echoMode && !peer.multihop && familyOf(peer.address) === "IPv4";
  return {
    desiredMinTxMicros: timers.transmitIntervalMs * MICROS,
    requiredMinRxMicros: timers.receiveIntervalMs * MICROS,
    detectMultiplier: timers.detectMultiplier,
    passive: timers.passive,
    echo: canEcho,
    echoMicros: timers.echoIntervalMs * MICROS,
    requiredMinEchoRxMicros: canEcho && io.loopsEcho() ? timers.echoIntervalMs * MICROS : 0,
  };
}
