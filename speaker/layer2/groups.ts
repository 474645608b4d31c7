/**
 * Solicited-node groups of the IPv6 addresses that are announced on one link (RFC 4291 section 2.7.1): questions for an
 * address go to ff02::1:ff and its last three bytes. A switch that listens to MLD sends them to nobody who has not
 * joined that group, so whoever answers for an address has to be a member. Hearing all multicast is not enough: it tells
 * the switch nothing.
 *
 * Addresses with the same last three bytes share a group. Joining is work of the kernel for each group and comes in
 * slices, so that a thousand new addresses do not keep questions waiting.
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
  /** Announced addresses that have it. */
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
  /** Wanted, and refused by the kernel at the last try; `error` is its word for one of them. */
  readonly refused: number;
  readonly error: unknown;
}

/** The kernel's word for a socket whose option memory is used up. */
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

  /** Once for each `hold`. */
  release(vip: Uint8Array): void {
    const key = addressKey(solicitedNode(vip));
    const group = this.#groups.get(key);
    if (group === undefined) return;
    group.holders -= 1;
    if (group.holders === 0) this.#due.add(key);
  }

  /** Joins and leaves `most` groups at most; whether more are to be done. */
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

  /** What was refused is due again; whether anything was. */
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
      // The membership went with its link: nothing is left to leave.
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && FULL.has(String(error.code));
}
