/**
 * Cuts what a pass has to do into portions, each of which can be read, written and read back by itself and holds the main
 * thread for milliseconds. What belongs together stays together: a port's virtual servers and all its elements, a service
 * that goes and the record of its mark. What comes is done before what goes.
 */
import { markValue, ownerOf, portKey } from "#speaker/forwarding/elements.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import { parseServerKey } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";

/** Virtual servers of one portion; each takes about ten operations. */
const SERVERS = 48;
/** Elements of one portion that belong to no server in it. */
const ELEMENTS = 1_000;
const ROUTES = 500;
/** Less than this is one portion. */
const FEW = 500;

/** Entries of one owner (elements.ts). */
type ByOwner = Map<string, [set: string, key: string][]>;

export function* portionsOf(due: Entries, wanted: Wanted): Generator<Entries> {
  if (due.size <= FEW) {
    yield due;
    return;
  }
  const owners = byOwner(due);
  const isComing = (key: string): boolean => wanted.servers.has(key);
  const routes = [...due.routes];
  yield* chunks(
    routes.filter((vip) => wanted.routes.has(vip)),
    ROUTES,
    (portion, vip) => portion.routes.add(vip),
  );
  const servers = [...due.servers];
  const coming = servers.filter(isComing);
  const going = servers.filter((key) => !isComing(key));
  const ofGoing = new Set(going.map((key) => `mark ${markOf(key)}`));
  yield* chunks(coming, SERVERS, (portion, key) => {
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
    if (portion.size < ELEMENTS) continue;
    yield portion;
    portion = new Entries();
  }
  if (portion.size > 0) yield portion;
  yield* chunks(going, SERVERS, (last, key) => {
    last.servers.add(key);
    take(owners, `mark ${markOf(key)}`, last);
  });
  yield* chunks(
    routes.filter((vip) => !wanted.routes.has(vip)),
    ROUTES,
    (last, vip) => last.routes.add(vip),
  );
}

const markOf = (key: string): string => markValue(parseServerKey(key).mark);

function byOwner(due: Entries): ByOwner {
  const owners: ByOwner = new Map();
  for (const [set, keys] of due.elements) {
    for (const key of keys) {
      const owner = ownerOf(set, key);
      const own = owners.get(owner);
      if (own === undefined) owners.set(owner, [[set, key]]);
      else own.push([set, key]);
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
