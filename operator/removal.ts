/**
 * Taking everything away again. There is no finalizer: whatever order an uninstall has, the operator's own rights may go
 * before the LoadBalancer does, and then nobody could take a finalizer off. Instead each part ends by itself.
 *
 * - The webhook configuration goes first: nobody may wait for a judge that is leaving.
 * - The workloads go with the LoadBalancer, which owns them (owners.ts): the garbage collector takes them away, or the
 *   operator does, whoever is quicker. With `kubectl delete --cascade=foreground` somebody waits for the end of their
 *   pods; then they are left to the garbage collector.
 * - A speaker that is ended asks whether it is for good, and cleans its node then (speaker/shutdown.ts).
 * - A controller that is ended for good takes the finalizer of ours off Services (common/release-if-removed.ts). So does the
 *   operator where it is ended before its last step: whose rights last longer depends on the order of the deletion.
 * - When the pods are gone the operator does that again, for a controller that could not. It tells which nodes were left
 *   uncleaned, and takes away the rest. What of it has no namespace is owned by the install namespace, so that it goes
 *   where the operator cannot.
 *
 * Each pass looks at what is there, so an operator that starts in the middle goes on where the last one was. Pure.
 */
import { firstOf } from "#api/and-more.ts";
import { CONTROLLER_NAME, SPEAKER_NAME, speakerLease } from "#api/names.ts";
import { ConditionType } from "#api/v1beta1/conditions.ts";
import { leases, type Resource, speakerStatuses } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import {
  type ActualChild,
  conditionOf,
  type LeaseView,
  type OperatorView,
  type PodView,
  type SpeakerView,
} from "#operator/view.ts";

/** How long pods may outlive the grace that they were given: a kubelet that is gone ends nothing. */
const POD_WAIT_MS = 15_000;
/** After the last pod went, what it reported may still be on its way to us, which comes by another watch. */
const LAST_REPORTS_MS = 2_000;
const LOOK_AGAIN_MS = 1_000;
/** Kubernetes' own finalizer: the garbage collector holds an owner until what it owns is gone. */
const FOREGROUND = "foregroundDeletion";

export interface Removal {
  readonly resource: Resource<KubeObject>;
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly why: string;
}

export interface RemovalStep {
  readonly remove: readonly Removal[];
  /** What the step waits for, for people. Empty if for nothing. */
  readonly waiting: string;
  /** Nobody else is left to take our finalizer off Services: it has to be done before the rest is removed. */
  readonly releasesServices?: boolean;
  /** Nodes that no speaker reported clean, said once. */
  readonly left: readonly string[];
  readonly retryAfterMs?: number;
}

export function removalStep(view: OperatorView): RemovalStep {
  const workloads = view.children.filter(isWorkload);
  const speakers = view.pods.filter(({ component }) => component === "speaker");
  const overdue = speakers.filter((pod) => isOverdue(pod, view.now));
  const pods = speakers.filter((pod) => !overdue.includes(pod));
  const remove = [
    ...view.children.filter(isWebhookConfiguration),
    ...(isLeftToCollector(view) && overdue.length === 0 ? [] : workloads),
  ].map((child) => removalOf(child, "removal"));
  const wait = (waiting: string): RemovalStep => ({
    remove,
    waiting,
    left: [],
    retryAfterMs: LOOK_AGAIN_MS,
  });
  if (pods.length > 0) return wait(`the speakers to clean their nodes and end: ${describe(view, pods)}`);
  if (workloads.length > 0) return wait("the speakers' pods to end");
  if (overdue.length === 0 && view.speakers.length > 0 && view.withoutSpeakersMs < LAST_REPORTS_MS)
    return wait("the last reports of the speakers");
  return lastStep(view, overdue);
}

function lastStep(view: OperatorView, overdue: readonly PodView[]): RemovalStep {
  const remove = [
    ...view.children.map((child) => removalOf(child, "removal")),
    ...view.speakers.map((speaker) => statusRemoval(view, speaker, "removal")),
    ...view.leases.map((lease) => leaseRemoval(view, lease.name, "removal")),
  ];
  if (remove.length === 0) return { remove, waiting: "", left: [] };
  const left = uncleaned(view, overdue);
  return {
    remove,
    releasesServices: true,
    waiting: "the last objects to go",
    left,
    retryAfterMs: LOOK_AGAIN_MS,
  };
}

/** Nodes of the cluster that had a speaker, without a report that they are clean; sorted. */
function uncleaned(view: OperatorView, overdue: readonly PodView[]): string[] {
  // Their reports and Leases are still there in the pass that tells of them, and in no later one.
  if (view.speakers.length + view.leases.length === 0) return [];
  const clean = new Set(view.speakers.filter(isClean).map(({ node }) => node));
  const nodes = [
    ...view.speakers.map(({ node }) => node),
    ...view.leases.map(({ node }) => node),
    ...overdue.flatMap(({ node }) => node ?? []),
  ];
  // What a node that left the cluster has in its kernel went with it.
  return [...new Set(nodes)].filter((node) => view.nodes.has(node) && !clean.has(node)).sort();
}

function isClean(speaker: SpeakerView): boolean {
  return conditionOf(speaker, ConditionType.Removed)?.status === "True";
}

/** Somebody deleted the LoadBalancer and waits until the garbage collector has taken away what it owns. */
function isLeftToCollector({ loadBalancer }: OperatorView): boolean {
  const { deletionTimestamp, finalizers = [] } = loadBalancer?.metadata ?? {};
  return deletionTimestamp !== undefined && finalizers.includes(FOREGROUND);
}

/** Nodes with what their speaker says is in the way. */
function describe(view: OperatorView, pods: readonly PodView[]): string {
  return names(
    pods
      .map(({ name, node = name }) => {
        const speaker = view.speakers.find((candidate) => candidate.node === node);
        const message = speaker && conditionOf(speaker, ConditionType.Removed)?.message;
        return message ? `${node} (${message})` : node;
      })
      .sort(),
  );
}

/** At most ten, so that a condition of a large cluster stays readable. */
export const names = (all: readonly string[]): string => firstOf(all, 10);

function isOverdue(pod: PodView, now: Date): boolean {
  return pod.goneBy !== undefined && now.getTime() > Date.parse(pod.goneBy) + POD_WAIT_MS;
}

/**
 * Reports of speakers that are no more: their node left the cluster, or was deselected, cleaned, and its pod is gone.
 * For the time when nothing is being removed.
 */
export function staleSpeakers(view: OperatorView): Removal[] {
  const withPod = new Set(
    view.pods.filter(({ component }) => component === "speaker").map(({ node }) => node),
  );
  return view.speakers
    .filter((speaker) => !view.nodes.has(speaker.node) || (isClean(speaker) && !withPod.has(speaker.node)))
    .flatMap((speaker) => {
      const why = view.nodes.has(speaker.node) ? "the node has no speaker any more" : "the node is gone";
      return [statusRemoval(view, speaker, why), leaseRemoval(view, speakerLease(speaker.node), why)];
    });
}

export function removalOf({ resource, object }: ActualChild, why: string): Removal {
  const { name, namespace, uid } = object.metadata;
  return { resource, name, uid, why, ...(namespace === undefined ? {} : { namespace }) };
}

export function isWebhookConfiguration({ resource }: Pick<ActualChild, "resource">): boolean {
  return resource.kind === "ValidatingWebhookConfiguration";
}

interface Nameable {
  readonly resource: Pick<Resource<KubeObject>, "kind">;
  readonly object: { readonly metadata: { readonly name: string } };
}

/** The Deployment of the controllers or the DaemonSet of the speakers. */
export function isWorkload({ resource, object }: Nameable): boolean {
  const name = { DaemonSet: SPEAKER_NAME, Deployment: CONTROLLER_NAME }[resource.kind];
  return name !== undefined && object.metadata.name === name;
}

function statusRemoval(view: OperatorView, speaker: SpeakerView, why: string): Removal {
  const { node, uid } = speaker;
  return { resource: speakerStatuses, name: node, namespace: view.site.namespace, uid, why };
}

function leaseRemoval(view: OperatorView, name: LeaseView["name"], why: string): Removal {
  return { resource: leases, name, namespace: view.site.namespace, why };
}
