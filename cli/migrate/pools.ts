/** AddressPool of old, or IPAddressPool with its advertisements -> AddressPool. */
import { AddressError, formatRange, parseRange } from "#api/address.ts";
import { whySpecial } from "#api/special.ts";
import { aggregationNotTooWide } from "#api/v1beta1/admission/advertisements.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";
import {
  BGP_FIELDS,
  bgpEntries,
  L2_FIELDS,
  layer2Part,
  noteExposure,
  noteUnsupported,
  selects,
  uniqueEntries,
} from "#cli/migrate/advertisements.ts";
import type { Aliases } from "#cli/migrate/communities.ts";
import {
  inText,
  isMap,
  listOf,
  mapsOf,
  NOWHERE,
  type Notes,
  type Source,
  type Spec,
} from "#cli/migrate/source.ts";

export interface PoolInput {
  /** AddressPools and IPAddressPools. */
  readonly pools: readonly Source[];
  readonly layer2: readonly Source[];
  readonly bgp: readonly Source[];
  readonly aliases: Aliases;
  /** For a pool that is announced both ways. */
  readonly prefer: "layer2" | "bgp";
}

export interface Converted {
  readonly source: Source;
  readonly spec: Spec;
}

export function convertPools(input: PoolInput, notes: Notes): Converted[] {
  const modern = input.pools.filter(({ kind }) => kind === "IPAddressPool");
  for (const source of input.layer2) noteUnsupported(source, modern, L2_FIELDS, notes);
  for (const source of input.bgp) noteUnsupported(source, modern, BGP_FIELDS, notes);
  return input.pools.map((source) => {
    const announced =
      source.kind === "AddressPool" ? oldPool(source, input) : announcedPool(source, input, notes);
    const spec: Spec = { ...source.spec, ...announced, addresses: readable(source, notes) };
    tidyAllocation(source, spec, notes);
    narrow(source, spec, notes);
    return { source, spec };
  });
}

/** Its protocol and advertisements are its own. */
function oldPool(source: Source, { aliases }: PoolInput): Spec {
  const { protocol } = source.spec;
  const written = mapsOf(source.spec, "bgpAdvertisements");
  delete source.spec.bgpAdvertisements;
  const entries = bgpEntries(
    written.map((spec) => ({ source, spec })),
    aliases,
  );
  return { protocol, ...(entries.length === 0 ? {} : { bgpAdvertisements: entries }) };
}

function announcedPool(source: Source, { layer2, bgp, aliases, prefer }: PoolInput, notes: Notes): Spec {
  const byLayer2 = layer2.filter((advertisement) => selects(advertisement, source));
  const byBgp = bgp.filter((advertisement) => selects(advertisement, source));
  const has = { layer2: byLayer2.length > 0, bgp: byBgp.length > 0 };
  if (!has.layer2 && !has.bgp) {
    notes.add(
      source,
      "no advertisement selects it: its addresses are given and never announced, which ours does by node selectors that match no node",
    );
    return { protocol: "layer2", nodeSelectors: NOWHERE };
  }
  const protocol = has.layer2 && has.bgp ? prefer : has.bgp ? "bgp" : "layer2";
  if (has.layer2 && has.bgp) {
    const lost = (protocol === "bgp" ? byLayer2 : byBgp).map(({ kind, name }) => `${kind} "${name}"`);
    notes.add(
      source,
      `is announced both ways, ours has one protocol: ${protocol} is carried over, ${lost.join(", ")} is not (--prefer chooses)`,
    );
  }
  if (protocol === "layer2") {
    noteExposure(source, byLayer2, notes);
    return { protocol, ...layer2Part(source, byLayer2, notes) };
  }
  const entries = bgpEntries(
    byBgp.map((each) => ({ source: each, spec: each.spec })),
    aliases,
  );
  return { protocol, bgpAdvertisements: entries };
}

/** The addresses that an AddressPool of ours accepts; there is a note for each of the others. */
function readable(source: Source, notes: Notes): string[] {
  return listOf(source.spec, "addresses")
    .map(inText)
    .flatMap((text) => {
      try {
        const range = parseRange(text);
        const special = whySpecial(range);
        if (special !== undefined) {
          notes.add(source, `spec.addresses: ${text} is not carried over: it ${special}`);
          return [];
        }
        return [range.family === "IPv6" && text.includes(".") ? formatRange(range) : text];
      } catch (error) {
        if (!(error instanceof AddressError)) throw error;
        notes.add(source, `spec.addresses: ${text} is not carried over: it ${error.rule}`);
        return [];
      }
    });
}

function tidyAllocation(source: Source, spec: Spec, notes: Notes): void {
  const allocation = spec.serviceAllocation;
  if (!isMap(allocation)) return;
  const { priority } = allocation;
  if (typeof priority !== "number" || priority >= 0) return;
  delete allocation.priority;
  notes.add(
    source,
    `spec.serviceAllocation.priority: ${priority} is not carried over: the least is 0, which goes last`,
  );
}

/** MetalLB would have refused it, but it may have slipped in. */
function narrow(source: Source, spec: Spec, notes: Notes): void {
  // MetalLB's spec has the very fields that this rule reads.
  const pool = { metadata: { name: source.name }, spec: spec as unknown as AddressPool["spec"] };
  for (const fault of aggregationNotTooWide(pool)) {
    const [, at = "", name = ""] = /^spec\.bgpAdvertisements\[(\d+)\]\.(\w+)$/.exec(fault.field) ?? [];
    const entry = listOf<Spec>(spec, "bgpAdvertisements")[Number(at)];
    if (entry?.[name] === undefined) continue;
    delete entry[name];
    notes.add(source, `${faultText(fault)}: it is not carried over`);
  }
  // Without it two of them may say the same.
  const entries = listOf<Spec>(spec, "bgpAdvertisements");
  if (entries.length > 1) spec.bgpAdvertisements = uniqueEntries(entries);
}
