/** The figures as tables for people. Pure. */
import type { Family } from "#api/address.ts";
import type { Figure, Spread } from "./forwarding-figures.ts";
import { KINDS, type Kind, type Sample } from "./forwarding-samples.ts";
import { baseOf, WAYS, type Way } from "./forwarding-ways.ts";

type Place = Sample["place"];
export type Find = (place: Place, way: string, family: Family, kind: Kind) => Figure | undefined;

export const findIn =
  (figures: readonly Figure[]): Find =>
  (...[place, way, family, kind]) =>
    figures.find(
      (one) => one.place === place && one.way === way && one.family === family && one.kind === kind,
    );

export const micros = (value: number): string => value.toFixed(Math.abs(value) < 100 ? 1 : 0);
const nanos = (value: number): string => String(Math.round(value * 1000));
const isRequest = (kind: Kind): boolean => kind === "keep" || kind === "new";
const textOf = (kind: Kind): ((value: number) => string) => (isRequest(kind) ? micros : nanos);

const spread = ({ median, low, high }: Spread, text: (value: number) => string): string =>
  `${text(median)} (${text(low)}..${text(high)})`;

export const waysAt = (find: Find, place: Place, family: Family): Way[] =>
  WAYS.filter(({ name }) => find(place, name, family, "keep") !== undefined);

export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(row)].join("\n");
}

/** What one costs, what it costs more than without rules. */
function cells(figure: Figure | undefined): [cost: string, added: string, rate: string] {
  if (figure === undefined) return ["", "", ""];
  const { kind, micros: cost, added, ratio, rounds, leftOut } = figure;
  const text = textOf(kind);
  const flaw = leftOut > 0 ? ` (**${leftOut} of ${rounds + leftOut} rounds had errors**)` : "";
  return [
    `${text(cost.median)}${flaw}`,
    added === undefined ? "" : spread(added, text),
    ratio === undefined ? "" : ratio.toFixed(2),
  ];
}

export function requestTable(find: Find, place: Place, family: Family): string {
  return table(
    ["way", "on an open connection, µs", "added", "rate", "each a new connection, µs", "added", "rate"],
    waysAt(find, place, family).map(({ name }) => [
      name,
      ...cells(find(place, name, family, "keep")),
      ...cells(find(place, name, family, "new")),
    ]),
  );
}

export function packetTable(find: Find, place: Place, family: Family): string {
  const kinds = ["forth", "back", "first"] as const;
  return table(
    ["way", "to the pod, ns", "added", "from the pod, ns", "added", "first of a flow, ns", "added"],
    waysAt(find, place, family).map(({ name }) => [
      name,
      ...kinds.flatMap((kind) => cells(find(place, name, family, kind)).slice(0, 2)),
    ]),
  );
}

/** What a request on an open connection has more: its packet to the pod, and the pod's answer. Microseconds. */
export function packetsOfRequest(find: Find, place: Place, family: Family, way: string): number | undefined {
  const [forth, back] = (["forth", "back"] as const).map((kind) => find(place, way, family, kind)?.added);
  return forth === undefined || back === undefined ? undefined : forth.median + back.median;
}

/** What the first packet of a flow has more. `direct` is a hop less than its base: nothing that starts with a flow. */
export function firstOfFlow(find: Find, place: Place, family: Family, way: string): number | undefined {
  if (way === "direct") return undefined;
  return find(place, way, family, "first")?.added?.median;
}

/** One figure by two measurements: requests, and the packets that they consist of. */
export function sumTable(find: Find, places: readonly Place[], family: Family): string {
  const rows = WAYS.filter((way) => baseOf(way) !== way.name).map((way) => [
    way.name,
    ...places.flatMap((place) => {
      const measured = find(place, way.name, family, "keep")?.added;
      const packets = packetsOfRequest(find, place, family, way.name);
      return measured === undefined || packets === undefined
        ? ["", ""]
        : [spread(measured, micros), micros(packets)];
    }),
  ]);
  return table(
    ["way", ...places.flatMap((place) => [`request ${WHERE[place]}, µs`, "its packets, µs"])],
    rows,
  );
}

export const WHERE: Readonly<Record<Place, string>> = { here: "here", guest: "in the guest" };

/** What needs no ip_vs, and so is measured on both kernels. */
const KNOWN: ReadonlyArray<readonly [way: string, what: string]> = [
  ["direct", "one hop less"],
  ["tracked", "connections followed"],
  ["dnat", "nftables DNAT"],
  ["dnat-far", "nftables DNAT and masquerade, two nodes"],
];
const WORK: Readonly<Record<Kind, string>> = {
  keep: "request, open connection, µs",
  new: "request, new connection, µs",
  forth: "packet to the pod, ns",
  back: "packet from the pod, ns",
  first: "first packet of a flow, ns",
};

export interface Known {
  readonly what: string;
  readonly kind: Kind;
  readonly native: Figure & { readonly added: Spread };
  readonly guest: Figure & { readonly added: Spread };
  /** The guest's by this machine's. */
  readonly factor: number;
}

export function knownOf(find: Find, family: Family): Known[] {
  return KNOWN.flatMap(([way, what]) =>
    KINDS.flatMap((kind): Known[] => {
      const [native, guest] = [find("here", way, family, kind), find("guest", way, family, kind)];
      if (native?.added === undefined || guest?.added === undefined) return [];
      const factor = guest.added.median / native.added.median;
      return [
        {
          ...{ what, kind, factor },
          native: { ...native, added: native.added },
          guest: { ...guest, added: guest.added },
        },
      ];
    }),
  );
}

export function knownTable(known: readonly Known[]): string {
  return table(
    ["what", "work", "added here", "added in the guest", "guest by here", "rate here", "rate in the guest"],
    known.map(({ what, kind, native, guest, factor }) => [
      ...[what, WORK[kind], spread(native.added, textOf(kind)), spread(guest.added, textOf(kind))],
      factor.toFixed(2),
      ...[native, guest].map(({ ratio }) => ratio?.toFixed(2) ?? ""),
    ]),
  );
}

export interface Factors {
  readonly least: number;
  readonly middle: number;
  readonly most: number;
}

/** What a way adds, in microseconds: `packetsOfRequest` or `firstOfFlow`. */
export type Added = (find: Find, place: Place, family: Family, way: string) => number | undefined;

/**
 * The guest's by this machine's, over the known steps, for work that is the kernel's alone. Without the way `except`:
 * a known step is foretold from the others. NaN where there is none.
 */
export function factorsOf(
  find: Find,
  { family, added, except }: { family: Family; added: Added; except?: string },
): Factors {
  const factors = KNOWN.flatMap(([way]) => {
    const [native, guest] = [added(find, "here", family, way), added(find, "guest", family, way)];
    return way === except || native === undefined || guest === undefined ? [] : [guest / native];
  }).sort((a, b) => a - b);
  const at = (index: number): number => factors[index] ?? Number.NaN;
  const [below, above] = [Math.floor((factors.length - 1) / 2), Math.ceil((factors.length - 1) / 2)];
  return { least: at(0), middle: (at(below) + at(above)) / 2, most: at(factors.length - 1) };
}
