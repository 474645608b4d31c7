/** How far the Deployment and the DaemonSet are. Pure. */
import { CONTROLLER_NAME, SPEAKER_NAME } from "#api/names.ts";
import type { DaemonSet, Deployment } from "#common/kube/resource.ts";
import { findChild, type OperatorView } from "#operator/view.ts";

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
}

const ABSENT: Progress = {
  exists: false,
  desired: 0,
  updated: 0,
  available: 0,
  isDone: false,
  stuck: undefined,
};

export function controllerProgress(view: OperatorView): Progress {
  const deployment = findChild(view, "Deployment", CONTROLLER_NAME) as Deployment | undefined;
  if (deployment === undefined) return ABSENT;
  const { status, spec, metadata } = deployment;
  const desired = spec?.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  const available = status?.availableReplicas ?? 0;
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const progressing = status?.conditions?.find(({ type }) => type === "Progressing");
  return {
    exists: true,
    desired,
    updated,
    available,
    // `replicas` counts old pods that are still there.
    isDone: isObserved && updated >= desired && available >= desired && (status?.replicas ?? 0) <= desired,
    stuck: progressing?.status === "False" ? (progressing.message ?? progressing.reason) : undefined,
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
  };
}

/** After so long without a controller the webhooks go: nobody could repair the configuration behind them. */
const ADMISSION_GRACE_MS = 60_000;

/**
 * Whether the webhook configuration belongs there: as soon as a controller is available, and still for a while after
 * the last one went.
 */
export function isAdmissionOn(view: OperatorView): boolean {
  const deployment = findChild(view, "Deployment", CONTROLLER_NAME) as Deployment | undefined;
  if ((deployment?.status?.availableReplicas ?? 0) > 0) return true;
  if (!view.children.some(({ resource }) => resource.kind === "ValidatingWebhookConfiguration")) return false;
  const available = deployment?.status?.conditions?.find(({ type }) => type === "Available");
  const since = Date.parse(available?.lastTransitionTime ?? "");
  return view.now.getTime() - since < ADMISSION_GRACE_MS;
}
