/** All that somebody who helps would ask for, in one document: objects, what the other commands say of them, and logs. */
import { type Answer, EXIT } from "#cli/answer.ts";
import { withoutSecrets } from "#cli/bundle/secrets.ts";
import type { Selection } from "#cli/cluster.ts";
import { printableJson } from "#cli/json.ts";
import type { ReadOptions } from "#cli/read.ts";
import { errorText } from "#common/error.ts";
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  daemonSets,
  deployments,
  endpointSlices,
  events,
  leases,
  loadBalancers,
  nodes,
  pods,
  type Resource,
  services,
  speakerStatuses,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { BUILD } from "#common/version.ts";

/** Another command, and what it answers. */
export type Asked = Readonly<Record<string, (from: ReadOptions) => Promise<Answer>>>;

const OF_SERVICE = "involvedObject.kind=Service";
const LINES = 2_000;
const LOG_BYTES = 1024 * 1024;
/** A log of each costs a request and up to LOG_BYTES: pods that are not well come first. */
const MOST_PODS = 40;

interface Part {
  readonly name: string;
  readonly resource: Resource<KubeObject>;
  readonly selection?: Selection;
  /** Of the install namespace only. */
  readonly isInstalled?: true;
}

const PARTS: readonly Part[] = [
  { name: "loadBalancers", resource: loadBalancers, isInstalled: true },
  { name: "addressPools", resource: addressPools, isInstalled: true },
  { name: "bgpPeers", resource: bgpPeers, isInstalled: true },
  { name: "bfdProfiles", resource: bfdProfiles, isInstalled: true },
  { name: "speakerStatuses", resource: speakerStatuses, isInstalled: true },
  { name: "leases", resource: leases, isInstalled: true },
  { name: "deployments", resource: deployments, isInstalled: true },
  { name: "daemonSets", resource: daemonSets, isInstalled: true },
  { name: "pods", resource: pods, isInstalled: true },
  { name: "events", resource: events, isInstalled: true },
  { name: "services", resource: services, selection: { fieldSelector: "spec.type=LoadBalancer" } },
  { name: "endpointSlices", resource: endpointSlices },
  { name: "eventsOfServices", resource: events, selection: { fieldSelector: OF_SERVICE } },
  { name: "nodes", resource: nodes },
  { name: "webhooks", resource: validatingWebhookConfigurations },
];

/** What could not be had, and why: a bundle is worth something without it. */
interface Missing {
  readonly what: string;
  readonly why: string;
}

export interface Bundle {
  readonly build: string;
  /** By the API server's clock. */
  readonly at: string | undefined;
  readonly namespace: string;
  readonly missing: readonly Missing[];
  /** Command -> what it prints. */
  readonly answers: Readonly<Record<string, string>>;
  readonly objects: Readonly<Record<string, readonly KubeObject[]>>;
  /** `POD/CONTAINER`, or `POD/CONTAINER (before)` for one that was restarted -> its last lines. */
  readonly logs: Readonly<Record<string, string>>;
}

export async function bundle(from: ReadOptions, asked: Asked): Promise<Answer> {
  const { cluster, namespace } = from;
  const missing: Missing[] = [];
  const attempt = async <T>(what: string, doing: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      const found = await doing();
      if (found === undefined) missing.push({ what, why: "the API server has none" });
      return found;
    } catch (error) {
      missing.push({ what, why: errorText(error) });
      return undefined;
    }
  };
  const answers: Record<string, string> = {};
  for (const [name, answer] of Object.entries(asked)) {
    const found = await attempt(`genkan ${name}`, () => answer(from));
    if (found !== undefined) answers[name] = found.text;
  }
  const objects: Record<string, readonly KubeObject[]> = {};
  for (const { name, resource, selection, isInstalled } of PARTS) {
    const within = { ...selection, ...(isInstalled && { namespace }) };
    const found = await attempt(name, () => cluster.list(resource, within));
    if (found !== undefined) objects[name] = found.map(shown);
  }
  // Nothing at all was read: that is no bundle, and the first reason says why.
  const [first] = missing;
  if (first !== undefined && Object.keys(objects).length === 0) throw new Error(first.why);
  const logs: Record<string, string> = {};
  const all = [...(objects.pods ?? [])].sort(byTrouble);
  for (const { title, ...one } of all.slice(0, MOST_PODS).flatMap(logsOf)) {
    const wanted = { ...one, namespace, lines: LINES, bytes: LOG_BYTES };
    const text = await attempt(`log of ${title}`, () => cluster.log(wanted));
    if (text !== undefined) logs[title] = text;
  }
  if (all.length > MOST_PODS) {
    const why = `the bundle has those of ${MOST_PODS} pods; ${all.length - MOST_PODS} more are there`;
    missing.push({ what: "logs", why });
  }
  const at = cluster.now()?.toISOString();
  const made: Bundle = { build: BUILD, at, namespace, missing, answers, objects, logs };
  return { text: printableJson(made), value: made, exitCode: EXIT.well };
}

/** A Node lists its images, which are many and say nothing here. */
function shown(object: KubeObject): KubeObject {
  const { status } = object as { readonly status?: Record<string, unknown> };
  const { images: _images, ...rest } = status ?? {};
  return withoutSecrets(status?.images === undefined ? object : ({ ...object, status: rest } as KubeObject));
}

interface PodStatus {
  readonly containerStatuses?: readonly {
    readonly name: string;
    readonly ready?: boolean;
    readonly restartCount?: number;
  }[];
}

const statusOf = (pod: KubeObject): PodStatus => (pod as { readonly status?: PodStatus }).status ?? {};

/** Pods that are not ready or were restarted, then the others; by name. */
function byTrouble(a: KubeObject, b: KubeObject): number {
  const isWell = (pod: KubeObject): boolean =>
    (statusOf(pod).containerStatuses ?? []).every(
      ({ ready, restartCount = 0 }) => ready === true && restartCount === 0,
    );
  return (
    Number(isWell(a)) - Number(isWell(b)) || (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "")
  );
}

/** Of each container, and of the one before it where it was restarted. */
function logsOf(pod: KubeObject): { title: string; pod: string; container: string; isBefore: boolean }[] {
  const { name = "" } = pod.metadata;
  return (statusOf(pod).containerStatuses ?? []).flatMap(({ name: container, restartCount = 0 }) => {
    const now = { title: `${name}/${container}`, pod: name, container, isBefore: false };
    return restartCount === 0 ? [now] : [now, { ...now, title: `${now.title} (before)`, isBefore: true }];
  });
}
