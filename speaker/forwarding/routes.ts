/** The `local` routes of our addresses in our own routing table, by rtnetlink. */
import type { RefusedRoute, RouteTable } from "#speaker/forwarding/kernel.ts";
import { DEFAULT_SETTINGS, type ForwardingSettings } from "#speaker/forwarding/types.ts";
import { AF_INET, AF_INET6 } from "#speaker/netlink/domain.ts";
import { isErrno, NO_WAY } from "#speaker/netlink/error.ts";
import {
  addRoute,
  localRoute,
  removeRoute,
  TYPE_LOCAL,
  walkOwnRoutes,
  waysWithMark,
} from "#speaker/netlink/route.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const LOOPBACK = 1;
export const FAMILY_NUMBERS = [AF_INET, AF_INET6] as const;

export class KernelRoutes implements RouteTable {
  readonly #socket: Pick<NetlinkSocket, "gets" | "batch">;
  readonly #walker: Pick<NetlinkSocket, "walk">;
  readonly #settings: ForwardingSettings;

  /** `walker` is a socket of its own, which may be in the middle of a list while the other one works. */
  constructor(
    socket: Pick<NetlinkSocket, "gets" | "batch">,
    walker: Pick<NetlinkSocket, "walk">,
    settings: ForwardingSettings = DEFAULT_SETTINGS,
  ) {
    this.#socket = socket;
    this.#walker = walker;
    this.#settings = settings;
  }

  *walk(): Generator<readonly string[], void> {
    for (const family of FAMILY_NUMBERS) {
      for (const part of walkOwnRoutes(this.#walker, family, this.#settings.table))
        yield part.flatMap(({ destination }) => destination ?? []);
    }
  }

  find(vips: readonly string[]): boolean[] {
    const { table, routingBit } = this.#settings;
    let isSure = true;
    const found = waysWithMark(this.#socket, vips, routingBit).map((way) => {
      if ("errno" in way) isSure &&= NO_WAY.includes(way.errno);
      else if (way.type === TYPE_LOCAL && way.table === table) return true;
      // The address is local by another table, which the kernel asks before ours.
      else isSure &&= way.type !== TYPE_LOCAL;
      return false;
    });
    if (isSure) return found;
    // Only the list shows what is in our table.
    const all = new Set([...this.walk()].flat());
    return vips.map((vip) => all.has(vip));
  }

  write({
    add,
    remove,
  }: {
    readonly add: readonly string[];
    readonly remove: readonly string[];
  }): RefusedRoute[] {
    const { table } = this.#settings;
    const coming = add.map((vip) => addRoute(localRoute(vip, table, LOOPBACK)));
    const going = remove.map((vip) => removeRoute(localRoute(vip, table, LOOPBACK)));
    const vips = [...add, ...remove];
    return this.#socket.batch([...coming, ...going]).flatMap(({ index, error }) => {
      const isGoing = index >= add.length;
      const isDone = isGoing ? isErrno(error, "ESRCH", "ENOENT") : isErrno(error, "EEXIST");
      return isDone ? [] : [{ vip: vips[index] ?? "", error }];
    });
  }
}
