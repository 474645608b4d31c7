/** Entries of the kernel that are not as wanted, shown to people: what is wanted beside what is there. */
import type { Family } from "#api/address.ts";
import type { Entries } from "#speaker/forwarding/entries.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { describeKey, parseServerKey } from "#speaker/forwarding/server-key.ts";
import type { Element, VirtualServer } from "#speaker/forwarding/types.ts";
import type { PresentServer } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** So many of each kind are shown. */
const SHOWN = 20;

export interface Difference {
  /** How many there are in all. */
  readonly entries: number;
  readonly virtualServers: readonly {
    readonly family: Family;
    readonly mark: number;
    readonly wanted?: VirtualServer;
    readonly there?: PresentServer;
  }[];
  readonly elements: readonly {
    readonly set: string;
    readonly key: string;
    readonly wanted?: Element;
    readonly isThere: boolean;
  }[];
  readonly routes: readonly { readonly vip: string; readonly isWanted: boolean; readonly isThere: boolean }[];
}

/** Reads the entries that it shows. Throws NetlinkError. */
export function describeDifference(
  { servers, elements, routes }: Pick<ForwardingKernel, "servers" | "elements" | "routes">,
  wanted: Wanted,
  entries: Entries,
): Difference {
  const keys = [...entries.servers].slice(0, SHOWN);
  const services = keys.length === 0 ? [] : servers.find(keys.map(parseServerKey));
  const ofSets = [...entries.elements].flatMap(([set, all]) => [...all].map((key) => ({ set, key })));
  const vips = [...entries.routes].slice(0, SHOWN);
  const isThere = vips.length === 0 ? [] : routes.find(vips);
  return {
    entries: entries.size,
    virtualServers: keys.map((key, at) => {
      const [server, service] = [wanted.servers.get(key), services[at]];
      return {
        ...describeKey(key),
        ...(server !== undefined && { wanted: server }),
        ...(service !== undefined && { there: { service, destinations: servers.destinations(service) } }),
      };
    }),
    elements: ofSets.slice(0, SHOWN).map(({ set, key }) => {
      const element = wanted.elements.get(set)?.get(key);
      const [found] = elements.find(set, [element ?? { key }]);
      return { set, key, ...(element !== undefined && { wanted: element }), isThere: found !== undefined };
    }),
    routes: vips.map((vip, at) => ({ vip, isWanted: wanted.routes.has(vip), isThere: isThere[at] === true })),
  };
}
