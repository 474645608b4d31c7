/**
 * Nodes tell each other of their connections by the kernel's own sync daemons, so that a flow goes on at any node though
 * the list of pods has changed since it began (docs/dataplane.md, "Shared connections"). Daemons are started and stopped
 * here; a beacon shows who is heard, because a network that passes no multicast is silent like one without connections.
 */

import { type Family, familyOf } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { errorText } from "#common/error.ts";
import { Heard } from "#speaker/forwarding/heard.ts";
import { BEACON, entryOf, messagesOf, SYNC_ID } from "#speaker/forwarding/sync-message.ts";
import { SYNC_GROUP, type SyncRole } from "#speaker/forwarding/sync-rules.ts";
import type { Change, SyncInput, SyncTrouble } from "#speaker/forwarding/types.ts";
import { NetlinkError, NoFamilyError } from "#speaker/netlink/error.ts";
import type { Daemon, IpvsDaemons } from "#speaker/netlink/ipvs-daemon.ts";

const ROLES: readonly SyncRole[] = ["backup", "master"];
const BEACON_MS = 5_000;
/** IP and UDP. */
const HEADERS: Readonly<Record<Family, number>> = { IPv4: 28, IPv6: 48 };
const DEFAULT_MTU = 1500;
/**
 * Messages in one piece of work. The daemon's socket holds some ninety. The kernel lists 4 kB at a time, and goes through all
 * connections before them each time: with 100,000 that is a millisecond for each message.
 */
const BURST = 4;

export interface SyncParts {
  readonly daemons: Pick<IpvsDaemons, "list" | "start" | "stop">;
  /** Of a link, bytes; undefined: there is no such link. */
  readonly mtuOf: (link: string) => number | undefined;
  /** Addresses that the rules let through lately. */
  readonly heard: (family: Family) => ReadonlySet<string>;
  /** To the group, by the link; throws SocketError. */
  readonly send: (datagrams: SyncDatagrams) => void;
  /** Lines of /proc/net/ip_vs_conn_sync, read as they are taken. Throws Error with `code`. */
  readonly connections: () => Iterable<string>;
}

export interface SyncDatagrams {
  readonly family: Family;
  readonly from: string;
  readonly link: string;
  /** To this node's own daemon alone, and not to all on the link. */
  readonly isKeptHere: boolean;
  readonly messages: readonly Buffer[];
}

/** Whatever link it is on. */
const isOurs = ({ syncId, port, group }: Daemon): boolean =>
  syncId === SYNC_ID && port === PORT.sync && Object.values(SYNC_GROUP).includes(group);

export class ConnectionSync {
  readonly #parts: SyncParts;
  readonly #heard = new Heard();
  #trouble: SyncTrouble | undefined;
  /** A link that was made anew with its name takes the daemons' sockets with it, and the kernel does not say so. */
  #index: number | undefined;
  #wanted: SyncInput | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;
  #startedAt: number | undefined;

  constructor(parts: SyncParts) {
    this.#parts = parts;
  }

  /** As of the last `ensure`. */
  get trouble(): SyncTrouble | undefined {
    return this.#trouble;
  }

  /** When this process last made the daemon that takes connections in; undefined: it found that daemon at work. */
  get startedAt(): number | undefined {
    return this.#startedAt;
  }

  /** Undefined: nothing is to be shared, and daemons of ours end. `now`: milliseconds, monotonic. Throws NoFamilyError. */
  ensure(wanted: SyncInput | undefined, now: number): Change[] {
    const changes: Change[] = [];
    this.#trouble = undefined;
    this.#wanted = wanted;
    try {
      this.#ensureDaemons(wanted, changes);
      if (changes.some(({ action, name }) => action === "create" && name.startsWith("backup")))
        this.#startedAt = now;
    } catch (error) {
      if (!(error instanceof NetlinkError) || error instanceof NoFamilyError) throw error;
      this.#trouble = { code: "SyncRefused", message: error.message };
    }
    if (wanted === undefined) this.#heard.clear();
    else if (this.#trouble === undefined) this.#listen(wanted, now);
    return changes;
  }

  /** Daemons of ours end. Throws NetlinkError. */
  remove(): void {
    this.#ensureDaemons(undefined, []);
    this.#trouble = undefined;
    this.#heard.clear();
  }

  /**
   * Tells this node's kernel once more of all connections that others told it of. The kernel binds to a pod of its list those
   * that were bound to nothing, as the list was not there then. Work in pieces; the daemon needs a moment after each. False:
   * not all could be told of, and `trouble` says why.
   */
  *bindTold(): Generator<undefined, boolean> {
    const wanted = this.#wanted;
    if (wanted === undefined) return true;
    // The daemon is at work, though one of the others is silent.
    if (this.#trouble !== undefined && this.#trouble.code !== "SyncUnheard") return false;
    const { send, connections } = this.#parts;
    const { link, address: from } = wanted;
    const family = familyOf(from);
    let burst: Buffer[] = [];
    const flush = (): void => {
      if (burst.length > 0) send({ family, from, link: link.name, isKeptHere: true, messages: burst });
      burst = [];
    };
    try {
      for (const message of messagesOf(entriesOf(connections()), this.#lengthOn(link.name, family))) {
        burst.push(message);
        if (burst.length < BURST) continue;
        flush();
        yield;
      }
      flush();
      return true;
    } catch (error) {
      const message = `tell this node's kernel of connections again: ${errorText(error)}`;
      this.#trouble = { code: "SyncRefused", message };
      return false;
    }
  }

  #ensureDaemons(wanted: SyncInput | undefined, changes: Change[]): void {
    const { daemons } = this.#parts;
    const present = new Map(daemons.list().map((one) => [one.role, one]));
    const isOtherLink =
      wanted !== undefined && this.#index !== undefined && this.#index !== wanted.link.index;
    for (const role of ROLES) {
      const found = present.get(role);
      if (found !== undefined && !isOurs(found)) {
        if (wanted !== undefined) this.#trouble ??= foreign(found);
        continue;
      }
      const daemon = wanted && daemonOf(role, wanted);
      const isRight = daemon !== undefined && isSame(daemon, found) && !isOtherLink;
      if (isRight) continue;
      if (found !== undefined) {
        daemons.stop(role);
        changes.push({ action: "remove", kind: "syncDaemon", name: `${role} on ${found.link}` });
      }
      if (daemon === undefined) continue;
      daemons.start(
        daemon,
        role === "master" ? this.#lengthOn(daemon.link, familyOf(daemon.group)) : undefined,
      );
      changes.push({ action: "create", kind: "syncDaemon", name: `${role} on ${daemon.link}` });
    }
    this.#index = wanted?.link.index;
  }

  /** What fits into a frame: a lost fragment would lose all connections of a message. */
  #lengthOn(link: string, family: Family): number {
    const mtu = Math.min(this.#parts.mtuOf(link) ?? DEFAULT_MTU, DEFAULT_MTU);
    return mtu - HEADERS[family];
  }

  #listen({ link, address, peers }: SyncInput, now: number): void {
    const { send, heard } = this.#parts;
    const family = familyOf(address);
    if (now - this.#sentAt >= BEACON_MS) {
      this.#sentAt = now;
      send({ family, from: address, link: link.name, isKeptHere: false, messages: [BEACON] });
    }
    this.#trouble = this.#heard.judge({ peers, heard: heard(family), link: link.name, now });
  }
}

function* entriesOf(lines: Iterable<string>): Generator<Buffer> {
  for (const line of lines) {
    const entry = entryOf(line);
    if (entry !== undefined) yield entry;
  }
}

function daemonOf(role: SyncRole, { link, address }: SyncInput): Daemon {
  return { role, link: link.name, syncId: SYNC_ID, group: SYNC_GROUP[familyOf(address)], port: PORT.sync };
}

function isSame(a: Daemon, b: Daemon | undefined): boolean {
  return a.link === b?.link && a.syncId === b.syncId && a.group === b.group && a.port === b.port;
}

function foreign({ role, link, syncId }: Daemon): SyncTrouble {
  return {
    code: "ForeignSync",
    message: `another program has the kernel's sync ${role} (on ${link}, syncid ${syncId}; ipvsadm -L --daemon shows it): it is left alone`,
  };
}
