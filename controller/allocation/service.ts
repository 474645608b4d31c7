/** What the controller keeps of a Service. Everything else is dropped before it is stored. */

import { type Family, familyOf } from "#api/address.ts";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import {
  ANNOTATION_ADDRESSES,
  ANNOTATION_ALLOCATED_FROM,
  ANNOTATION_POOL,
  ANNOTATION_SHARING_KEY,
  FIELD_MANAGER,
} from "#api/names.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import { hasOurFinalizer } from "#common/cleanup-finalizer.ts";
import { otherWriterOf } from "#common/kube/managers.ts";
import type { Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";

export type ServiceCondition = Condition;

export interface Ingress {
  readonly ip?: string;
  readonly ipMode?: string;
  readonly hostname?: string;
}

export interface ServiceRecord {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** RFC 3339, whole seconds: sorts as text. */
  readonly createdAt: string;
  readonly isTerminating: boolean;
  readonly type: string;
  readonly loadBalancerClass: string | undefined;
  readonly loadBalancerIp: string | undefined;
  readonly families: readonly Family[];
  readonly familyPolicy: string;
  /** `TCP/80`, sorted, each once. */
  readonly ports: readonly string[];
  readonly selector: Readonly<Record<string, string>>;
  /** externalTrafficPolicy Local. */
  readonly isLocal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Those that api/names.ts names; others are not kept. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly ingress: readonly Ingress[];
  readonly conditions: readonly ServiceCondition[];
  readonly finalizers: readonly string[];
  /** It bears the finalizer for load balancers, and nobody else put that there. */
  readonly hasOurFinalizer: boolean;
  /** Who but we wrote status.loadBalancer last; absent if nobody did. */
  readonly statusManager?: string;
}

const KEPT_ANNOTATIONS: readonly string[] = [
  ...ANNOTATION_POOL,
  ...ANNOTATION_ADDRESSES,
  ...ANNOTATION_SHARING_KEY,
  ANNOTATION_ALLOCATED_FROM,
];

const LOAD_BALANCER = ["status", "loadBalancer"] as const;
const STATUS = { ours: FIELD_MANAGER.controller, subresource: "status" } as const;

const NO_FINALIZERS: readonly string[] = [];
const NOTHING: Readonly<Record<string, string>> = {};

/** Services that never were ours keep nothing but a key's worth of memory: they are projected to undefined. */
export function projectService(raw: Service): ServiceRecord | undefined {
  const annotations = keptAnnotations(raw.metadata.annotations);
  const type = raw.spec?.type ?? "ClusterIP";
  const conditions = (raw.status?.conditions ?? []) as readonly ServiceCondition[];
  const isHeld = hasOurFinalizer(raw);
  if (type !== "LoadBalancer" && !isMarked(conditions) && !isHeld) return undefined;
  const { metadata, spec, status } = raw;
  const statusManager = otherWriterOf(metadata.managedFields, LOAD_BALANCER, STATUS);
  return {
    key: keyOf(raw),
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    createdAt: metadata.creationTimestamp,
    isTerminating: metadata.deletionTimestamp !== undefined,
    type,
    loadBalancerClass: spec?.loadBalancerClass,
    loadBalancerIp: spec?.loadBalancerIP === "" ? undefined : spec?.loadBalancerIP,
    families: familiesOf(raw),
    familyPolicy: spec?.ipFamilyPolicy ?? "SingleStack",
    ports: [...new Set((spec?.ports ?? []).map((port) => `${port.protocol ?? "TCP"}/${port.port}`))].sort(),
    selector: spec?.selector ?? NOTHING,
    isLocal: spec?.externalTrafficPolicy === "Local",
    labels: metadata.labels ?? NOTHING,
    annotations,
    ingress: (status?.loadBalancer?.ingress ?? []).map(projectIngress),
    conditions,
    finalizers: metadata.finalizers ?? NO_FINALIZERS,
    hasOurFinalizer: isHeld,
    ...(statusManager === undefined ? {} : { statusManager }),
  };
}

/** The controller gave it something, so it holds that, or has to be cleared. Nobody else may write a Service's status. */
export function isMarked(conditions: readonly ServiceCondition[]): boolean {
  return conditions.some(({ type }) => type === FORWARDING_CONDITION);
}

/** Oldest first; of equal age, by key. Decides who keeps what two Services claim. */
export function byAge(
  a: Pick<ServiceRecord, "createdAt" | "key">,
  b: Pick<ServiceRecord, "createdAt" | "key">,
): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function keptAnnotations(
  all: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  if (all === undefined) return NOTHING;
  let kept: Record<string, string> | undefined;
  for (const name of KEPT_ANNOTATIONS) {
    const value = all[name];
    if (value === undefined) continue;
    kept ??= {};
    kept[name] = value;
  }
  return kept ?? NOTHING;
}

/** spec.ipFamilies; a Service without them (headless with an external name, very old) speaks its cluster IP's family. */
function familiesOf(raw: Service): readonly Family[] {
  const families = (raw.spec?.ipFamilies ?? []).filter(
    (family): family is Family => family === "IPv4" || family === "IPv6",
  );
  if (families.length > 0) return families;
  const { clusterIP } = raw.spec ?? {};
  return [clusterIP === undefined ? "IPv4" : familyOf(clusterIP)];
}

function projectIngress(ingress: { ip?: string; ipMode?: string; hostname?: string }): Ingress {
  return {
    ...(ingress.ip === undefined ? {} : { ip: ingress.ip }),
    ...(ingress.ipMode === undefined ? {} : { ipMode: ingress.ipMode }),
    ...(ingress.hostname === undefined ? {} : { hostname: ingress.hostname }),
  };
}
