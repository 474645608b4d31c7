/** Service -> AllocationRequest: what it asks for, or why that cannot be understood. Pure. */

import { type Address, type Family, formatAddress, parseAddress } from "#api/address.ts";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { type Refusal, RefusalReason, refuse } from "#controller/allocation/refusal.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";

const FAMILY_POLICY = ["SingleStack", "PreferDualStack", "RequireDualStack"] as const;
export type FamilyPolicy = (typeof FAMILY_POLICY)[number];

export interface Sharing {
  readonly key: string;
  /**
   * Which pods answer on a node: Services on one address must agree on it. "" with externalTrafficPolicy Cluster,
   * where every node reaches every pod; else the selector.
   */
  readonly backend: string;
}

export function isSameSharing(a: Sharing | undefined, b: Sharing | undefined): boolean {
  return a?.key === b?.key && a?.backend === b?.backend;
}

export interface RequestedAddress extends Address {
  /** In canonical spelling. */
  readonly text: string;
  /** The field or annotation that asks for it. */
  readonly field: string;
}

export interface AllocationRequest {
  /** `namespace/name`. */
  readonly service: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  /** One or two, the Service's first family first. */
  readonly families: readonly Family[];
  readonly policy: FamilyPolicy;
  /** At most one of each family. */
  readonly addresses: readonly RequestedAddress[];
  readonly pool: { readonly name: string; readonly field: string } | undefined;
  readonly sharing: Sharing | undefined;
  /** `TCP/80`, sorted. */
  readonly ports: readonly string[];
}

/** Whether the Service is for us: type LoadBalancer and exactly the configured class, or none when none is. */
export function isOurs(
  service: Pick<ServiceRecord, "type" | "loadBalancerClass">,
  loadBalancerClass: string | undefined,
): boolean {
  return service.type === "LoadBalancer" && service.loadBalancerClass === loadBalancerClass;
}

/** Ports of one Service; its forwarding ids have to fit into a condition, too. */
export const MAX_PORTS = 256;

export interface ReadRequest {
  readonly request: AllocationRequest;
  /** Set when what is asked for cannot be understood: then the Service gets nothing. */
  readonly refusal: Refusal | undefined;
}

export function readRequest(service: ServiceRecord): ReadRequest {
  const families = service.families.length < 2 ? service.families : [...new Set(service.families)];
  const pool = readAnnotation(service, ANNOTATION_POOL);
  const key = readAnnotation(service, ANNOTATION_SHARING_KEY);
  const addresses = readAddresses(service, families);
  const refusal = [portsOf(service), pool, key, addresses].find((each) => "refusal" in each);
  return {
    request: {
      service: service.key,
      namespace: service.namespace,
      labels: service.labels,
      createdAt: service.createdAt,
      families,
      policy: policyOf(service, families),
      addresses: "refusal" in addresses ? [] : addresses.value,
      pool: named(pool),
      sharing: sharingOf(service, "refusal" in key ? undefined : key.value),
      ports: service.ports,
    },
    refusal: refusal !== undefined && "refusal" in refusal ? refusal.refusal : undefined,
  };
}

const NO_ADDRESSES = { value: [], field: "" } as const;
const ABSENT = { value: undefined, field: "" } as const;

type Read<T> = { readonly value: T; readonly field: string } | { readonly refusal: Refusal };

function named(read: Read<string | undefined>): AllocationRequest["pool"] {
  return "refusal" in read || read.value === undefined ? undefined : { name: read.value, field: read.field };
}

/** Each port is two tables of Maglev hashing in the kernel of every node, 74 KB. */
function portsOf({ ports }: ServiceRecord): Read<readonly string[]> {
  if (ports.length <= MAX_PORTS) return { value: ports, field: "spec.ports" };
  const message = `spec.ports: ${ports.length} ports: one Service may have ${MAX_PORTS} at most`;
  return { refusal: refuse(RefusalReason.TooManyPorts, message) };
}

function policyOf(service: ServiceRecord, families: readonly Family[]): FamilyPolicy {
  // A cluster of one family gives a PreferDualStack Service that one: there is nothing to prefer.
  if (families.length < 2) return "SingleStack";
  return FAMILY_POLICY.find((policy) => policy === service.familyPolicy) ?? "RequireDualStack";
}

function sharingOf(service: ServiceRecord, key: string | undefined): Sharing | undefined {
  if (key === undefined) return undefined;
  const selector = Object.entries(service.selector).sort(([a], [b]) => (a < b ? -1 : 1));
  return { key, backend: service.isLocal ? JSON.stringify(selector) : "" };
}

/** The value under any of its spellings; empty counts as absent; two that differ are refused. */
function readAnnotation(service: ServiceRecord, spellings: readonly string[]): Read<string | undefined> {
  const found = spellings.flatMap((field) => {
    const value = service.annotations[field]?.trim();
    return value === undefined || value === "" ? [] : [{ field, value }];
  });
  const [first, ...others] = found;
  if (first === undefined) return ABSENT;
  const other = others.find((each) => each.value !== first.value);
  if (other === undefined) return first;
  const message =
    `annotation ${first.field} is "${first.value}" and annotation ${other.field} is "${other.value}": ` +
    "they are spellings of one annotation and must be equal";
  return { refusal: refuse(RefusalReason.ConflictingRequest, message) };
}

function readAddresses(
  service: ServiceRecord,
  families: readonly Family[],
): Read<readonly RequestedAddress[]> {
  const annotation = readAnnotation(service, ANNOTATION_ADDRESSES);
  if ("refusal" in annotation) return annotation;
  const { loadBalancerIp } = service;
  if (loadBalancerIp !== undefined && annotation.value !== undefined) {
    const message =
      `spec.loadBalancerIP is "${loadBalancerIp}" and annotation ${annotation.field} is "${annotation.value}": ` +
      "only one of them may ask for addresses";
    return { refusal: refuse(RefusalReason.ConflictingRequest, message) };
  }
  if (annotation.value !== undefined) {
    const texts = annotation.value.split(",").map((text) => text.trim());
    return parseRequested({ field: `annotation ${annotation.field}`, texts, families });
  }
  if (loadBalancerIp === undefined) return NO_ADDRESSES;
  return parseRequested({ field: "spec.loadBalancerIP", texts: [loadBalancerIp], families });
}

interface Wanted {
  readonly field: string;
  readonly texts: readonly string[];
  readonly families: readonly Family[];
}

function parseRequested({ field, texts, families }: Wanted): Read<readonly RequestedAddress[]> {
  const addresses: RequestedAddress[] = [];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address === undefined) {
      const message = `${field}: "${text}" is not an IPv4 or IPv6 address`;
      return { refusal: refuse(RefusalReason.InvalidAddress, message) };
    }
    const twin = addresses.find((each) => each.family === address.family);
    if (twin !== undefined) {
      const message = `${field}: ${twin.text} and ${formatAddress(address)} are both ${address.family}: at most one of each family`;
      return { refusal: refuse(RefusalReason.FamilyMismatch, message) };
    }
    if (!families.includes(address.family)) {
      const message = `${field}: ${formatAddress(address)} is ${address.family}, the Service's spec.ipFamilies are ${families.join(", ")}`;
      return { refusal: refuse(RefusalReason.FamilyMismatch, message) };
    }
    addresses.push({ ...address, text: formatAddress(address), field });
  }
  return { value: addresses, field };
}
