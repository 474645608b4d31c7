/**
 * All sessions of this node: told what is wanted as a whole, it starts, changes and stops what differs. A change that
 * does not need it resets no session.
 */
import { isDeepStrictEqual } from "node:util";
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { type Logger, silentLogger } from "#common/log.ts";
import { type Random, systemRandom } from "#common/random.ts";
import type { AcceptedConnection, TcpListener } from "#speaker/native/tcp.ts";
import { Session } from "./session.ts";
import { familyOf, type Transport, tcpTransport } from "./transport.ts";
import type { PeerSettings, SessionReport, WantedPeer } from "./types.ts";
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
  reconcile(wanted: ReadonlyMap<string, WantedPeer>): void;
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
/** Sessions that begin later are not those that a restart has ended. */
const RESTART_MS = 120_000;

/** As the kernel has it: `FD00::0001` is `fd00::1`. */
function spelled(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address);
}

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
  #wanted: ReadonlyMap<string, WantedPeer> = new Map();
  #isStopped = false;
  readonly #listeners = new Map<Family, TcpListener>();
  readonly #troubles = new Map<Family, string>();
  /** Peer's address -> the password that listeners have for it. */
  readonly #passwords = new Map<string, string>();
  readonly #startedAt: number;

  constructor(options: BgpOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#transport = options.transport ?? tcpTransport;
    this.#startedAt = options.clock.now();
  }

  reconcile(wanted: ReadonlyMap<string, WantedPeer>): void {
    this.#wanted = wanted;
    for (const [name, session] of this.#sessions) if (!wanted.has(name)) this.#remove(name, session);
    for (const [name, { settings, advertisements }] of wanted) {
      // Wanted again before its goodbye was said: it is called anew after that.
      if (this.#leaving.has(name)) continue;
      const session = this.#sessionFor(name, settings);
      session.advertise(advertisements);
    }
    this.#listen();
  }

  sessions(): SessionReport[] {
    const going = [...this.#leaving.values()].map(({ session }) => session);
    return [...this.#sessions.values(), ...going].map((session) => session.report());
  }

  leaving(): ReadonlySet<string> {
    return new Set(this.#leaving.keys());
  }

  listenTrouble(): string | undefined {
    const [trouble] = this.#troubles.values();
    return trouble;
  }

  bfdDown(peer: string): void {
    (this.#sessions.get(peer) ?? this.#leaving.get(peer)?.session)?.bfdDown();
  }

  async stop({ mode }: { readonly mode: "restart" | "leave" }): Promise<void> {
    this.#isStopped = true;
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
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
    const { clock, onChange = () => {}, addressOn = () => undefined } = this.#options;
    const session = new Session({
      settings,
      clock,
      random: this.#options.random ?? systemRandom,
      log: this.#log,
      transport: this.#transport,
      addressOn,
      isRestarting: clock.now() - this.#startedAt < RESTART_MS,
      onChange,
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

  /** A listener for each family that a peer may come by, with the peers' passwords. */
  #listen(): void {
    const { listenPort = BGP_PORT } = this.#options;
    if ("listenPort" in this.#options && this.#options.listenPort === undefined) return;
    const families = new Set(
      [...this.#sessions.values()].map(({ settings }) => familyOf(settings.address ?? ":")),
    );
    for (const family of families) if (!this.#listeners.has(family)) this.#open(family, listenPort);
    for (const [family, listener] of this.#listeners) {
      if (families.has(family)) continue;
      listener.close();
      this.#listeners.delete(family);
    }
    this.#sign();
  }

  #open(family: Family, port: number): void {
    try {
      const listener = this.#transport.listen(family, port, {
        onConnection: (connection) => this.#accept(connection),
        onError: (error) =>
          this.#log.warn("BGP connections are not accepted", { family, error: errorText(error) }),
      });
      this.#listeners.set(family, listener);
      this.#troubles.delete(family);
      this.#passwords.clear();
    } catch (error) {
      const words = `port ${port}, ${family}: ${errorText(error)}`;
      if (this.#troubles.get(family) === words) return;
      this.#troubles.set(family, words);
      this.#log.warn("peers cannot connect to this node; it connects to them", { why: words });
    }
  }

  /** Keys of the listeners, so that signed connections are accepted, and unsigned ones of those peers are not. */
  #sign(): void {
    const wanted = new Map<string, string>();
    for (const { settings, address } of this.#sessions.values()) {
      if (address !== undefined && settings.password !== undefined) wanted.set(address, settings.password);
    }
    for (const address of new Set([...this.#passwords.keys(), ...wanted.keys()])) {
      const password = wanted.get(address);
      if (this.#passwords.get(address) === password) continue;
      const family = familyOf(address);
      try {
        this.#listeners.get(family)?.setMd5({ family, address }, password);
      } catch (error) {
        this.#log.warn("a password could not be set for the peer's connections", {
          address,
          error: errorText(error),
        });
      }
      if (password === undefined) this.#passwords.delete(address);
      else this.#passwords.set(address, password);
    }
  }

  #accept({ socket, address, link }: AcceptedConnection): void {
    const session = [...this.#sessions.values()].find((one) => {
      const { settings } = one;
      if (settings.address !== undefined) return spelled(settings.address) === address;
      return settings.link !== undefined && settings.link === link;
    });
    if (session === undefined) {
      this.#log.debug("a connection from somebody who is no peer was refused", { address });
      socket.destroy();
    } else session.accept(socket);
  }
}
