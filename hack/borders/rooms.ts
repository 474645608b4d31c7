/**
 * Borders between the rooms of a folder (`speaker/plan`, `controller/webhook`), by what is imported for the time when the
 * program runs: types may come from anywhere in the same folder. A file that needs no file of ours, or none but those of
 * `api/`, is a leaf (`speaker/checksum.ts`), and every room may import it. Pure.
 */
import { BORROWED, LENT } from "#hack/borders/folders.ts";
import { ourValues, roomOf, type SourceFile } from "#hack/borders/source.ts";

/** Rooms that import of their own folder nothing but themselves, the named ones, and leaves. */
const CLOSED: Readonly<Record<string, readonly string[]>> = {
  "speaker/native": [],
  "speaker/netlink": ["speaker/native"],
  "speaker/bgp/wire": [],
  "speaker/bfd": ["speaker/native", "speaker/netlink"],
  "speaker/layer2": ["speaker/native", "speaker/netlink"],
  "speaker/forwarding": ["speaker/native", "speaker/netlink"],
};

type Edge = readonly [from: string, to: string];

/** Imports of values between rooms, leaves and the code of tests aside. */
function crossings(files: readonly SourceFile[]): Edge[] {
  const leaves = new Set(files.filter(isLeaf).map(({ path }) => path));
  return files
    .filter(({ isTest }) => !isTest)
    .flatMap((file) => ourValues(file).map((target): Edge => [file.path, target]))
    .filter(([from, to]) => roomOf(from) !== roomOf(to) && !leaves.has(to));
}

function isLeaf(file: SourceFile): boolean {
  const needed = ourValues(file);
  return needed.length === 0 || (!isOfApi(file.path) && needed.every(isOfApi));
}

const isOfApi = (path: string): boolean => path.startsWith("api/");
const isAbove = (room: string, other: string): boolean => other.startsWith(`${room}/`);

/**
 * A room does not import upward what is put together of rooms there (`speaker/speaker.ts`, from `speaker/plan`); what
 * stands above and needs no room below itself, such as `cli/json.ts`, is there for all of them.
 */
export function roomFaults(files: readonly SourceFile[]): string[] {
  const reach = reachOf(files);
  const paths = new Set(files.map(({ path }) => path));
  const found = crossings(files);
  const upward = found
    .filter(([from, to]) => isAbove(roomOf(to), roomOf(from)))
    .flatMap(([from, to]) => {
      const below = [...reach(to)].find((path) => paths.has(path) && isAbove(roomOf(to), roomOf(path)));
      return below === undefined ? [] : [`${from}: imports upward: ${to}, which needs ${below}`];
    });
  const closed = found.flatMap(([from, to]) => {
    const allowed = CLOSED[roomOf(from)];
    if (allowed === undefined || allowed.includes(roomOf(to)) || !isSameFolder(from, to)) return [];
    return [
      `${from}: imports ${to}; ${roomOf(from)}/ imports of its folder ${allowed.join(", ") || "only itself"}`,
    ];
  });
  return [...upward, ...closed];
}

/** File -> all files of ours that it needs when it runs. */
function reachOf(files: readonly SourceFile[]): (path: string) => ReadonlySet<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const known = new Map<string, ReadonlySet<string>>();
  return (path) => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const reached = new Set<string>();
    const open = [path];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const file = byPath.get(next);
      for (const target of file === undefined ? [] : ourValues(file)) {
        if (!reached.has(target)) open.push(target);
        reached.add(target);
      }
    }
    known.set(path, reached);
    return reached;
  };
}

const isSameFolder = (one: string, other: string): boolean => one.split("/")[0] === other.split("/")[0];

/** Circles of files, and circles of rooms: `a -> b -> a`. A room that imports one below it makes no circle with it. */
export function circleFaults(files: readonly SourceFile[]): string[] {
  const byFile = files.flatMap((file) => ourValues(file).map((target): Edge => [file.path, target]));
  const byRoom = crossings(files)
    .map(([from, to]): Edge => [roomOf(from), roomOf(to)])
    .filter(([from, to]) => !isAbove(from, to) && !isAbove(to, from));
  return [
    ...circlesOf(byFile).map((circle) => `files in a circle: ${circle}`),
    ...circlesOf(byRoom).map((circle) => `rooms in a circle: ${circle}`),
  ];
}

/** One text for each way back that a walk in depth meets. */
function circlesOf(edges: readonly Edge[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) next.set(from, (next.get(from) ?? new Set()).add(to));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (node: string, way: readonly string[]): void => {
    const at = way.indexOf(node);
    if (at >= 0) found.push([...way.slice(at), node].join(" -> "));
    if (at >= 0 || done.has(node)) return;
    for (const other of next.get(node) ?? []) visit(other, [...way, node]);
    done.add(node);
  };
  for (const node of next.keys()) visit(node, []);
  return found;
}

/** Who decides, encodes or decodes: no file of these reaches a shell, by itself or by what it imports. */
const PURE = [
  ...BORROWED,
  ...LENT,
  /^console\/(kinds|services|node|nodes|traffic|way|page-of|answers)\.ts$/,
  /^api\//,
  /^speaker\/(bgp\/wire|gossip\/wire)\//,
  ...["packet", "fsm", "session", "timing", "echo-packet"].map(
    (name) => new RegExp(`^speaker/bfd/${name}\\.ts$`),
  ),
  ...["fsm", "rib", "negotiated", "collision", "advertisements"].map(
    (name) => new RegExp(`^speaker/bgp/${name}\\.ts$`),
  ),
  ...["arp", "ndp", "frame", "answer", "pacer"].map((name) => new RegExp(`^speaker/layer2/${name}\\.ts$`)),
  /^speaker\/netlink\/(?!socket\.ts)/,
];
/** Sockets, files, processes, threads. */
const SHELL = /^node:(net|dgram|dns|fs|fs\/promises|http|https|tls|child_process|worker_threads|cluster)$/;
/** Of node:net: functions and values of addresses, without a socket. */
const HARMLESS = ["isIP", "isIPv4", "isIPv6", "BlockList"];
const SOCKETS = /^speaker\/(native\/(socket|tcp|packet|group|datagram)|netlink\/socket)\.ts$/;

/** A rule that is about nothing any more: its files have other names now. */
export function staleRules(files: readonly SourceFile[]): string[] {
  const rooms = Object.keys(CLOSED).filter((room) => !files.some(({ path }) => roomOf(path) === room));
  const patterns = PURE.filter((pattern) => !files.some(({ path }) => pattern.test(path)));
  return [...rooms, ...patterns.map(String)].map((rule) => `hack/borders/rooms.ts: nothing is named ${rule}`);
}

export function shellFaults(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const ways = new Map<string, readonly string[] | undefined>();
  const wayToShell = (path: string): readonly string[] | undefined => {
    if (ways.has(path)) return ways.get(path);
    ways.set(path, undefined);
    const file = byPath.get(path);
    if (file === undefined) return undefined;
    for (const { target, isOurs, values } of file.imports) {
      const used = values.filter((name) => !HARMLESS.includes(name));
      if (used.length === 0) continue;
      const rest = (isOurs ? SOCKETS : SHELL).test(target)
        ? [target]
        : isOurs
          ? wayToShell(target)
          : undefined;
      if (rest === undefined) continue;
      ways.set(path, [path, ...rest]);
      break;
    }
    return ways.get(path);
  };
  return files
    .filter(({ path, isTest }) => !isTest && PURE.some((pattern) => pattern.test(path)))
    .flatMap(({ path }) => {
      const way = wayToShell(path);
      return way === undefined
        ? []
        : [`${path}: decides or encodes, and reaches a shell: ${way.join(" -> ")}`];
    });
}
