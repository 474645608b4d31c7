/**
 * All sessions of this node: told what is wanted as a whole, it starts, changes and stops what differs. A change that
 * does not need it resets no session.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "#common/clock.ts";
import { type Logger, silentLogger } from "#common/log.ts";
import { type Random, systemRandom } from "#common/random.ts";
import type { AcceptedConnection } from "#speaker/native/tcp.ts";
import { Listeners } from "./listeners.ts";
import { Session } from "./session.ts";
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
  /** Something that sessions() says has changed. */
  readonly onChange?: () => void;
}

export interface Bgp {
  /** By name of the BGPPeer: exactly these from now on. */
  reconcile(wanted: ReadonlyMap<string, WantedSession>): void;
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
  #isStopped = false;
  readonly #listeners: Listeners;
  readonly #startedAt: number;

  constructor(options: BgpOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#transport = options.transport ?? tcpTransport;
    this.#startedAt = options.clock.now();
    this.#listeners = new Listeners({
      transport: this.#transport,
      log: this.#log,
      port: "listenPort" in options ? options.listenPort : BGP_PORT,
      onConnection: (connection) => this.#accept(connection),
    });
  }

  reconcile(wanted: ReadonlyMap<string, WantedSession>): void {
    this.#wanted = wanted;
    for (const [name, session] of this.#sessions) if (!wanted.has(name)) this.#remove(name, session);
    for (const [name, { settings, advertisements }] of wanted) {
      // It was removed, and is wanted again before its goodbye is said: #remove begins it anew after that.
      if (this.#leaving.has(name)) continue;
      const session = this.#sessionFor(name, settings);
      session.advertise(advertisements);
    }
    this.#expect();
  }

  sessions(): SessionReport[] {
    const going = [...this.#leaving.values()].map(({ session }) => session);
    return [...this.#sessions.values(), ...going].map((session) => session.report());
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
    this.#listeners.close();
    const ends = [...this.#sessions.values()].map((session) =>
      mode === "restart" ? session.restart() : session.leave("the speaker leaves this node"),
    );
    await Promise.all([...ends, ...[...this.#leaving.values()].map(({ end }) => end)]);
    this.#sessions.clear();
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
      onChange: () => {
        if (settings.address === undefined) this.#expect();
        this.#options.onChange?.();
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
    const end = session.leave(words, Cease.peerDeconfigured).finally(() => {
      this.#leaving.delete(name);
      if (this.#isStopped) return;
      this.reconcile(this.#wanted);
      this.#options.onChange?.();
    });
    this.#leaving.set(name, { session, end });
  }

  #end(name: string, session: Session, subcode: number, words: string): void {
    session.stop(subcode, words);
    this.#sessions.delete(name);
  }

  /** Again when something changed, too: unnumbered peers become known, passwords are to be for their addresses. */
  #expect(): void {
    if (!this.#isStopped) this.#listeners.expect([...this.#sessions.values()]);
  }

  #accept({ socket, address, link }: AcceptedConnection): void {
    const session = [...this.#sessions.values()].find((one) => {
      const { settings } = one;
      if (settings.address !== undefined) {
        // A link-local address is one of a link.
        return one.address === address && (settings.link === undefined || settings.link === link);
      }
      return settings.link !== undefined && settings.link === link;
    });
    if (session !== undefined && this.#listeners.isSigned(session)) {
      session.accept(socket);
      return;
    }
    const why = session === undefined ? "nobody's address" : "no key for it yet";
    this.#log.debug("a connection to port 179 was refused", { address, why });
    socket.destroy();
  }
}
