/**
 * All sessions of this node: told what is wanted as a whole, it starts, changes and stops what differs. A change that
 * does not need it resets no session.
 */
import { isDeepStrictEqual } from "node:util";
import type { Family } from "#api/address.ts";
import type { Cancel, Clock } from "#common/clock.ts";
import { type Logger, silentLogger } from "#common/log.ts";
import { type Random, systemRandom } from "#common/random.ts";
import type { AcceptedConnection } from "#speaker/native/tcp.ts";
import type { GatewayOnLink } from "./gateways.ts";
import { Listeners } from "./listeners.ts";
import { Members, rangeOf } from "./members.ts";
import { Session } from "./session.ts";
import { TableTurns } from "./table-turns.ts";
import { type Transport, tcpTransport } from "./transport.ts";
import type { PeerSettings, SessionReport, WantedSession } from "./types.ts";
import { Cease } from "./wire/error.ts";

export interface BgpOptions {
  readonly clock: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  readonly transport?: Transport;
  /** Where peers connect to; 0 lets the kernel choose, undefined: nowhere. Default 179. */
  readonly listenPort?: number | undefined;
  /** The link-local address of the router on a link, for unnumbered peers. */
  readonly addressOn?: (link: string) => string | undefined;
  /** The node's default gateway, for peers that are it; it may change before each reconcile. */
  readonly gatewayOf?: (family: Family) => GatewayOnLink | undefined;
  /** Something that sessions() says has changed. */
  readonly onChange?: () => void;
}

export interface Bgp {
  /** By name of the BGPPeer: exactly these from now on. */
  reconcile(wanted: ReadonlyMap<string, WantedSession>): void;
  /** Resolves when every session has been told what it is not to have any more; of large tables this takes turns. */
  withdrawn(): Promise<void>;
  /** The default gateway is another one. */
  relocate(): void;
  sessions(): SessionReport[];
  /** Peers that are not wanted any more and are being told so; sessions() still has them. */
  leaving(): ReadonlySet<string>;
  /** Why nobody can connect to us; sessions that we begin work without. */
  listenTrouble(): string | undefined;
  bfdDown(peer: string): void;
  /** `restart`: peers that can keep our routes while this process is replaced do so; `leave`: none does. */
  stop(options: { readonly mode: "restart" | "leave" }): Promise<void>;
}

const BGP_PORT = 179;
/** A session that begins later than this, after the process has started, does not go on with one from before the start. */
const RESTART_MS = 120_000;
/** For how long a router of a range may be away before nobody knows of it any more. */
const FORGET_MS = 300_000;

export function createBgp(options: BgpOptions): Bgp {
  return new Sessions(options);
}

class Sessions implements Bgp {
  readonly #options: BgpOptions;
  readonly #log: Logger;
  readonly #transport: Transport;
  readonly #sessions = new Map<string, Session>();
  /** Of peers that are not wanted any more: the session, and the end of its goodbye. */
  readonly #leaving = new Map<string, { readonly session: Session; readonly end: Promise<void> }>();
  #wanted: ReadonlyMap<string, WantedSession> = new Map();
  /** Routers of ranges that have connected. */
  readonly #members = new Members();
  /** By key of the member: what ends when it is looked at again. */
  readonly #forgetting = new Map<string, Cancel>();
  #isStopped = false;
  /** onChange is about to be called. */
  #isToldSoon = false;
  readonly #listeners: Listeners;
  readonly #turns: TableTurns;
  readonly #startedAt: number;

  constructor(options: BgpOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#transport = options.transport ?? tcpTransport;
    this.#startedAt = options.clock.now();
    this.#turns = new TableTurns(options.clock, () => this.#changed());
    this.#listeners = new Listeners({
      transport: this.#transport,
      log: this.#log,
      port: "listenPort" in options ? options.listenPort : BGP_PORT,
      onConnection: (connection, vrf) => this.#accept(connection, vrf),
    });
  }

  reconcile(wanted: ReadonlyMap<string, WantedSession>): void {
    this.#wanted = wanted;
    this.#members.keep(wanted);
    const placed = new Map([...wanted].flatMap(([name, one]) => this.#placed(name, one)));
    for (const [name, session] of this.#sessions) if (!placed.has(name)) this.#drop(name, session);
    for (const [name, { settings, advertisements }] of placed) {
      // It was removed, and is wanted again before its goodbye is said: #remove begins it anew after that.
      if (this.#leaving.has(name)) continue;
      const session = this.#sessionFor(name, settings);
      this.#turns.tell(session, advertisements);
    }
    this.#expect();
  }

  withdrawn(): Promise<void> {
    return this.#turns.withdrawn();
  }

  relocate(): void {
    if (!this.#isStopped) this.reconcile(this.#wanted);
  }

  sessions(): SessionReport[] {
    const going = [...this.#leaving.values()].map(({ session }) => session);
    const reports = [...this.#sessions.values(), ...going].map((session) => session.report());
    return this.#members.reports(reports, this.#wanted);
  }

  leaving(): ReadonlySet<string> {
    return new Set(this.#leaving.keys());
  }

  listenTrouble(): string | undefined {
    return this.#listeners.trouble;
  }

  bfdDown(peer: string): void {
    (this.#sessions.get(peer) ?? this.#leaving.get(peer)?.session)?.bfdDown();
  }

  async stop({ mode }: { readonly mode: "restart" | "leave" }): Promise<void> {
    this.#isStopped = true;
    this.#turns.stop();
    for (const cancel of this.#forgetting.values()) cancel();
    this.#listeners.close();
    const ends = [...this.#sessions.values()].map((session) =>
      mode === "restart" ? session.restart() : session.leave("the speaker leaves this node"),
    );
    await Promise.all([...ends, ...[...this.#leaving.values()].map(({ end }) => end)]);
    this.#sessions.clear();
  }

  /** The sessions of one BGPPeer, with addresses as far as they are known. */
  #placed(name: string, one: WantedSession): [string, WantedSession][] {
    const { gateway, range } = one.settings;
    if (range !== undefined) return this.#members.sessions(name, one);
    if (gateway === undefined) return [[name, one]];
    const place = this.#options.gatewayOf?.(gateway);
    return [[name, place === undefined ? one : { ...one, settings: { ...one.settings, ...place } }]];
  }

  #sessionFor(name: string, settings: PeerSettings): Session {
    const present = this.#sessions.get(name);
    if (present !== undefined && isDeepStrictEqual(present.settings, settings)) return present;
    if (present !== undefined) {
      const { password: _before, ...before } = present.settings;
      const { password: _after, ...after } = settings;
      if (isDeepStrictEqual(before, after) && present.changePassword(settings)) return present;
      this.#end(name, present, Cease.otherConfigurationChange, "the configuration was changed");
    }
    const { clock, addressOn = () => undefined } = this.#options;
    const session = new Session({
      settings,
      clock,
      random: this.#options.random ?? systemRandom,
      log: this.#log,
      transport: this.#transport,
      addressOn,
      isRestarting: clock.now() - this.#startedAt < RESTART_MS,
      onTable: (one, table) => this.#turns.begin(one, table),
      onChange: () => {
        if (settings.address === undefined) this.#expect();
        if (settings.range !== undefined) queueMicrotask(() => this.#forgetIfNobody(name));
        this.#changed();
      },
    });
    this.#sessions.set(name, session);
    session.start();
    return session;
  }

  /** Traffic is moved away before the routes go, as far as the router does so. */
  #remove(name: string, session: Session): void {
    const words = "the peer was removed";
    if (session.state !== "Established") {
      this.#end(name, session, Cease.peerDeconfigured, words);
      return;
    }
    this.#sessions.delete(name);
    this.#turns.drop(session);
    const end = session.leave(words, Cease.peerDeconfigured).finally(() => {
      this.#leaving.delete(name);
      if (this.#isStopped) return;
      this.reconcile(this.#wanted);
      this.#changed();
    });
    this.#leaving.set(name, { session, end });
  }

  #end(name: string, session: Session, subcode: number, words: string): void {
    session.stop(subcode, words);
    this.#sessions.delete(name);
    this.#turns.drop(session);
  }

  /** Of many sessions that change together it is told once: what is made of it looks at all of them. */
  #changed(): void {
    if (this.#isToldSoon) return;
    this.#isToldSoon = true;
    queueMicrotask(() => {
      this.#isToldSoon = false;
      this.#options.onChange?.();
    });
  }

  /** Again when something changed, too: unnumbered peers become known, passwords are to be for their addresses. */
  #expect(): void {
    if (this.#isStopped) return;
    const ranges = [...this.#wanted.values()].filter(({ settings }) => settings.range !== undefined);
    const coming = ranges.map(({ settings }) => ({ settings, address: undefined }));
    this.#listeners.expect([...this.#sessions.values(), ...coming]);
  }

  #accept(connection: AcceptedConnection, vrf: string | undefined): void {
    const { socket, address } = connection;
    const session = this.#sessionOf(connection, vrf) ?? this.#joined(address, vrf);
    if (session !== undefined && this.#listeners.isSigned(session)) {
      session.accept(socket);
      return;
    }
    const why = session === undefined ? "nobody's address" : "no key for it yet";
    this.#log.debug("a connection to port 179 was refused", { address, why });
    socket.destroy();
  }

  #sessionOf({ address, link }: AcceptedConnection, vrf: string | undefined): Session | undefined {
    return [...this.#sessions.values()].find((one) => {
      const { settings } = one;
      if (settings.vrf !== vrf) return false;
      if (settings.address !== undefined) {
        // A link-local address is one of a link.
        return one.address === address && (settings.link === undefined || settings.link === link);
      }
      return settings.link !== undefined && settings.link === link;
    });
  }

  /** A new session for a router of a range that has connected for the first time. */
  #joined(address: string, vrf: string | undefined): Session | undefined {
    const wanted = rangeOf(this.#wanted, address, vrf);
    if (wanted === undefined) return undefined;
    const { name } = wanted.settings;
    const isUp = (key: string): boolean =>
      this.#leaving.has(key) || this.#sessions.get(key)?.state === "Established";
    const member = this.#members.add(name, wanted, address, isUp);
    if (member === undefined) {
      this.#log.debug("a router of a range was refused: its BGPPeer has all sessions", {
        peer: name,
        address,
      });
      this.#changed();
      return undefined;
    }
    this.#dropReplaced(name);
    if (this.#leaving.has(member.key)) return undefined;
    const { settings, advertisements } = wanted;
    const session = this.#sessionFor(member.key, { ...settings, address });
    session.advertise(advertisements);
    this.#forgetLater(member.key);
    return session;
  }

  /** Sessions of a range whose routers had to give their places away. Others are not looked at: anybody may connect. */
  #dropReplaced(name: string): void {
    for (const [key, session] of this.#sessions) {
      const { range, name: of } = session.settings;
      if (range !== undefined && of === name && this.#members.get(key) === undefined)
        this.#drop(key, session);
    }
  }

  #drop(key: string, session: Session): void {
    this.#forgetting.get(key)?.();
    this.#forgetting.delete(key);
    this.#remove(key, session);
  }

  /** Who has gone before a word was no router: a probe of the port. */
  #forgetIfNobody(key: string): void {
    const session = this.#sessions.get(key);
    if (session === undefined || session.isConnected || session.report().messagesIn > 0) return;
    this.#forget(key);
  }

  #forgetLater(key: string): void {
    this.#forgetting.get(key)?.();
    const look = (): void => {
      this.#forgetting.delete(key);
      if (this.#members.get(key) === undefined) return;
      if (this.#sessions.get(key)?.isConnected === true) this.#forgetLater(key);
      else this.#forget(key);
    };
    this.#forgetting.set(key, this.#options.clock.after(FORGET_MS, look));
  }

  #forget(key: string): void {
    this.#members.forget(key);
    const session = this.#sessions.get(key);
    if (session !== undefined && !this.#isStopped) this.#drop(key, session);
    this.#changed();
  }
}
