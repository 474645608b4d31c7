/**
 * Where peers connect to: a listener for each family that has peers, with a key for each peer that has a password. A
 * connection is handed on only where all that protects its peer holds for it.
 */
import { isDeepStrictEqual } from "node:util";
import { type Family, familyOf } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { AcceptedConnection, TcpListener } from "#speaker/native/tcp.ts";
import { changesInPlace, type SegmentKey } from "#speaker/native/tcp-key.ts";
import { isSamePassword } from "../known/password.ts";
import { keyOf, type Transport } from "./transport.ts";
import type { PeerSettings } from "./types.ts";

/** A session that may be connected to. */
export interface Expected {
  readonly settings: PeerSettings;
  /** As the kernel spells it; undefined while an unnumbered peer is not known, and for a range as a whole. */
  readonly address: string | undefined;
}

export interface ListenersOptions {
  readonly transport: Transport;
  readonly log: Logger;
  /** 0 lets the kernel choose; undefined: nobody listens. */
  readonly port: number | undefined;
  readonly onConnection: (connection: AcceptedConnection, vrf: string | undefined) => void;
}

/** What one listener hears. */
interface Place {
  readonly family: Family;
  readonly vrf: string | undefined;
}

/** A key of a listener: for one address, or for a prefix. */
interface Key extends Place {
  readonly whose: string;
  readonly key: SegmentKey;
}

const placeKey = ({ family, vrf }: Place): string => `${family} ${vrf ?? ""}`;

function placeOf({ settings, address }: Expected): Place {
  const { gateway, range, vrf } = settings;
  const known = address ?? settings.address ?? range;
  return { family: known === undefined ? (gateway ?? "IPv6") : familyOf(known), vrf };
}

/** Whose segments the peer's key is for: routers of a range share one. */
const signerOf = ({ settings, address }: Expected): string | undefined => settings.range ?? address;
const keyName = (place: Place, whose: string): string => `${placeKey(place)} ${whose}`;

const isSameKey = (one: SegmentKey | undefined, other: SegmentKey | undefined): boolean =>
  isSamePassword(one?.password, other?.password) && isDeepStrictEqual(one?.ao, other?.ao);

export class Listeners {
  readonly #options: ListenersOptions;
  /** By placeKey. */
  readonly #listeners = new Map<string, { readonly place: Place; readonly listener: TcpListener }>();
  readonly #troubles = new Map<string, string>();
  /** By keyName: what the listeners have. */
  readonly #keys = new Map<string, Key>();
  /** By keyName: why its key is not as it should be, told once. */
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
    const places = new Map(peers.map(placeOf).map((place) => [placeKey(place), place]));
    for (const [key, place] of places) if (!this.#listeners.has(key)) this.#open(place, port);
    for (const [key, { place, listener }] of this.#listeners) {
      if (places.has(key)) continue;
      listener.close();
      this.#listeners.delete(key);
      this.#forgetKeys(place);
    }
    for (const key of this.#troubles.keys()) if (!places.has(key)) this.#troubles.delete(key);
    this.#sign(peers);
  }

  /** Whether a connection from there came with the peer's signature, or needs none. */
  isSigned(peer: Expected): boolean {
    const wanted = keyOf(peer.settings);
    const present = this.#keys.get(keyName(placeOf(peer), signerOf(peer) ?? ""));
    return wanted === undefined || isSameKey(present?.key, wanted);
  }

  close(): void {
    for (const { listener } of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    this.#keys.clear();
  }

  #open(place: Place, port: number): void {
    const { transport, log, onConnection } = this.#options;
    const { family, vrf } = place;
    const key = placeKey(place);
    try {
      const events = {
        onConnection: (connection: AcceptedConnection) => onConnection(connection, vrf),
        onError: (error: Error) =>
          log.warn("BGP connections are not accepted", { family, vrf, error: errorText(error) }),
      };
      this.#listeners.set(key, { place, listener: transport.listen(family, port, events, vrf) });
      this.#troubles.delete(key);
      this.#forgetKeys(place);
    } catch (error) {
      const where = vrf === undefined ? family : `${family}, VRF ${vrf}`;
      const words = `port ${port}, ${where}: ${errorText(error)}`;
      if (this.#troubles.get(key) === words) return;
      this.#troubles.set(key, words);
      log.warn("peers cannot connect to this node; it connects to them", { why: words });
    }
  }

  #forgetKeys(place: Place): void {
    for (const [name, key] of this.#keys) if (placeKey(key) === placeKey(place)) this.#keys.delete(name);
  }

  /** Gives each listener its peers' keys: the kernel then accepts their connections only if they are signed. */
  #sign(peers: readonly Expected[]): void {
    const wanted = new Map<string, Key>();
    for (const peer of peers) {
      const whose = signerOf(peer);
      const key = keyOf(peer.settings);
      if (whose === undefined || key === undefined) continue;
      const place = placeOf(peer);
      wanted.set(keyName(place, whose), { ...place, whose, key });
    }
    for (const [name, place] of new Map([...this.#keys, ...wanted])) {
      const next = wanted.get(name);
      if (!isSameKey(this.#keys.get(name)?.key, next?.key)) this.#setKey(name, place, next);
    }
  }

  /** `next`: undefined takes the key away. */
  #setKey(name: string, place: Key, next: Key | undefined): void {
    const { family, whose } = place;
    const listener = this.#listeners.get(placeKey(place))?.listener;
    const before = this.#keys.get(name)?.key;
    if (listener === undefined) return;
    const [address = "", length] = whose.split("/");
    try {
      const prefix = length === undefined ? {} : { prefixLength: Number(length) };
      listener.sign({ family, address, ...prefix }, next?.key, before);
      this.#keyTroubles.delete(name);
      if (next === undefined) this.#keys.delete(name);
      else this.#keys.set(name, next);
    } catch (error) {
      // It is tried again; until then nobody gets in (isSigned).
      if (!changesInPlace(before, next?.key)) this.#keys.delete(name);
      const text = errorText(error);
      if (this.#keyTroubles.get(name) === text) return;
      this.#keyTroubles.set(name, text);
      this.#options.log.warn("a password could not be set for the peer's connections", {
        address: whose,
        error: text,
      });
    }
  }
}
