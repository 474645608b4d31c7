/** What is kept of objects of the API: a projection before storing keeps memory and comparisons small. Pure. */
import { type Family, formatAddress, parseAddress } from "#api/address.ts";
import { FORWARDING_CONDITION, forwardingIdsOf } from "#api/forwarding-ids.ts";
import type { AddressPool, EndpointSlice, LoadBalancer, Node, Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import type { Protocol } from "./forwarding/types.ts";
import { projectAdvertisement } from "./projectbgp.ts";
import type {
  EndpointView,
  LoadBalancerView,
  NodeView,
  PoolView,
  ServicePort,
  ServiceView,
  SliceView,
  SpeakerLink,
  SpeakerState,
} from "./view.ts";

const PROTOCOLS: readonly string[] = ["TCP", "UDP", "SCTP"];
const LABEL_SERVICE = "kubernetes.io/service-name";

/** undefined for what is not ours or has no address yet: only the controller's word in the status says that it is. */
export function projectService(raw: Service): ServiceView | undefined {
  const { metadata, spec, status } = raw;
  const isGiven = status?.conditions?.some(({ type }) => type === FORWARDING_CONDITION) === true;
  if (spec?.type !== "LoadBalancer" || !isGiven) return undefined;
  const vips = (status?.loadBalancer?.ingress ?? [])
    .map(({ ip }) => canonical(ip))
    .filter((vip) => vip !== undefined)
    .sort();
  if (vips.length === 0) return undefined;
  const ports: ServicePort[] = (spec.ports ?? [])
    .filter(({ protocol = "TCP" }) => PROTOCOLS.includes(protocol))
    .map(({ name = "", protocol = "TCP", port }) => ({ name, protocol: protocol as Protocol, port }));
  return {
    key: keyOf(raw),
    uid: metadata.uid,
    createdAt: metadata.creationTimestamp ?? "",
    ...(spec.loadBalancerClass === undefined ? {} : { loadBalancerClass: spec.loadBalancerClass }),
    vips,
    ids: forwardingIdsOf(status?.conditions),
    ports,
    isLocal: spec.externalTrafficPolicy === "Local",
    hasAffinity: spec.sessionAffinity === "ClientIP",
    sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()),
  };
}

/** undefined for slices of no Service, and of names instead of addresses. */
export function projectSlice(raw: EndpointSlice): SliceView | undefined {
  const service = raw.metadata.labels?.[LABEL_SERVICE];
  const family = raw.addressType;
  if (service === undefined || (family !== "IPv4" && family !== "IPv6")) return undefined;
  const ports = (raw.ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined ? [] : [{ name: name ?? "", protocol: protocol ?? "TCP", port }],
  );
  const endpoints: EndpointView[] = [];
  for (const { addresses, conditions, nodeName } of raw.endpoints ?? []) {
    // All addresses of an endpoint are interchangeable: consumers use the first (EndpointSlice's API).
    const address = canonical(addresses[0]);
    if (address === undefined) continue;
    const isReady = conditions?.ready ?? true;
    endpoints.push({
      address,
      node: shared(nodeName ?? ""),
      isReady,
      isServing: conditions?.serving ?? isReady,
      isTerminating: conditions?.terminating ?? false,
    });
  }
  return { family, service: `${raw.metadata.namespace ?? ""}/${service}`, ports, endpoints };
}

export function projectNode(raw: Node): NodeView {
  const addresses: { IPv4?: string; IPv6?: string } = {};
  const own = new Set<string>();
  for (const { type, address } of raw.status?.addresses ?? []) {
    const parsed = parsedAddress(address);
    if (parsed === undefined) continue;
    own.add(parsed.text);
    if (type === "InternalIP") addresses[parsed.family] ??= parsed.text;
  }
  return { name: raw.metadata.name, labels: raw.metadata.labels ?? {}, addresses, own: [...own] };
}

export function projectPool(raw: AddressPool): PoolView {
  return {
    name: raw.metadata.name,
    addresses: raw.spec.addresses,
    protocol: raw.spec.protocol,
    nodeSelectors: raw.spec.nodeSelectors ?? [],
    interfaces: raw.spec.interfaces ?? [],
    advertisements:
      raw.spec.protocol === "bgp" ? (raw.spec.bgpAdvertisements ?? []).map(projectAdvertisement) : [],
  };
}

export function projectLoadBalancer(raw: LoadBalancer): LoadBalancerView {
  const { metadata, spec } = raw;
  return {
    generation: metadata.generation ?? 0,
    isDeleting: metadata.deletionTimestamp !== undefined,
    nodeSelector: spec.nodeSelector ?? {},
    mode: spec.forwarding?.mode ?? "IPVS",
    scheduler: spec.forwarding?.scheduler ?? "mh",
    ...(spec.loadBalancerClass === undefined ? {} : { loadBalancerClass: spec.loadBalancerClass }),
  };
}

/** What a Lease's annotation says of a speaker; undefined for what is none. */
export function parseState(text: string | undefined): SpeakerState | undefined {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null) return undefined;
  const { isReady, links } = value as Partial<Record<keyof SpeakerState, unknown>>;
  if (typeof isReady !== "boolean" || !Array.isArray(links)) return undefined;
  const known = links.filter(
    (link): link is SpeakerLink =>
      typeof link?.name === "string" &&
      Array.isArray(link.prefixes) &&
      link.prefixes.every((prefix: unknown) => typeof prefix === "string") &&
      (link.hardware === undefined || typeof link.hardware === "string"),
  );
  const reduced = known.map(
    ({ name, prefixes, hardware }): SpeakerLink => ({
      name,
      prefixes,
      ...(hardware !== undefined && { hardware }),
    }),
  );
  return { isReady, links: reduced };
}

/** One string for each name: every parsed object brings its own copy. Nodes are few; the limit is for odd input. */
const names = new Map<string, string>();
const MAX_NAMES = 10_000;

function shared(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size < MAX_NAMES) names.set(name, name);
  return name;
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Somebody else's hand: as if it were not there; its writer will write it again.
    return undefined;
  }
}

function canonical(text: string | undefined): string | undefined {
  return parsedAddress(text)?.text;
}

function parsedAddress(text: string | undefined): { family: Family; text: string } | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  return address === undefined ? undefined : { family: address.family, text: formatAddress(address) };
}
