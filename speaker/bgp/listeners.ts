/**
 * Where peers connect to: a listener for each family that has peers, with a key for each peer that has a password. A
 * connection is handed on only where all that protects its peer holds for it.
 */
import { type Family, familyOf } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { AcceptedConnection, TcpListener } from "#speaker/native/tcp.ts";
import { isSamePassword, type Password } from "../known/password.ts";
import type { Transport } from "./transport.ts";
import type { PeerSettings } from "./types.ts";

/** A session that may be connected to. */
export interface Expected {
  readonly settings: PeerSettings;
  /** As the kernel spells it; undefined while an unnumbered peer is not known. */
  readonly address: string | undefined;
}

export interface ListenersOptions {
  readonly transport: Transport;
  readonly log: Logger;
  /** 0 lets the kernel choose; undefined: nobody listens. */
  readonly port: number | undefined;
  readonly onConnection: (connection: AcceptedConnection) => void;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<Family, TcpListener>();
  readonly #troubles = new Map<Family, string>();
  /** Peer's address, as the kernel spells it -> the password that its listener has. */
  readonly #keys = new Map<string, Password>();
  /** Peer's address -> why its key is not as it should be, told once. */
  readonly #keyTroubles = new Map<string, string>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Why nobody can connect to us. */
  get trouble(): string | undefined {
    const [trouble] = this.#troubles.values();
    return trouble;
  }

  /** Exactly these are expected from now on. */
  expect(peers: readonly Expected[]): void {
    const { port } = this.#options;
    if (port === undefined) return;
    const families = new Set(
      peers.map(({ settings, address }) => familyOf(address ?? settings.address ?? ":")),
    );
    for (const family of families) if (!this.#listeners.has(family)) this.#open(family, port);
    for (const [family, listener] of this.#listeners) {
      if (families.has(family)) continue;
      listener.close();
      this.#listeners.delete(family);
      this.#forgetKeys(family);
    }
    this.#sign(peers);
  }

  /** Whether a connection from there came with the peer's signature, or needs none. */
  isSigned({ settings, address }: Expected): boolean {
    const { password } = settings;
    return password === undefined || isSamePassword(this.#keys.get(address ?? ""), password);
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    this.#keys.clear();
  }

  #open(family: Family, port: number): void {
    const { transport, log, onConnection } = this.#options;
    try {
      const listener = transport.listen(family, port, {
        onConnection,
        onError: (error) => log.warn("BGP connections are not accepted", { family, error: errorText(error) }),
      });
      this.#listeners.set(family, listener);
      this.#troubles.delete(family);
      this.#forgetKeys(family);
    } catch (error) {
      const words = `port ${port}, ${family}: ${errorText(error)}`;
      if (this.#troubles.get(family) === words) return;
      this.#troubles.set(family, words);
      log.warn("peers cannot connect to this node; it connects to them", { why: words });
    }
  }

  #forgetKeys(family: Family): void {
    for (const address of this.#keys.keys()) if (familyOf(address) === family) this.#keys.delete(address);
  }

  /** Gives each listener its peers' keys: the kernel then accepts their connections only if they are signed. */
  #sign(peers: readonly Expected[]): void {
    const wanted = new Map<string, Password>();
    for (const { settings, address } of peers) {
      if (address !== undefined && settings.password !== undefined) wanted.set(address, settings.password);
    }
    for (const address of new Set([...this.#keys.keys(), ...wanted.keys()])) {
      const password = wanted.get(address);
      if (!isSamePassword(this.#keys.get(address), password)) this.#setKey(address, password);
    }
  }

  #setKey(address: string, password: Password | undefined): void {
    const family = familyOf(address);
    const listener = this.#listeners.get(family);
    if (listener === undefined) return;
    try {
      listener.setMd5({ family, address }, password);
      this.#keyTroubles.delete(address);
      if (password === undefined) this.#keys.delete(address);
      else this.#keys.set(address, password);
    } catch (error) {
      // It stays as it was and is tried again; until then nobody gets in without the right one.
      const text = errorText(error);
      if (this.#keyTroubles.get(address) === text) return;
      this.#keyTroubles.set(address, text);
      this.#options.log.warn("a password could not be set for the peer's connections", {
        address,
        error: text,
      });
    }
  }
}
