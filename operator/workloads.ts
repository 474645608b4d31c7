/** How far the Deployment and the DaemonSet are. Pure. */
import { CONTROLLER_NAME, SPEAKER_NAME } from "#api/names.ts";
import type { DaemonSet, Deployment } from "#common/kube/resource.ts";
import { findChild, type OperatorView, type PodRefusalView } from "#operator/view.ts";

export interface Progress {
  readonly exists: boolean;
  readonly desired: number;
  /** Run what is wanted now. */
  readonly updated: number;
  /** Answer, whatever version they run. */
  readonly available: number;
  readonly isDone: boolean;
  /** The workload's controller gave up: its own words. */
  readonly stuck: string | undefined;
  /** Why no pod can be made, in the API server's words: a class that is not there, a quota, Pod Security. */
  readonly refused: string | undefined;
}

const ABSENT: Progress = {
  exists: false,
  desired: 0,
  updated: 0,
  available: 0,
  isDone: false,
  stuck: undefined,
  refused: undefined,
};

export function controllerProgress(view: OperatorView): Progress {
  const deployment = findChild(view, "Deployment", CONTROLLER_NAME) as Deployment | undefined;
  if (deployment === undefined) return ABSENT;
  const { status, spec, metadata } = deployment;
  const desired = spec?.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  const available = status?.availableReplicas ?? 0;
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const condition = (wanted: string) => status?.conditions?.find(({ type }) => type === wanted);
  const [progressing, failure] = [condition("Progressing"), condition("ReplicaFailure")];
  return {
    exists: true,
    desired,
    updated,
    available,
    // `replicas` counts old pods that are still there.
    isDone: isObserved && updated >= desired && available >= desired && (status?.replicas ?? 0) <= desired,
    stuck: progressing?.status === "False" ? (progressing.message ?? progressing.reason) : undefined,
    refused: failure?.status === "True" ? (failure.message ?? failure.reason) : undefined,
  };
}

export function speakerProgress(view: OperatorView): Progress {
  const daemonSet = findChild(view, "DaemonSet", SPEAKER_NAME) as DaemonSet | undefined;
  if (daemonSet === undefined) return ABSENT;
  const { status, metadata } = daemonSet;
  const desired = status?.desiredNumberScheduled ?? 0;
  const updated = status?.updatedNumberScheduled ?? 0;
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return {
    exists: true,
    desired,
    updated,
    available: status?.numberAvailable ?? 0,
    isDone: isObserved && updated >= desired && (status?.numberMisscheduled ?? 0) === 0,
    stuck: undefined,
    refused:
      (status?.currentNumberScheduled ?? desired) < desired ? podRefusal(view, metadata.uid) : undefined,
  };
}

/**
 * What the DaemonSet's controller last said of a pod that it could not make: it has no condition for that, only Events,
 * which are there for an hour. One that is older than a speaker's pod is over.
 */
function podRefusal({ podRefusals, pods }: OperatorView, uid: string): string | undefined {
  const newest = podRefusals
    .filter((refusal) => refusal.uid === uid)
    .reduce<PodRefusalView | undefined>(
      (last, next) => (last === undefined || next.at > last.at ? next : last),
      undefined,
    );
  const made = pods.filter(({ component }) => component === "speaker").map(({ createdAt }) => createdAt);
  return newest === undefined || made.some((at) => at > newest.at) ? undefined : newest.message;
}

/** After so long without a controller the webhooks go: nobody could repair the configuration behind them. */
const ADMISSION_GRACE_MS = 60_000;

/**
 * Whether the webhook configuration belongs there: as soon as a controller is available, and still for a minute after
 * the last one went.
 */
export function isAdmissionOn(view: OperatorView): boolean {
  if (controllerProgress(view).available > 0) return true;
  if (!view.children.some(({ resource }) => resource.kind === "ValidatingWebhookConfiguration")) return false;
  return view.withoutControllersMs < ADMISSION_GRACE_MS;
}
