/**
 * Routers of ranges: a BGPPeer that names a prefix has a session with each router that has connected from an address of
 * it. None of them is called, so one that is gone for long is forgotten.
 */
import { prefixContains } from "#speaker/known/links.ts";
import type { SessionReport, WantedSession } from "./types.ts";

/** A router that has connected. */
export interface Member {
  /** Of its session: the BGPPeer's name and the address. */
  readonly key: string;
  readonly peer: string;
  readonly address: string;
}

type Wanted = ReadonlyMap<string, WantedSession>;

export class Members {
  /** By key; who came first stands first. */
  readonly #members = new Map<string, Member>();
  /** BGPPeer -> the last address that there was no room for. */
  readonly #refused = new Map<string, string>();

  /** Those of ranges that are wanted no more are forgotten. */
  keep(wanted: Wanted): void {
    for (const member of this.#members.values()) if (!isOf(member, wanted)) this.#members.delete(member.key);
    for (const peer of this.#refused.keys()) if (!wanted.has(peer)) this.#refused.delete(peer);
  }

  get(key: string): Member | undefined {
    return this.#members.get(key);
  }

  /** The sessions of one BGPPeer's members. */
  sessions(peer: string, { settings, advertisements }: WantedSession): [string, WantedSession][] {
    return this.#of(peer).map(({ key, address }) => [
      key,
      { settings: { ...settings, address }, advertisements },
    ]);
  }

  /**
   * A member for whoever has connected from an address of the range. Where there is no room it takes the place of one
   * whose session is not up. undefined: all places are taken by sessions.
   */
  add(
    peer: string,
    wanted: WantedSession,
    address: string,
    isUp: (key: string) => boolean,
  ): Member | undefined {
    const own = this.#of(peer);
    const { maximumSessions = 1 } = wanted.settings;
    if (own.length >= maximumSessions) {
      const idle = own.find(({ key }) => !isUp(key));
      if (idle === undefined) {
        this.#refused.set(peer, address);
        return undefined;
      }
      this.#members.delete(idle.key);
    }
    const member = { key: `${peer} ${address}`, peer, address };
    this.#members.set(member.key, member);
    return member;
  }

  forget(key: string): void {
    const member = this.#members.get(key);
    if (member === undefined) return;
    this.#members.delete(key);
    this.#refused.delete(member.peer);
  }

  /** Which routers were refused, at whichever session of the BGPPeer one looks; a line for a range that nobody came from. */
  reports(sessions: readonly SessionReport[], wanted: Wanted): SessionReport[] {
    const ranges = [...wanted.values()].flatMap(({ settings: { name, range, maximumSessions } }) =>
      range === undefined ? [] : [{ name, range, maximumSessions }],
    );
    const waiting = ranges
      .filter(({ name }) => !sessions.some(({ peer }) => peer === name))
      .map(({ name, range }) => nobody(name, range));
    const warnings = new Map(
      ranges.flatMap(({ name, maximumSessions }) => {
        const address = this.#refused.get(name);
        return address === undefined
          ? []
          : [[name, `${address} was refused: spec.maximumSessions is ${maximumSessions}`]];
      }),
    );
    const told = sessions.map((report) => {
      const warning = report.warning ?? warnings.get(report.peer);
      return warning === undefined ? report : { ...report, warning };
    });
    return [...told, ...waiting];
  }

  #of(peer: string): Member[] {
    return [...this.#members.values()].filter((member) => member.peer === peer);
  }
}

function isOf({ peer, address }: Member, wanted: Wanted): boolean {
  const range = wanted.get(peer)?.settings.range;
  return range !== undefined && prefixContains(range, address);
}

/** Of several ranges with the address that with the longest prefix. */
export function rangeOf(wanted: Wanted, address: string, vrf: string | undefined): WantedSession | undefined {
  const found = [...wanted.values()].filter(
    ({ settings: { range, vrf: own } }) =>
      range !== undefined && own === vrf && prefixContains(range, address),
  );
  return found.sort((a, b) => lengthOf(b) - lengthOf(a))[0];
}

const lengthOf = ({ settings: { range = "" } }: WantedSession): number => Number(range.split("/")[1]);

function nobody(peer: string, range: string): SessionReport {
  return {
    ...{ peer, address: "", state: "Active", losses: 0 },
    ...{ prefixesAdvertised: 0, prefixesReceived: 0, prefixesKeptBack: 0, prefixesWithoutNextHop: 0 },
    ...{ messagesIn: 0, messagesOut: 0, updatesOut: 0 },
    lastError: `no router of ${range} has a session: they connect to this node`,
  };
}
