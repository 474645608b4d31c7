/**
 * What is kept of the API's objects. A projection before storing keeps memory and comparisons small, and its values
 * really have the types that they claim. For an object that cannot be used it throws an UnusableError: that object
 * alone is left out. Pure.
 */

import { type Family, familyOf, formatAddress, parseAddress, parsePrefix } from "#api/address.ts";
import { sharesByDefault } from "#api/connection-sync.ts";
import { FORWARDING_CONDITION, forwardingIdsOf } from "#api/forwarding-ids.ts";
import { LOG_LEVELS } from "#api/log-level.ts";
import { ANNOTATION_REBALANCE, PORT } from "#api/names.ts";
import { printable } from "#api/printable.ts";
import { DEFAULT_SCHEDULER } from "#api/scheduler.ts";
import { specialRangeOf } from "#api/special.ts";
import type { AddressPool, EndpointSlice, LoadBalancer, Node, Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";
import { departureOf } from "./departure.ts";
import { healthCheckOf } from "./health-check.ts";
import { projectAdvertisement } from "./project-bgp.ts";
import { drainTimeoutOf, schedulerOf, thresholdsOf, weightsOf } from "./service-forwarding.ts";
import { tunnelSourcesOf } from "./tunnel-sources.ts";
import {
  attempt,
  fields,
  flag,
  integer,
  labels,
  list,
  optional,
  port,
  type Reader,
  selector,
  text,
  type Unusable,
  UnusableError,
  word,
} from "./usable.ts";
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
  UnusableEndpoint,
} from "./view.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;
const LABEL_SERVICE = "kubernetes.io/service-name";
/** An address that a Node lists can be no Service's. No real node has so many, and no node may take more. */
const MAX_NODE_ADDRESSES = 64;
/** Whoever taints a node so often would have each speaker hold it all. */
const MAX_TAINTS = 100;
const MAX_PROVIDER_ID = 512;
/** The API server's own limits are 100 and 1,000. */
const MAX_SLICE_PORTS = 1_000;
const MAX_SLICE_ENDPOINTS = 10_000;

/**
 * undefined for a Service that is not ours or has no address yet. Only the condition that the controller writes into
 * the status says that a Service is ours.
 */
export function projectService(raw: Service): ServiceView | undefined {
  const { metadata, spec, status } = raw;
  const isGiven = status?.conditions?.some(({ type }) => type === FORWARDING_CONDITION) === true;
  if (spec?.type !== "LoadBalancer" || !isGiven) return undefined;
  const ingress = list(fields)(status?.loadBalancer?.ingress ?? [], "status.loadBalancer.ingress");
  const vips = ingress
    .map(({ ip }) => canonical(ip))
    .filter((vip) => vip !== undefined)
    .sort();
  if (vips.length === 0) return undefined;
  const loadBalancerClass = optional(text)(spec.loadBalancerClass, "spec.loadBalancerClass");
  const ports = list(servicePort)(spec.ports ?? [], "spec.ports");
  return {
    key: keyOf(raw),
    uid: text(metadata.uid, "metadata.uid"),
    createdAt: optional(text, "")(metadata.creationTimestamp, "metadata.creationTimestamp"),
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    vips: [...new Set(vips)],
    ...(ingress.some(({ ipMode }) => ipMode === "Proxy") && { isKept: true as const }),
    labels: optional(labels, NO_FIELDS)(metadata.labels, "metadata.labels"),
    ids: forwardingIdsOf(status?.conditions),
    ports,
    isLocal: spec.externalTrafficPolicy === "Local",
    hasAffinity: spec.sessionAffinity === "ClientIP",
    sourceRanges: sourceRangesOf(spec.loadBalancerSourceRanges ?? []),
    ...annotated(metadata.annotations, ports),
  };
}

/** What annotations ask for. One that is wrong costs what it asks for, and not the Service. */
function annotated(
  value: unknown,
  ports: readonly ServicePort[],
): Pick<ServiceView, "check" | "scheduler" | "thresholds" | "weights" | "drainTimeoutMs" | "faults"> {
  const faults: Unusable[] = [];
  const annotations =
    attempt(faults, "", () => optional(fields, NO_FIELDS)(value, "metadata.annotations")) ?? NO_FIELDS;
  const check = attempt(faults, "", () => healthCheckOf(annotations, ports));
  const scheduler = attempt(faults, "", () => schedulerOf(annotations));
  const thresholds = attempt(faults, "", () => thresholdsOf(annotations));
  const weights = attempt(faults, "", () => weightsOf(annotations));
  const drainTimeoutMs = attempt(faults, "", () => drainTimeoutOf(annotations));
  return {
    ...(check !== undefined && { check }),
    ...(scheduler !== undefined && { scheduler }),
    ...(thresholds !== undefined && { thresholds }),
    ...(weights !== undefined && { weights }),
    ...(drainTimeoutMs !== undefined && { drainTimeoutMs }),
    ...(faults.length > 0 && { faults: faults.map(({ why }) => why) }),
  };
}

function servicePort(value: unknown, field: string): ServicePort {
  const read = fields(value, field);
  return {
    name: optional(text, "")(read.name, `${field}.name`),
    protocol: optional(word(...PROTOCOLS), "TCP")(read.protocol, `${field}.protocol`),
    port: port(read.port, `${field}.port`),
  };
}

const OPEN: ServiceView["sourceRanges"] = { IPv4: [], IPv6: [] };

function sourceRangesOf(value: unknown): ServiceView["sourceRanges"] {
  const ranges = list(sourceRange)(value, "spec.loadBalancerSourceRanges");
  const of = (family: Family): string[] => ranges.filter((range) => familyOf(range) === family);
  return ranges.length === 0 ? OPEN : { IPv4: of("IPv4"), IPv6: of("IPv6") };
}

/**
 * A range that cannot be read makes the Service unusable: to let in nobody, or everybody, is not what was asked for.
 */
const sourceRange: Reader<string> = (value, field) => prefix(text(value, field).trim(), field);

/** undefined for a slice that belongs to no Service, or that has names instead of addresses. */
export function projectSlice(raw: EndpointSlice): SliceView | undefined {
  const service = raw.metadata.labels?.[LABEL_SERVICE];
  const family = raw.addressType;
  if (service === undefined || (family !== "IPv4" && family !== "IPv6")) return undefined;
  const ports = list(fields, MAX_SLICE_PORTS)(raw.ports ?? [], "ports").flatMap((read, at) => {
    // A slice without a port means every port, which no Service of ours can mean.
    if (!isPort(read.port)) return [];
    const name = optional(text, "")(read.name, `ports[${at}].name`);
    const protocol = optional(text, "TCP")(read.protocol, `ports[${at}].protocol`);
    return [{ name, protocol, port: read.port }];
  });
  const endpoints: EndpointView[] = [];
  const unusable: UnusableEndpoint[] = [];
  for (const [at, read] of list(fields, MAX_SLICE_ENDPOINTS)(raw.endpoints ?? [], "endpoints").entries()) {
    // All addresses of an endpoint are interchangeable: consumers use the first (EndpointSlice's API).
    const given = list((one) => one)(read.addresses, `endpoints[${at}].addresses`)[0];
    const address = endpointAddress(given, family);
    if (typeof address !== "string") {
      unusable.push({ address: printable(String(given)).slice(0, MAX_SHOWN), ...address });
      continue;
    }
    const conditions = optional(fields, NO_FIELDS)(read.conditions, `endpoints[${at}].conditions`);
    const isReady = conditions.ready !== false;
    endpoints.push({
      address,
      node: shared(optional(text, "")(read.nodeName, `endpoints[${at}].nodeName`)),
      isReady,
      isServing:
        conditions.serving === undefined || conditions.serving === null
          ? isReady
          : conditions.serving === true,
      isTerminating: conditions.terminating === true,
    });
  }
  const name = text(service, `metadata.labels["${LABEL_SERVICE}"]`);
  return {
    family,
    service: `${raw.metadata.namespace}/${name}`,
    ports,
    endpoints,
    ...(unusable.length > 0 && { unusable }),
  };
}

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

/** Enough of an address to recognize it. */
const MAX_SHOWN = 64;

/** Canonical text, or why no node can forward to the address: the API server takes some such addresses. */
function endpointAddress(given: unknown, family: Family): string | { readonly why: string } {
  const address = typeof given === "string" ? parseAddress(given) : undefined;
  if (address === undefined) return { why: "is no address that can be used" };
  if (address.family !== family) return { why: `is no ${family} address, as its slice says` };
  const special = specialRangeOf(address);
  return special === undefined ? formatAddress(address) : { why: `is in ${special}` };
}

const NO_FIELDS: Readonly<Record<string, never>> = Object.freeze({});
const NO_TEXTS: readonly string[] = Object.freeze([]);

export function projectNode(raw: Node): NodeView {
  const annotations = optional(fields, NO_FIELDS)(raw.metadata.annotations, "metadata.annotations");
  const spec = optional(fields, NO_FIELDS)(raw.spec, "spec");
  const departure = departureOf(raw);
  const taints = list(fields, MAX_TAINTS)(spec.taints ?? [], "spec.taints").map(({ key }, at) =>
    shared(text(key, `spec.taints[${at}].key`)),
  );
  const addresses: { IPv4?: string; IPv6?: string } = {};
  const own = new Set<string>();
  const listed = list(fields, MAX_NODE_ADDRESSES)(raw.status?.addresses ?? [], "status.addresses");
  for (const [at, { type, address }] of listed.entries()) {
    // Host names are listed, too.
    const parsed = parsedAddress(text(address, `status.addresses[${at}].address`));
    if (parsed === undefined) continue;
    own.add(parsed.text);
    if (type === "InternalIP") addresses[parsed.family] ??= parsed.text;
  }
  return {
    name: text(raw.metadata.name, "metadata.name"),
    labels: optional(labels, NO_FIELDS)(raw.metadata.labels, "metadata.labels"),
    addresses,
    ...(departure !== undefined && { departure }),
    ...(taints.length > 0 && { taints }),
    ...(typeof spec.providerID === "string" && { providerId: spec.providerID.slice(0, MAX_PROVIDER_ID) }),
    own: [...own],
    tunnelSources: tunnelSourcesOf(
      annotations,
      optional(
        list((one) => one),
        [],
      )(spec.podCIDRs, "spec.podCIDRs"),
    ),
  };
}

export function projectPool({ metadata, spec }: AddressPool): PoolView {
  const read = fields(spec, "spec");
  const names = optional(list(text), []);
  return {
    name: text(metadata.name, "metadata.name"),
    addresses: list(text)(read.addresses, "spec.addresses"),
    protocol: word("layer2", "bgp")(read.protocol, "spec.protocol"),
    nodeSelectors: optional(list(selector), [])(read.nodeSelectors, "spec.nodeSelectors"),
    interfaces: names(read.interfaces, "spec.interfaces"),
    advertisements:
      read.protocol === "bgp"
        ? optional(list(projectAdvertisement), [])(read.bgpAdvertisements, "spec.bgpAdvertisements")
        : [],
  };
}

export function projectLoadBalancer({ metadata, spec }: LoadBalancer): LoadBalancerView {
  const read = fields(spec, "spec");
  const forwarding = optional(fields, NO_FIELDS)(read.forwarding, "spec.forwarding");
  const layer2 = optional(fields, NO_FIELDS)(read.layer2, "spec.layer2");
  const rebalance = metadata.annotations?.[ANNOTATION_REBALANCE]?.slice(0, MAX_SHOWN);
  const url = optional(text)(layer2.ownerChangedURL, "spec.layer2.ownerChangedURL");
  const secret = optional(text, "")(layer2.ownerChangedSecret, "spec.layer2.ownerChangedSecret");
  const logLevel = optional(word(...LOG_LEVELS), "info")(read.logLevel, "spec.logLevel");
  const loadBalancerClass = optional(text)(read.loadBalancerClass, "spec.loadBalancerClass");
  const tracing = optional(fields, NO_FIELDS)(read.tracing, "spec.tracing");
  const traceEndpoint = optional(text)(tracing.endpoint, "spec.tracing.endpoint");
  const connectionSync = optional(flag, sharesByDefault(forwarding.tunnel))(
    forwarding.connectionSync,
    "spec.forwarding.connectionSync",
  );
  return {
    generation: optional(integer(0, Number.MAX_SAFE_INTEGER), 0)(metadata.generation, "metadata.generation"),
    isDeleting: metadata.deletionTimestamp !== undefined,
    nodeSelector: optional(labels, NO_FIELDS)(read.nodeSelector, "spec.nodeSelector"),
    mode: optional(word("IPVS", "KubeProxy"), "IPVS")(forwarding.mode, "spec.forwarding.mode"),
    scheduler: optional(text, DEFAULT_SCHEDULER)(forwarding.scheduler, "spec.forwarding.scheduler"),
    ...(optional(word("Direct", "SNAT"), "Direct")(forwarding.returnPath, "spec.forwarding.returnPath") ===
      "SNAT" && { translates: true }),
    ...tunnelOf(forwarding.tunnel),
    connectionSync,
    ...(connectionSync &&
      optional(flag, false)(forwarding.preferLocal, "spec.forwarding.preferLocal") && {
        prefersLocal: true as const,
      }),
    addressConflict: optional(word("defend", "yield"), "defend")(
      layer2.addressConflict,
      "spec.layer2.addressConflict",
    ),
    ...(rebalance !== undefined && { rebalance }),
    ...(url !== undefined && { receiver: { url, secret } }),
    drain: optional(word("Cordon", "Taint", "None"), "Cordon")(layer2.drain, "spec.layer2.drain"),
    drainTaints: optional(list(text), NO_TEXTS)(layer2.drainTaints, "spec.layer2.drainTaints"),
    keepsOwners:
      optional(word("Sticky", "Balanced"), "Sticky")(layer2.stickiness, "spec.layer2.stickiness") ===
      "Sticky",
    gossipPort: optional(integer(1, 65_535), PORT.gossip)(
      optional(fields, NO_FIELDS)(read.membership, "spec.membership").port,
      "spec.membership.port",
    ),
    ...(optional(flag, false)(read.ignoreExcludeLabel, "spec.ignoreExcludeLabel")
      ? { ignoresExcludeLabel: true }
      : {}),
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    ...(logLevel === "info" ? {} : { logLevel }),
    ...(traceEndpoint === undefined ? {} : { traceEndpoint }),
    ...(optional(word("Off", "Measured"), "Off")(read.serviceTraffic, "spec.serviceTraffic") ===
      "Measured" && { measuresTraffic: true as const }),
  };
}

function tunnelOf(value: unknown): Pick<LoadBalancerView, "tunnel"> {
  const tunnel = optional(word("ipip", "gre", "gue", "none"), "ipip")(value, "spec.forwarding.tunnel");
  return tunnel === "ipip" ? {} : { tunnel };
}

const MAX_TUNNELS = 16;
const TAKEN_TUNNELS = ["gre", "gue"] as const;
/** A state's size: each prefix is compared with each address. Speakers publish no more (known/node-links.ts). */
export const MAX_STATE = { characters: 65_536, links: 64, prefixes: 256 } as const;

/** What a Lease's annotation says of a speaker; UnusableError. A part that is wrong makes all of it worth nothing. */
export function readState(annotation: unknown): SpeakerState {
  if (typeof annotation !== "string" || annotation.length > MAX_STATE.characters)
    throw new UnusableError("the state", annotation, `JSON of at most ${MAX_STATE.characters} characters`);
  let value: unknown;
  try {
    value = JSON.parse(annotation);
  } catch {
    // A SyntaxError, which quotes only a part.
    throw new UnusableError("the state", annotation, "JSON");
  }
  const { isReady, links, hearsClaims, tunnels } = fields(value, "the state");
  const read = list(speakerLink, MAX_STATE.links)(links, "links");
  const prefixes = read.reduce((sum, link) => sum + link.prefixes.length, 0);
  if (prefixes > MAX_STATE.prefixes)
    throw new UnusableError("links", links, `of at most ${MAX_STATE.prefixes} prefixes in all`);
  const hears = optional(flag, false)(hearsClaims, "hearsClaims");
  // One that this build does not know is nothing to it.
  const takes = optional(list(text, MAX_TUNNELS), NO_TEXTS)(tunnels, "tunnels");
  const known = TAKEN_TUNNELS.filter((kind) => takes.includes(kind));
  return {
    isReady: flag(isReady, "isReady"),
    links: read,
    ...(known.length > 0 && { tunnels: known }),
    ...(hears && { hearsClaims: true }),
  };
}

/** undefined for what is none. */
export function parseState(annotation: string | undefined): SpeakerState | undefined {
  return attempt([], "", () => readState(annotation));
}

const speakerLink: Reader<SpeakerLink> = (value, field) => {
  const { name, prefixes, hardware } = fields(value, field);
  const address = optional(text)(hardware, `${field}.hardware`);
  if (address !== undefined && !/^[0-9a-f]{0,64}$/.test(address))
    throw new UnusableError(`${field}.hardware`, hardware, "hexadecimal digits");
  return {
    name: text(name, `${field}.name`),
    prefixes: list(prefix, MAX_STATE.prefixes)(prefixes, `${field}.prefixes`),
    ...(address === undefined ? {} : { hardware: address }),
  };
};

const prefix: Reader<string> = (value, field) => {
  const given = text(value, field);
  try {
    parsePrefix(given);
  } catch {
    // An AddressError, whose words are about prefixes in general.
    throw new UnusableError(field, value, "an address and a prefix length");
  }
  return given;
};

/** One string for each name: every parsed object brings its own copy. Nodes are few; the limit is for odd input. */
const names = new Map<string, string>();
const MAX_NAMES = 10_000;

function shared(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size < MAX_NAMES) names.set(name, name);
  return name;
}

function canonical(value: unknown): string | undefined {
  return typeof value === "string" ? parsedAddress(value)?.text : undefined;
}

function parsedAddress(text: string): { family: Family; text: string } | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : { ...address, text: formatAddress(address) };
}
