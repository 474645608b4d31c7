/** What one pass of the operator has to change. Pure. */
import { FINALIZER } from "#api/names.ts";
import { type Change, changeOf, MISSING } from "#operator/change.ts";
import { wantedChildren } from "#operator/children/all.ts";
import { type Child, describeChild } from "#operator/children/child.ts";
import { CONTROLLER_RULES } from "#operator/children/rbac.ts";
import { difference } from "#operator/diff.ts";
import {
  isWebhookConfiguration,
  type Removal,
  removalOf,
  removalStep,
  staleSpeakers,
} from "#operator/removal.ts";
import { settingsOf } from "#operator/settings.ts";
import { type ActualChild, childKey, findChild, type OperatorView, type RivalView } from "#operator/view.ts";
import { controllerProgress, isAdmissionOn } from "#operator/workloads.ts";

export interface Application extends Change {
  readonly child: Child;
}

/** A child that somebody else keeps writing (contention.ts). */
export interface Contended {
  readonly what: string;
  readonly isMissing: boolean;
  /** The field; undefined if he only adds others, or removes the object. */
  readonly path: string | undefined;
  /** undefined: the API server does not say. */
  readonly manager: string | undefined;
}

export interface Plan {
  readonly phase: "Absent" | "Installing" | "Removing";
  /** An older release put a finalizer on the LoadBalancer: it has to go. */
  readonly hasFinalizer: boolean;
  readonly apply: readonly Application[];
  readonly remove: readonly Removal[];
  /** While removing: our finalizer is to be taken off Services first. */
  readonly releasesServices?: boolean;
  /** While removing: for what the next step waits. */
  readonly waiting: string;
  /** While removing: nodes that this very pass tells of as not cleaned. */
  readonly left: readonly string[];
  readonly retryAfterMs?: number;
  /** Set if another namespace has a Genkan: then nothing is done. */
  readonly rival?: RivalView;
  /** Filled in where somebody else keeps writing. */
  readonly contended?: readonly Contended[];
}

const NOTHING = { hasFinalizer: false, apply: [], remove: [], waiting: "", left: [] } as const;
/** While admission is on without a controller, its time runs out: somebody has to look. */
const LOOK_AT_ADMISSION_MS = 10_000;

export function planOperator(view: OperatorView): Plan {
  const { loadBalancer, home } = view;
  const hasFinalizer = loadBalancer?.metadata.finalizers?.includes(FINALIZER) === true;
  if (loadBalancer === undefined) return planRemoval(view, "Absent");
  const isLeaving = loadBalancer.metadata.deletionTimestamp !== undefined || home?.isTerminating === true;
  return { ...(isLeaving ? planRemoval(view, "Removing") : planInstallation(view)), hasFinalizer };
}

function planRemoval(view: OperatorView, phase: "Absent" | "Removing"): Plan {
  return { ...NOTHING, phase, ...removalStep(view) };
}

function planInstallation(view: OperatorView): Plan {
  const { loadBalancer, site, certificate, gossipKeys, home } = view;
  if (loadBalancer === undefined || certificate === undefined || home === undefined)
    return { ...NOTHING, phase: "Installing" };
  const rival = rivalOf(view);
  if (rival !== undefined) return { ...NOTHING, phase: "Installing", rival };
  const settings = settingsOf(loadBalancer.spec ?? {}, view.peering);
  const owners = { loadBalancer: loadBalancer.metadata, namespace: { name: site.namespace, uid: home.uid } };
  const isOn = isAdmissionOn(view);
  const wanted = wantedChildren({ site, settings, certificate, gossipKeys, owners, isAdmissionOn: isOn });
  const { create, update, remove } = difference<Child, ActualChild, Change>({
    wanted,
    actual: view.children,
    wantedKey: ({ resource, object }) => describeChild(resource, object),
    actualKey: childKey,
    change: changeOf,
  });
  const changes = new Map<Child, Change>([
    ...create.map((child) => [child, MISSING] as const),
    ...update.map(({ wanted, change }) => [wanted, change] as const),
  ]);
  const isLingering = isAdmissionOn(view) && controllerProgress(view).available === 0;
  return {
    ...NOTHING,
    phase: "Installing",
    apply: wanted.flatMap((child) => {
      const change = changes.get(child);
      return change === undefined ? [] : [{ child, ...change }];
    }),
    remove: [
      ...remove.toSorted(webhooksFirst).map((leftover) => removalOf(leftover, "not wanted any longer")),
      ...staleSpeakers(view),
    ],
    ...(isLingering ? { retryAfterMs: LOOK_AT_ADMISSION_MS } : {}),
  };
}

/**
 * Objects without a namespace have one name in a cluster, so two installations would write the same ones in turn. The one
 * whose ClusterRole of the controller it is goes on, and everybody else waits as long as he sees anything of it. Where two
 * begin in the same moment, that one object decides between them.
 */
function rivalOf(view: OperatorView): RivalView | undefined {
  const isOurs = findChild(view, "ClusterRole", CONTROLLER_RULES.roleName) !== undefined;
  return isOurs ? undefined : view.rivals[0];
}

function webhooksFirst(left: ActualChild, right: ActualChild): number {
  return Number(isWebhookConfiguration(right)) - Number(isWebhookConfiguration(left));
}
