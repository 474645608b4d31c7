/**
 * Cuts what a pass has to do into portions, each of which can be read, written and read back by itself and holds the main
 * thread for milliseconds. What belongs together stays together: a port's virtual servers and all its elements, a service
 * that goes and the record of its mark. What comes is done before what goes.
 */
import { markValue, ownerOf, portKey } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { parseServerKey } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** How large portions are. */
export interface PortionSizes {
  /** Fewer entries than this are one portion. */
  readonly few: number;
  /** Virtual servers; each takes about ten operations. */
  readonly servers: number;
  /** Elements that belong to no server of the portion. */
  readonly elements: number;
  readonly routes: number;
}

export const PORTION_SIZES: PortionSizes = { few: 500, servers: 48, elements: 1_000, routes: 500 };

/** Entries whose owner is found at a time. */
const LOOKED_AT = 2_000;

/** Entries of one owner (elements.ts). */
type ByOwner = Map<string, [set: string, key: string][]>;

/** Some are empty: to find what belongs together takes time, too. */
export function* portionsOf(due: Entries, wanted: Wanted, sizes = PORTION_SIZES): Generator<Entries> {
  if (due.size <= sizes.few) {
    yield due;
    return;
  }
  const owners = yield* byOwner(due);
  const isComing = (key: string): boolean => wanted.servers.has(key);
  const routes = [...due.routes];
  yield* chunks(
    routes.filter((vip) => wanted.routes.has(vip)),
    sizes.routes,
    (portion, vip) => portion.routes.add(vip),
  );
  const servers = [...due.servers];
  const coming = servers.filter(isComing);
  const going = servers.filter((key) => !isComing(key));
  const ofGoing = new Set(going.map((key) => `mark ${markOf(key)}`));
  yield* chunks(coming, sizes.servers, (portion, key) => {
    portion.servers.add(key);
    take(owners, `mark ${markOf(key)}`, portion);
    const port = wanted.portOf(parseServerKey(key).mark);
    if (port === undefined) return;
    const set = port.family === "IPv4" ? "ports4" : "ports6";
    take(owners, ownerOf(set, portKey(port.vip, port.protocol, port.port)), portion);
  });
  let portion = new Entries();
  for (const owner of [...owners.keys()]) {
    if (ofGoing.has(owner)) continue;
    take(owners, owner, portion);
    if (portion.size < sizes.elements) continue;
    yield portion;
    portion = new Entries();
  }
  if (portion.size > 0) yield portion;
  yield* chunks(going, sizes.servers, (last, key) => {
    last.servers.add(key);
    take(owners, `mark ${markOf(key)}`, last);
  });
  yield* chunks(
    routes.filter((vip) => !wanted.routes.has(vip)),
    sizes.routes,
    (last, vip) => last.routes.add(vip),
  );
}

const markOf = (key: string): string => markValue(parseServerKey(key).mark);

function* byOwner(due: Entries): Generator<Entries, ByOwner> {
  const owners: ByOwner = new Map();
  let seen = 0;
  for (const [set, keys] of due.elements) {
    for (const key of keys) {
      const owner = ownerOf(set, key);
      const own = owners.get(owner);
      if (own === undefined) owners.set(owner, [[set, key]]);
      else own.push([set, key]);
      seen += 1;
      if (seen % LOOKED_AT === 0) yield new Entries();
    }
  }
  return owners;
}

function take(owners: ByOwner, owner: string, portion: Entries): void {
  for (const [set, key] of owners.get(owner) ?? []) portion.addElement(set, key);
  owners.delete(owner);
}

function* chunks<T>(
  all: readonly T[],
  size: number,
  add: (portion: Entries, one: T) => void,
): Generator<Entries> {
  for (let start = 0; start < all.length; start += size) {
    const portion = new Entries();
    for (const one of all.slice(start, start + size)) add(portion, one);
    yield portion;
  }
}
