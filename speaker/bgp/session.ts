/**
 * The session with one peer: connects and is connected to, keeps one connection of two (RFC 4271 section 6.8), tells
 * what is wanted and counts what comes. What the peer tells is checked and not used.
 */
import type { Socket } from "node:net";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import { changesInPlace } from "#speaker/native/tcp-key.ts";
import { canonicalAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { Conversation } from "./conversation.ts";
import { Dialer } from "./dialer.ts";
import { type FailEvent, Incoming } from "./incoming.ts";
import type { List } from "./list-difference.ts";
import { fsmSettings } from "./machine.ts";
import { ownOpen } from "./negotiated.ts";
import { Pair } from "./pair.ts";
import { Routes } from "./routes.ts";
import { asGoing } from "./shutdown.ts";
import { Tally } from "./tally.ts";
import { keyOf, type Transport } from "./transport.ts";
import type { PeerSettings, SessionReport, SessionState } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";
import { encodeMessage, KEEPALIVE, MessageType, type RawMessage } from "./wire/header.ts";
import { shutdown } from "./wire/notification.ts";
import { encodeOpen } from "./wire/open.ts";

export interface SessionOptions {
  readonly settings: PeerSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly transport: Transport;
  /** Of an unnumbered peer: the router's link-local address, when it is known. */
  readonly addressOn: (link: string) => string | undefined;
  /** The process has just started, and its routes may still be kept by the peer. */
  readonly isRestarting: boolean;
  readonly onChange: () => void;
  /** The session is established, and `table` is to be told; it is told at once where this is not given. */
  readonly onTable?: (session: Session, table: List) => void;
}

/** What a router needs to move traffic to other routes. */
const GRACEFUL_SHUTDOWN_MS = 1_000;

export class Session {
  readonly #options: SessionOptions;
  #settings: PeerSettings;
  readonly #pair: Pair;
  readonly #dialer: Dialer;
  #sockets = new WeakMap<Connection, Socket>();
  readonly #routes = new Routes();
  #isRestarting: boolean;
  #isStopped = false;
  readonly #tally: Tally;
  readonly #incoming: Incoming;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#isRestarting = options.isRestarting;
    this.#tally = new Tally(options.clock);
    this.#dialer = new Dialer(options.transport);
    this.#pair = new Pair(this.#converse(true));
    this.#incoming = new Incoming({
      settings: () => this.#settings,
      isRestarting: () => this.#isRestarting,
      routes: this.#routes,
      tally: this.#tally,
      log: options.log,
      isDumped: (conversation) =>
        !this.#takeOver(conversation) && this.#pair.isDumped(conversation, this.#settings),
      blame: (conversation, words) => this.#blame(conversation, words),
      fail: (conversation, event) => this.#fail(conversation, event),
      onAsked: () => this.#flush(),
    });
  }

  get settings(): PeerSettings {
    return this.#settings;
  }

  /**
   * Where the peer is, or is expected, as the kernel spells it; undefined while an unnumbered peer is not known. One that
   * has connected is known by that, before the kernel has noted it as a router.
   */
  get address(): string | undefined {
    const { address, link } = this.#settings;
    if (address !== undefined) return canonicalAddress(address);
    if (link === undefined) return undefined;
    return this.#primary.connection?.peerAddress ?? this.#options.addressOn(link);
  }

  get #primary(): Conversation {
    return this.#pair.primary;
  }

  get state(): SessionState {
    return this.#primary.machine.state;
  }

  /** Somebody is at the other end, whoever that is. */
  get isConnected(): boolean {
    return this.#primary.connection !== undefined || this.#pair.rival !== undefined;
  }

  /** Bytes that wait for a peer that does not read. */
  get waiting(): number {
    return this.#primary.connection?.waiting ?? 0;
  }

  start(): void {
    this.#primary.step({ type: "ManualStart" });
  }

  /** What the peer was last to have. */
  get wanted(): List {
    return this.#routes.wanted;
  }

  /** The table that the peer is to have; `isWhole`: nothing of it is still to come. */
  advertise(advertisements: List, isWhole = true): void {
    this.#routes.advertise(advertisements, isWhole);
    this.#flush();
  }

  /** True if the connection that there is goes on with the new password. */
  changePassword(settings: PeerSettings): boolean {
    const { connection } = this.#primary;
    const socket = connection && this.#sockets.get(connection);
    const { address } = this;
    const { link, password } = settings;
    if (password === undefined || this.#settings.password === undefined) return false;
    if (!changesInPlace(keyOf(this.#settings), keyOf(settings))) return false;
    try {
      if (socket !== undefined && address !== undefined) {
        this.#options.transport.changePassword(socket, address, link, password);
      }
      this.#settings = settings;
      return true;
    } catch (error) {
      const why = errorText(error);
      this.#options.log.info("a live connection's password stays", { peer: settings.name, why });
      return false;
    }
  }

  /** Somebody at the peer's address has connected. */
  accept(socket: Socket): void {
    const { machine } = this.#primary;
    // One that has not said OPEN yet may be a probe of the port, or what a crash has left: it gives way.
    const isTaken = this.#pair.rival?.peerOpen !== undefined;
    const isRefused = this.#isStopped || isTaken || machine.isDamping;
    if (isRefused || !this.#limitHops(socket)) {
      socket.destroy();
      return;
    }
    this.#pair.dropRival();
    if (this.state === "Established") this.#primary.ask();
    const isFree = this.#primary.connection === undefined;
    const conversation = isFree ? this.#primary : this.#converse(false);
    if (isFree) this.#dialer.giveUp();
    else this.#pair.rival = conversation;
    conversation.isOurs = false;
    conversation.step({ type: "AutomaticStart_with_PassiveTcpEstablishment" });
    this.#take(conversation, socket);
    conversation.step({ type: "TcpConnectionConfirmed" });
  }

  /** False where the kernel does not do it: what a hop limit protects is not taken without. */
  #limitHops(socket: Socket): boolean {
    const { name, ttl } = this.#settings;
    try {
      this.#options.transport.limitHops(socket, ttl);
      return true;
    } catch (error) {
      const why = errorText(error);
      this.#options.log.debug("a connection was refused: no hop limit", { peer: name, why });
      return false;
    }
  }

  /**
   * So that the peer hears of the end: one that takes near packets only (RFC 5082) while we send with 1 hop to live has
   * heard nothing on a connection that it made, would keep it for minutes, and refuse our next one for its sake.
   */
  #openHops(socket: Socket): void {
    const { ttl } = this.#settings;
    if (ttl.kind !== "direct" || socket.destroyed) return;
    try {
      this.#options.transport.limitHops(socket, { kind: "multihop" });
    } catch {
      // The connection ends in any case; only that the peer notices later.
    }
  }

  /** The path to the peer is gone (RFC 5882 section 4.3, RFC 9384). */
  bfdDown(): void {
    this.#pair.dropRival();
    if (this.state === "Idle") return;
    const error = new BgpError(ErrorCode.cease, Cease.bfdDown, "BFD says that the path is down");
    this.#fail(this.#primary, { type: "AutomaticStop", error });
  }

  /** Ends it so that the peer keeps our routes for a while, if both sides can; else like `leave`. */
  async restart(): Promise<void> {
    if (this.#primary.negotiated?.gracefulRestart === undefined) return this.leave("the speaker restarts");
    this.#isStopped = true;
    this.#pair.dropRival();
    await this.#primary.connection?.flushed();
    this.#primary.abandon();
  }

  /** Marks the routes as going (RFC 8326), withdraws them, says why; `subcode` of the Cease. */
  async leave(words: string, subcode: number = Cease.administrativeShutdown): Promise<void> {
    this.#isStopped = true;
    this.#pair.dropRival();
    if (this.state === "Established") {
      const going = asGoing(this.#routes.wanted);
      if (going.length > 0) {
        this.advertise(going);
        // Who does not read is not waited for.
        const isFlushed = await this.#primary.connection?.flushed();
        if (isFlushed === true) await this.#options.clock.sleep(GRACEFUL_SHUTDOWN_MS);
        this.advertise([]);
      }
      await this.#primary.connection?.flushed();
    }
    this.stop(subcode, words);
  }

  /** At once; `subcode` of a Cease. */
  stop(subcode: number, words: string): void {
    this.#isStopped = true;
    this.#pair.dropRival();
    this.#primary.step({ type: "ManualStop", error: shutdown(subcode, words) });
  }

  report(): SessionReport {
    return this.#tally.report({
      peer: this.#settings.name,
      address: this.address ?? "",
      // Who is never called is waited for.
      state: this.#isPassive && this.state === "Connect" ? "Active" : this.state,
      ...(this.#settings.gateway !== undefined && { link: this.#settings.link }),
      negotiated: this.#primary.negotiated,
      prefixesAdvertised: this.#routes.advertised,
      prefixesReceived: this.#routes.received,
      prefixesKeptBack: this.#routes.keptBack,
      prefixesWithoutNextHop: this.#routes.withoutNextHop,
      warning: this.#routes.warning,
    });
  }

  #converse(isPrimary: boolean): Conversation {
    const { clock, random } = this.#options;
    return new Conversation({
      clock,
      random,
      settings: fsmSettings(this.#settings.connectTimeMs),
      connect: () => {
        // The second connection is one that the peer made: if it is lost, the peer makes the next one.
        if (isPrimary) this.#connect();
      },
      giveUp: () => {
        if (isPrimary) this.#dialer.giveUp();
      },
      sendOpen: (conversation) => this.#sendOpen(conversation),
      sendKeepalive: (conversation) => this.#send(conversation, KEEPALIVE),
      onEstablished: (conversation) => this.#onEstablished(conversation),
      onLost: () => this.#onLost(),
      onFault: (conversation, error) => {
        if (conversation === this.#primary && !isCollision(error)) this.#tally.fail(error.message);
      },
      onState: (conversation) => this.#onState(conversation),
    });
  }

  get #isPassive(): boolean {
    return this.#settings.range !== undefined;
  }

  #connect(): void {
    if (this.#isPassive) return;
    const { address } = this;
    if (address === undefined) {
      const { gateway, link = "" } = this.#settings;
      this.#tally.fail(
        gateway === undefined
          ? `no router has told its address on link ${link} yet`
          : `this node has no default route of ${gateway}`,
      );
      queueMicrotask(() => this.#primary.step({ type: "TcpConnectionFails" }));
      return;
    }
    this.#dialer.dial(this.#settings, address, {
      onConnected: (socket) => {
        this.#primary.isOurs = true;
        this.#take(this.#primary, socket);
        this.#primary.step({ type: "Tcp_CR_Acked" });
      },
      onFailed: (error) => {
        this.#tally.fail(errorText(error));
        this.#primary.step({ type: "TcpConnectionFails" });
      },
    });
  }

  #take(conversation: Conversation, socket: Socket): void {
    const { clock, transport } = this.#options;
    const events = {
      onMessage: (message: RawMessage) => this.#incoming.take(conversation, message),
      onBroken: (error: BgpError) => this.#fail(conversation, { type: "BGPHeaderErr", error }),
      onClosed: (words: string) => {
        this.#blame(conversation, words);
        conversation.step({ type: "TcpConnectionFails" });
        this.#forget(conversation);
      },
      onDrain: () => this.#flush(),
      onEnding: () => this.#openHops(socket),
    };
    const connection = new Connection(socket, clock, events, (one) => transport.acknowledged(one));
    conversation.connection = connection;
    this.#sockets.set(connection, socket);
  }

  #sendOpen(conversation: Conversation): void {
    conversation.ownOpen = ownOpen(this.#settings, this.#isRestarting);
    this.#send(conversation, encodeMessage(MessageType.open, encodeOpen(conversation.ownOpen)));
  }

  #send(conversation: Conversation, message: Buffer): void {
    this.#tally.messagesOut += 1;
    conversation.connection?.send(message);
  }

  /** Of a conversation that ended. */
  #forget(conversation: Conversation): void {
    this.#pair.forget(conversation, (rival, before) => {
      rival.becomePrimary(
        () => this.#connect(),
        () => this.#dialer.giveUp(),
        before.machine,
      );
      this.#options.onChange();
    });
  }

  #onState(conversation: Conversation): void {
    // Timers end connections, too.
    if (conversation.machine.state === "Idle") this.#forget(conversation);
    this.#options.onChange();
  }

  /**
   * Notes why a connection ended. Beside an established session this is not noted: a health check or a scan of the port
   * from the router's own address is no fault of the session's.
   */
  #blame(conversation: Conversation, words: string): void {
    if (conversation === this.#primary || this.state !== "Established") this.#tally.fail(words);
    else {
      const of = { peer: this.#settings.name, why: words };
      this.#options.log.debug("a connection beside the session has ended", of);
    }
  }

  /**
   * A peer that says OPEN on a new connection, beside a session with graceful restart, has restarted before the loss was
   * noticed: the old connection is dead (RFC 4724 section 5). A peer that has only connected has not shown that. Returns
   * false if the new connection did not take the session over.
   */
  #takeOver(conversation: Conversation): boolean {
    if (conversation === this.#primary || this.state !== "Established") return false;
    if (this.#primary.negotiated?.gracefulRestart === undefined) return false;
    this.#tally.fail("the peer connected anew");
    const before = this.#primary;
    before.abandon();
    this.#onLost();
    this.#forget(before);
    return true;
  }

  /** Ends a conversation for a reason of ours. */
  #fail(conversation: Conversation, event: FailEvent): void {
    this.#blame(conversation, event.error.message);
    conversation.step(event);
  }

  #onEstablished(conversation: Conversation): void {
    const { negotiated, connection } = conversation;
    if (negotiated === undefined || connection === undefined) return;
    if (conversation === this.#primary) this.#pair.dropRival();
    this.#tally.established();
    // R is for the first session after a start; on the next one nothing restarted but the connection.
    this.#isRestarting = false;
    const table = this.#routes.wanted;
    this.#routes.begin({
      negotiated,
      settings: this.#settings,
      localAddress: connection.localAddress,
      peerAddress: connection.peerAddress ?? "",
      addresses: this.#options.transport.linkAddresses(),
    });
    const { remoteAsn, holdTimeMs } = negotiated;
    this.#options.log.info("BGP session established", {
      peer: this.#settings.name,
      address: this.address,
      remoteAsn,
      holdTimeMs,
    });
    const { onTable = () => this.advertise(table) } = this.#options;
    onTable(this, table);
  }

  #onLost(): void {
    this.#tally.lost();
    this.#routes.end();
    const why = this.#tally.lastError ?? "stopped";
    this.#options.log.info("BGP session lost", { peer: this.#settings.name, address: this.address, why });
  }

  /** Sends what is to be told, as far as the connection takes it. */
  #flush(): void {
    const { connection } = this.#primary;
    if (connection === undefined) return;
    let sent = 0;
    while (connection.hasRoom) {
      const message = this.#routes.next();
      if (message === undefined) break;
      this.#send(this.#primary, message);
      this.#tally.updatesOut += 1;
      sent += 1;
    }
    if (sent > 0) this.#options.onChange();
  }
}

/** One of two connections went: no fault of the session's. */
function isCollision({ code, subcode }: BgpError): boolean {
  return code === ErrorCode.cease && subcode === Cease.collision;
}
