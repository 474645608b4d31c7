/** Services in the input: what Genkan would not give them as they stand, though they had it before. Pure. */
import { type Address, formatAddress, parseAddress, parseRange, type Range } from "#api/address.ts";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import type { Found, Manifest } from "#cli/documents.ts";
import { deep, inText, isMap, listOf, mapsOf, metadataOf, type Notes, specOf } from "#cli/migrate/source.ts";

/** Annotations of other origins, by what they mean. */
const OTHERS: Readonly<Record<string, string>> = {
  "kube-vip.io/loadbalancerIPs": ANNOTATION_ADDRESSES[0],
  "purelb.io/addresses": ANNOTATION_ADDRESSES[0],
  "purelb.io/service-group": ANNOTATION_POOL[0],
  "purelb.io/allow-shared-ip": ANNOTATION_SHARING_KEY[0],
  "io.cilium/lb-ipam-ips": ANNOTATION_ADDRESSES[0],
  "lbipam.cilium.io/ips": ANNOTATION_ADDRESSES[0],
  "io.cilium/lb-ipam-sharing-key": ANNOTATION_SHARING_KEY[0],
  "lbipam.cilium.io/sharing-key": ANNOTATION_SHARING_KEY[0],
  "eip.openelb.kubesphere.io/v1alpha1": ANNOTATION_ADDRESSES[0],
  "eip.openelb.kubesphere.io/v1alpha2": ANNOTATION_POOL[0],
};
const METALLB = /^metallb\.(io|universe\.tf)\//;
/** MetalLB wrote it. */
const WRITTEN = /\/ip-allocated-from-pool$/;

interface Pool {
  readonly name: string;
  readonly ranges: readonly Range[];
  readonly isShared: boolean;
}

interface Wish {
  readonly found: Found;
  readonly key: string;
  readonly namespace: string;
  readonly addresses: readonly Address[];
  readonly sharing: string | undefined;
  readonly backend: string;
  readonly ports: readonly string[];
}

export function judgeServices(services: readonly Found[], objects: readonly Manifest[], notes: Notes): void {
  const pools = objects.filter(({ kind }) => kind === "AddressPool").map(poolOf);
  const balanced = services.filter(({ object }) => deep(object.spec, "type") === "LoadBalancer");
  const wishes = balanced.map((found) => wishOf(found, pools, notes));
  const holders = wishes.flatMap((wish) =>
    wish.addresses.map((each) => ({ address: formatAddress(each), wish })),
  );
  for (const [address, held] of Map.groupBy(holders, (each) => each.address)) {
    const [first, ...others] = held.map(({ wish }) => wish);
    if (first === undefined) continue;
    const taken = new Map(first.ports.map((port) => [port, first]));
    for (const wish of others) {
      const why = whyNotTogether(address, wish, { first, taken, pools });
      if (why !== undefined) notes.addFound(wish.found, why);
      for (const port of wish.ports) if (!taken.has(port)) taken.set(port, wish);
    }
  }
}

function poolOf({ metadata, spec }: Manifest): Pool {
  const given = isMap(spec) ? spec : {};
  return {
    name: inText(deep(metadata, "name")),
    ranges: listOf(given, "addresses").map((text) => parseRange(inText(text))),
    isShared: given.shareAcrossNamespaces === true,
  };
}

const contains = ({ ranges }: Pool, { family, value }: Address): boolean =>
  ranges.some((range) => range.family === family && range.first <= value && value <= range.last);

function wishOf(found: Found, pools: readonly Pool[], notes: Notes): Wish {
  const { name = "", namespace = "" } = metadataOf(found.object);
  const spec = specOf(found);
  const note = (message: string): void => notes.addFound(found, message);
  const annotations = annotationsOf(found, note);
  const pool = readAnnotation(annotations, ANNOTATION_POOL, note);
  if (pool !== undefined && !pools.some((each) => each.name === pool)) {
    note(`asks for pool "${pool}", which is not among those that are made`);
  }
  const asked = readAnnotation(annotations, ANNOTATION_ADDRESSES, note);
  const field =
    typeof spec.loadBalancerIP === "string" && spec.loadBalancerIP !== "" ? spec.loadBalancerIP : undefined;
  if (field !== undefined && asked !== undefined) {
    note(
      `spec.loadBalancerIP is "${field}" and an annotation asks for "${asked}": only one of them may ask, it gets nothing`,
    );
  }
  const texts = (asked ?? field ?? "").split(",").map((text) => text.trim());
  const addresses = texts
    .filter((text) => text !== "")
    .flatMap((text) => {
      const address = parseAddress(text);
      if (address === undefined) note(`asks for "${text}", which is no address`);
      else if (!pools.some((each) => contains(each, address)))
        note(`asks for ${text}, which is in no pool that is made`);
      return address === undefined ? [] : [address];
    });
  const isLocal = spec.externalTrafficPolicy === "Local";
  return {
    found,
    key: `${namespace === "" ? "default" : namespace}/${name}`,
    namespace,
    addresses,
    sharing: readAnnotation(annotations, ANNOTATION_SHARING_KEY, note),
    backend: isLocal ? canonical(spec.selector ?? {}) : "",
    ports: mapsOf(spec, "ports").map(({ protocol = "TCP", port }) => `${inText(protocol)}/${inText(port)}`),
  };
}

function annotationsOf(found: Found, note: (message: string) => void): Readonly<Record<string, string>> {
  const written = metadataOf(found.object).annotations;
  const annotations = Object.fromEntries(
    Object.entries(isMap(written) ? written : {}).map(([name, value]) => [name, inText(value).trim()]),
  );
  const known: readonly string[] = [...ANNOTATION_POOL, ...ANNOTATION_ADDRESSES, ...ANNOTATION_SHARING_KEY];
  for (const [name, value] of Object.entries(annotations)) {
    const ours = Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
    if (ours !== undefined) note(`annotation ${name} is not read: write ${ours} "${value}"`);
    else if (METALLB.test(name) && !known.includes(name) && !WRITTEN.test(name)) {
      note(`annotation ${name} is not read: nothing of ours corresponds to it`);
    }
  }
  return annotations;
}

/** What the controller would read: two spellings that differ are refused. */
function readAnnotation(
  annotations: Readonly<Record<string, string>>,
  spellings: readonly string[],
  note: (message: string) => void,
): string | undefined {
  const found = spellings.flatMap((name) => {
    const value = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
    return value === undefined || value === "" ? [] : [{ name, value }];
  });
  const [first, ...others] = found;
  const other = others.find(({ value }) => value !== first?.value);
  if (first !== undefined && other !== undefined) {
    note(
      `annotation ${first.name} is "${first.value}" and ${other.name} is "${other.value}": they must be equal, it gets nothing`,
    );
    return undefined;
  }
  return first?.value;
}

interface Holders {
  readonly first: Wish;
  readonly taken: ReadonlyMap<string, Wish>;
  readonly pools: readonly Pool[];
}

/** The rules of the controller, in its order (controller/allocation/sharing.ts). */
function whyNotTogether(address: string, wish: Wish, { first, taken, pools }: Holders): string | undefined {
  const together = `asks for ${address}, as Service ${first.key} does`;
  if (wish.sharing === undefined || wish.sharing !== first.sharing) {
    return `${together}, without the same sharing key: only one of them gets it`;
  }
  if (wish.backend !== first.backend) {
    return `${together}: with externalTrafficPolicy Local both must have it and the same spec.selector`;
  }
  const port = wish.ports.find((each) => taken.has(each));
  if (port !== undefined) return `${together}: port ${port} is at Service ${taken.get(port)?.key} already`;
  const parsed = parseAddress(address);
  const pool = pools.find((each) => parsed !== undefined && contains(each, parsed));
  if (wish.namespace === first.namespace || pool === undefined || pool.isShared) return undefined;
  return `${together}, in another namespace: a share that exists stays, a new one needs shareAcrossNamespaces: true of AddressPool "${pool.name}"`;
}
