/**
 * Solicited-node groups of the IPv6 addresses that are announced on one link (RFC 4291 section 2.7.1): questions for an
 * address go to ff02::1:ff and its last three bytes. A switch that listens to MLD sends them only to stations that have
 * joined that group, so a node that answers for an address has to be a member. To receive all multicast is not enough,
 * because the switch does not learn of that.
 *
 * Addresses with the same last three bytes share a group. Each join takes the kernel some time, so groups are joined in
 * slices. Then a thousand new addresses do not keep questions waiting.
 */
import { addressKey } from "./address.ts";
import { solicitedNode } from "./ndp.ts";

/** speaker/native/group.ts is the real one. */
export interface GroupMembership {
  join(group: Uint8Array): void;
  leave(group: Uint8Array): void;
  close(): void;
}

interface Group {
  readonly address: Uint8Array;
  /** The announced addresses whose group it is. */
  holders: number;
  socket: Room | undefined;
}

interface Room {
  readonly membership: GroupMembership;
  groups: number;
  isFull: boolean;
}

export interface GroupsReport {
  readonly joined: number;
  /** How many wanted groups the kernel refused at the last try. `error` is the kernel's error for one of them. */
  readonly refused: number;
  readonly error: unknown;
}

/** The kernel's error for a socket whose option memory is used up. */
const FULL = new Set(["ENOBUFS", "ENOMEM"]);

export class SolicitedGroups {
  readonly #open: () => GroupMembership;
  readonly #groups = new Map<string, Group>();
  /** Groups whose membership is not as it should be; those in `#refused` wait for `retry`. */
  readonly #due = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #rooms: Room[] = [];
  #joined = 0;
  #error: unknown;

  /** `open` makes a socket for the link; it may throw. */
  constructor(open: () => GroupMembership) {
    this.#open = open;
  }

  /** `vip`: 16 bytes. Takes effect with `work`. */
  hold(vip: Uint8Array): void {
    const address = solicitedNode(vip);
    const key = addressKey(address);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.holders += 1;
      return;
    }
    this.#groups.set(key, { address, holders: 1, socket: undefined });
    this.#due.add(key);
  }

  /** Call it once for each `hold`. */
  release(vip: Uint8Array): void {
    const key = addressKey(solicitedNode(vip));
    const group = this.#groups.get(key);
    if (group === undefined) return;
    group.holders -= 1;
    if (group.holders === 0) this.#due.add(key);
  }

  /** Joins and leaves at most `most` groups. Returns whether there are more. */
  work(most: number): boolean {
    let left = most;
    for (const key of this.#due) {
      if (left === 0) return true;
      left -= 1;
      this.#due.delete(key);
      this.#refused.delete(key);
      const group = this.#groups.get(key);
      if (group === undefined) continue;
      if (group.holders > 0) this.#join(key, group);
      else this.#leave(key, group);
    }
    return false;
  }

  /** Makes refused groups due again. Returns whether there were any. */
  retry(): boolean {
    for (const key of this.#refused) this.#due.add(key);
    return this.#refused.size > 0;
  }

  report(): GroupsReport {
    const refused = this.#refused.size;
    return { joined: this.#joined, refused, error: refused === 0 ? undefined : this.#error };
  }

  close(): void {
    for (const { membership } of this.#rooms.splice(0)) membership.close();
    this.#groups.clear();
    this.#due.clear();
    this.#refused.clear();
    this.#joined = 0;
  }

  #join(key: string, group: Group): void {
    if (group.socket !== undefined) return;
    try {
      group.socket = this.#joinSomewhere(group.address);
      this.#joined += 1;
    } catch (error) {
      this.#error = error;
      this.#refused.add(key);
    }
  }

  #joinSomewhere(address: Uint8Array): Room {
    for (const room of this.#rooms) {
      if (room.isFull) continue;
      try {
        room.membership.join(address);
        room.groups += 1;
        return room;
      } catch (error) {
        if (!isFull(error)) throw error;
        room.isFull = true;
      }
    }
    const membership = this.#open();
    try {
      membership.join(address);
    } catch (error) {
      membership.close();
      throw error;
    }
    const room: Room = { membership, groups: 1, isFull: false };
    this.#rooms.push(room);
    return room;
  }

  #leave(key: string, group: Group): void {
    this.#groups.delete(key);
    const room = group.socket;
    if (room === undefined) return;
    this.#joined -= 1;
    room.groups -= 1;
    room.isFull = false;
    if (room.groups === 0) {
      this.#rooms.splice(this.#rooms.indexOf(room), 1);
      room.membership.close();
      return;
    }
    try {
      room.membership.leave(group.address);
    } catch {
      // The membership ended with its link, so there is nothing to leave.
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && FULL.has(String(error.code));
}
