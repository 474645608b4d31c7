/**
 * Taking everything away again, in an order in which nothing gets stuck: webhooks (nobody may wait for a judge that is
 * leaving), then the speakers clean their nodes and say so, then the DaemonSet and its pods, then the rest.
 * Each pass looks at what is there, so an operator that starts in the middle goes on where the last one was. Pure.
 */
import { speakerLease } from "#api/names.ts";
import { leases, type Resource, speakerStatuses } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import {
  type ActualChild,
  conditionOf,
  type LeaseView,
  type OperatorView,
  type SpeakerView,
} from "#operator/view.ts";

/** How long a removal waits for a speaker that shows no life. */
const DEAD_SPEAKER_WAIT_MS = 60_000;
/** How long pods may outlive the grace that they were given: a kubelet that is gone ends nothing. */
const POD_WAIT_MS = 15_000;
const LOOK_AGAIN_MS = 1_000;

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
  /** Nodes whose speaker is given up, said once. */
  readonly left: readonly string[];
  readonly isDone: boolean;
  readonly retryAfterMs?: number;
}

/** `since`: when the removal was asked for; undefined if there is no LoadBalancer, so that nobody reports. */
export function removalStep(view: OperatorView, since: Date | undefined): RemovalStep {
  const webhooks = view.children.filter(isWebhookConfiguration).map((child) => removalOf(child, "removal"));
  const daemonSets = view.children.filter(({ resource }) => resource.kind === "DaemonSet");
  if (daemonSets.length > 0) {
    const pending = since === undefined ? [] : unreported(view);
    const waiting = whomToWaitFor(view, pending, since);
    if (waiting !== undefined) return { ...NOTHING, remove: webhooks, waiting, retryAfterMs: LOOK_AGAIN_MS };
    const remove = [...webhooks, ...daemonSets.map((child) => removalOf(child, "removal"))];
    return {
      ...NOTHING,
      remove,
      waiting: "the speakers' pods to end",
      left: pending,
      retryAfterMs: LOOK_AGAIN_MS,
    };
  }
  const pods = view.pods.filter((pod) => pod.component === "speaker" && !isOverdue(pod, view.now));
  if (pods.length > 0) {
    const waiting = `the speakers' pods to end: ${names(pods.map(({ node, name }) => node ?? name))}`;
    return { ...NOTHING, remove: webhooks, waiting, retryAfterMs: LOOK_AGAIN_MS };
  }
  return lastStep(view);
}

const NOTHING: RemovalStep = { remove: [], waiting: "", left: [], isDone: false };

function lastStep(view: OperatorView): RemovalStep {
  const remove = [
    ...view.children.map((child) => removalOf(child, "removal")),
    ...view.speakers.map((speaker) => statusRemoval(view, speaker, "removal")),
    ...view.leases.map((lease) => leaseRemoval(view, lease.name, "removal")),
  ];
  if (remove.length === 0) return { ...NOTHING, isDone: true };
  return { ...NOTHING, remove, waiting: "the last objects to go", retryAfterMs: LOOK_AGAIN_MS };
}

/** Nodes of the cluster that have or had a speaker, without a report that they are clean; sorted. */
function unreported(view: OperatorView): string[] {
  const clean = new Set(view.speakers.filter(isClean).map(({ node }) => node));
  const nodes = [
    ...view.speakers.map(({ node }) => node),
    ...view.leases.map(({ node }) => node),
    ...view.pods.filter(({ component }) => component === "speaker").flatMap(({ node }) => node ?? []),
  ];
  // What a node that left the cluster has in its kernel went with it.
  return [...new Set(nodes)].filter((node) => view.nodes.has(node) && !clean.has(node)).sort();
}

function isClean(speaker: SpeakerView): boolean {
  return conditionOf(speaker, "Removed")?.status === "True";
}

/** Undefined if nobody has to be waited for any longer. */
function whomToWaitFor(view: OperatorView, pending: readonly string[], since?: Date): string | undefined {
  if (pending.length === 0 || since === undefined) return undefined;
  const live = new Set(view.leases.filter(({ isLive }) => isLive).map(({ node }) => node));
  const alive = pending.filter((node) => live.has(node));
  if (alive.length > 0) return `the speakers to clean their nodes: ${describe(view, alive)}`;
  const waitedMs = view.now.getTime() - since.getTime();
  if (waitedMs >= DEAD_SPEAKER_WAIT_MS) return undefined;
  const leftSeconds = Math.ceil((DEAD_SPEAKER_WAIT_MS - waitedMs) / 10_000) * 10;
  return `speakers that show no life, ${leftSeconds} s longer at most: ${names(pending)}`;
}

/** Nodes with what their speaker says is in the way. */
function describe(view: OperatorView, nodes: readonly string[]): string {
  return names(
    nodes.map((node) => {
      const speaker = view.speakers.find((candidate) => candidate.node === node);
      const message = speaker === undefined ? undefined : conditionOf(speaker, "Removed")?.message;
      return message === undefined || message === "" ? node : `${node} (${message})`;
    }),
  );
}

/** At most ten, so that a condition of a large cluster stays readable. */
export function names(all: readonly string[]): string {
  const shown = all.slice(0, 10).join(", ");
  return all.length > 10 ? `${shown} and ${all.length - 10} more` : shown;
}

function isOverdue(pod: { readonly goneBy: string | undefined }, now: Date): boolean {
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

function statusRemoval(view: OperatorView, speaker: SpeakerView, why: string): Removal {
  const { node, uid } = speaker;
  return { resource: speakerStatuses, name: node, namespace: view.site.namespace, uid, why };
}

function leaseRemoval(view: OperatorView, name: LeaseView["name"], why: string): Removal {
  return { resource: leases, name, namespace: view.site.namespace, why };
}
