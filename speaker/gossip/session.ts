/** One member at work: its sockets and its timer around `step`. */
import type { Socket } from "node:net";
import type { Cancel, Clock } from "#common/clock.ts";
import type { Random } from "#common/random.ts";
import { Replays } from "./replays.ts";
import type { GossipSockets, OpenSockets } from "./sockets.ts";
import { dueAt, recordsOf, startGossip, step } from "./step.ts";
import { endStream, readStream } from "./streams.ts";
import { GOSSIP_SETTINGS, type GossipSettings } from "./timing.ts";
import type { Gossip, GossipAction, GossipCounts, GossipEvent, Peer, Telling, Told } from "./types.ts";
import { GossipError } from "./wire/error.ts";
import type { Keyring } from "./wire/keyring.ts";
import { type Endpoint, encodeMessage } from "./wire/message.ts";
import { type Envelope, openPacket, sealPacket } from "./wire/packet.ts";
import {
  type Direction,
  encodePushPull,
  type MemberState,
  type OpenedStream,
  type PushPull,
  sealStream,
} from "./wire/stream.ts";

export interface SessionOptions {
  readonly own: Peer;
  readonly label: string;
  readonly keys: Keyring;
  readonly settings?: GossipSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly open: OpenSockets;
  readonly onChange: (name: string, state: MemberState) => void;
  readonly onTold: (told: Told) => void;
  /** A peer has told us all that it knows. */
  readonly onJoined: () => void;
  /** Of the sockets: what was to be sent was not, or worse. */
  readonly onError: (error: Error) => void;
}

/** Connections of others at one time. */
const MOST_CONNECTIONS = 32;
/** Seconds of a date before which no node of ours began. */
const FIRST_DATE_S = 1_700_000_000;

export class GossipSession {
  readonly #options: SessionOptions;
  readonly #gossip: Gossip;
  readonly #replays: Replays;
  readonly #connections = new Set<Socket>();
  #envelope: Envelope;
  #sockets: GossipSockets | undefined;
  #cancel: Cancel | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  /** The application's whole state. */
  #user = new Uint8Array(0);

  private constructor(options: SessionOptions) {
    const { own, label, keys, clock, random, settings = GOSSIP_SETTINGS } = options;
    this.#options = options;
    this.#envelope = { ring: keys, label };
    const now = clock.now();
    this.#replays = new Replays(now);
    // A later life of this node is later by the date, too; where the date went back, it learns from the others.
    const incarnation = Math.max(1, Math.floor(clock.date().getTime() / 1_000) - FIRST_DATE_S);
    this.#gossip = startGossip({ own, settings, random, label, incarnation, now });
  }

  /** Rejects with Node's error when the address and port cannot be had. */
  static async open(options: SessionOptions): Promise<GossipSession> {
    const session = new GossipSession(options);
    session.#sockets = await options.open(options.own, {
      onPacket: (bytes, from) => session.#receive(bytes, from),
      onConnection: (socket, from) => session.#accept(socket, from),
      onError: options.onError,
    });
    return session;
  }

  get counts(): GossipCounts {
    return this.#gossip.counts;
  }

  /** Lifeguard's local health; 0 is well. */
  get health(): number {
    return this.#gossip.health;
  }

  /** What is thought of everybody that was heard, ourselves among them. */
  states(): Map<string, MemberState> {
    return new Map([...this.#gossip.members.values()].map(({ name, state }) => [name, state]));
  }

  setPeers(peers: readonly Peer[]): void {
    this.#step({ type: "peers", peers });
  }

  /** Takes effect for everything that comes or goes from now on. */
  setKeys(ring: Keyring): void {
    this.#envelope = { ...this.#envelope, ring };
  }

  tell({ news, isUrgent, whole }: Telling): void {
    this.#user = whole;
    if (news.length > 0) this.#step({ type: "tell", news, isUrgent });
  }

  /** To one member, once: it may be lost. */
  say(to: string, messages: readonly Uint8Array[]): void {
    this.#step({ type: "say", to, messages });
  }

  /** Tells all at once that we go; nothing is heard or said after it. */
  leave(): void {
    this.#step({ type: "leave" });
  }

  close(): void {
    this.#cancel?.();
    for (const socket of this.#connections) socket.destroy();
    this.#sockets?.close();
    this.#sockets = undefined;
  }

  #step(event: GossipEvent): void {
    const { clock } = this.#options;
    for (const action of step(this.#gossip, event, clock.now())) this.#do(action);
    const due = dueAt(this.#gossip);
    if (due === this.#armedFor && this.#cancel !== undefined) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedFor = due;
    if (due === Number.POSITIVE_INFINITY || this.#sockets === undefined) return;
    this.#cancel = clock.after(Math.max(1, Math.ceil(due - clock.now())), () => {
      this.#cancel = undefined;
      this.#step({ type: "wake" });
    });
  }

  #do(action: GossipAction): void {
    switch (action.type) {
      case "changed":
        this.#options.onChange(action.name, action.state);
        return;
      case "send":
        this.#sockets?.send(action.to, sealPacket(action.messages, this.#envelope, this.#nonce()));
        return;
      case "pushPull":
        this.#exchange(action);
        return;
      case "told":
        this.#options.onTold(action);
        return;
      case "joined":
        this.#options.onJoined();
        return;
    }
  }

  #nonce(): Uint8Array {
    return this.#options.random.bytes(12);
  }

  #receive(bytes: Uint8Array, from: Endpoint): void {
    try {
      const { messages, faults, nonce } = openPacket(bytes, this.#envelope);
      if (!this.#isNew(nonce)) return;
      for (const { code } of faults) this.#step({ type: "dropped", reason: code });
      this.#step({ type: "packet", from, messages });
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      this.#step({ type: "dropped", reason: error.code });
    }
  }

  #isNew(nonce: string): boolean {
    if (this.#replays.isNew(nonce, this.#options.clock.now())) return true;
    this.#step({ type: "dropped", reason: "replayed" });
    return false;
  }

  /** A stranger gets no answer, and its connection is closed at once. */
  #accept(socket: Socket, from: string): void {
    const isPeer = [...this.#gossip.peers.values()].some(({ address }) => address === from);
    if (!isPeer || this.#connections.size >= MOST_CONNECTIONS) {
      socket.destroy();
      this.#step({ type: "dropped", reason: isPeer ? "excess" : "stranger" });
      return;
    }
    this.#keep(socket);
    this.#read(socket, "request", ({ message }) => {
      if (message.type === "pushPull") {
        this.#answer(socket, this.#state(message.join));
        this.#step({ ...message, from });
      } else if (message.type === "ping" && (message.node === "" || message.node === this.#gossip.own.name)) {
        const { sequence } = message;
        this.#answer(socket, encodeMessage({ type: "ack", sequence, payload: new Uint8Array(0) }));
      } else {
        socket.destroy();
        this.#step({ type: "dropped", reason: message.type === "ping" ? "misaddressed" : "unexpected" });
      }
    });
  }

  /** Our whole state for theirs. */
  #exchange({ to, join, isOfUser }: Extract<GossipAction, { type: "pushPull" }>): void {
    if (this.#sockets === undefined || this.#connections.size >= MOST_CONNECTIONS) return;
    const socket = this.#sockets.connect(to);
    this.#keep(socket);
    socket.write(sealStream(this.#state(join, isOfUser), this.#envelope, this.#nonce(), "request"));
    this.#read(socket, "answer", ({ message }) => {
      socket.destroy();
      if (message.type === "pushPull")
        this.#step({ ...message, ...(isOfUser && { records: [] }), from: to.address });
    });
  }

  #keep(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
  }

  #read(socket: Socket, direction: Direction, take: (opened: OpenedStream) => void): void {
    const { clock } = this.#options;
    const finished = (read: OpenedStream | GossipError | undefined): void => {
      if (read === undefined || this.#sockets === undefined) socket.destroy();
      else if (read instanceof GossipError) this.#step({ type: "dropped", reason: read.code });
      else if (this.#isNew(read.nonce)) take(read);
      else socket.destroy();
    };
    readStream(socket, { envelope: () => this.#envelope, clock, direction }, finished);
  }

  #answer(socket: Socket, message: Uint8Array): void {
    endStream(socket, this.#options.clock, sealStream(message, this.#envelope, this.#nonce(), "answer"));
  }

  #state(join: PushPull["join"], isOfUser = false): Buffer {
    const records = isOfUser ? [] : recordsOf(this.#gossip);
    return encodePushPull({ join, records, user: this.#user });
  }
}
