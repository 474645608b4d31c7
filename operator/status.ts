/** What the LoadBalancer's status says: conditions that are true to what runs. Pure. */

import { LOADBALANCER_NAME } from "#api/names.ts";
import { printable } from "#api/printable.ts";
import { judge } from "#api/v1beta1/admission/judge.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import {
  type Condition,
  ConditionType,
  ContestedReason,
  type NewCondition,
  setCondition,
} from "#api/v1beta1/conditions.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import type { Reason } from "#api/v1beta1/reasons.ts";
import type { LoadBalancer } from "#common/kube/resource.ts";
import { describeChild } from "#operator/children/child.ts";
import { contendedMessage } from "#operator/contention.ts";
import type { Plan } from "#operator/plan.ts";
import { isWorkload, names } from "#operator/removal.ts";
import { conditionOf, type OperatorView, type PodView, type RivalView } from "#operator/view.ts";
import { controllerProgress, speakerProgress } from "#operator/workloads.ts";

type Status = NonNullable<LoadBalancer["status"]>;
type Word = Omit<NewCondition, "observedGeneration">;

const word = (type: ConditionType, is: boolean, reason: Reason, message: string): Word => ({
  type,
  status: is ? "True" : "False",
  reason,
  message,
});

/** Nodes whose speaker says that something is missing, with its words. */
function troubles(view: OperatorView): string[] {
  return view.speakers.flatMap((speaker) => {
    if (!view.nodes.has(speaker.node)) return [];
    const bad = [ConditionType.ForwardingReady, ConditionType.AnnouncingReady, ConditionType.FirewallOpen]
      .map((type) => conditionOf(speaker, type))
      .find((condition) => condition?.status === "False");
    return bad === undefined ? [] : [`${speaker.node}: ${bad.reason} (${bad.message})`];
  });
}

/** A pod may take so long to get ready before that is trouble. */
const START_MS = 60_000;

/** Pods that are not ready, with the kubelet's or scheduler's words; `forMs`: those that are so for that long. */
function podProblems(view: OperatorView, component?: PodView["component"], forMs = 0): string[] {
  return view.pods
    .filter((pod) => component === undefined || pod.component === component)
    .filter((pod) => !pod.isReady && pod.goneBy === undefined)
    .filter(({ unreadySince }) => isSince(unreadySince, forMs, view.now))
    .map(
      ({ component, node, problem = "not ready" }) => `${component} on ${node ?? "no node yet"}: ${problem}`,
    )
    .sort();
}

function isSince(time: string | undefined, forMs: number, now: Date): boolean {
  return time !== undefined && now.getTime() - Date.parse(time) >= forMs;
}

function validity(view: OperatorView, balancer: LoadBalancer): Word {
  const { faults } = judge(
    {
      operation: "UPDATE",
      kind: "LoadBalancer",
      object: { ...balancer, kind: "LoadBalancer" },
      oldObject: undefined,
    },
    emptyView(view.site.namespace),
  );
  return faults.length === 0
    ? word(ConditionType.Valid, true, "Valid", "")
    : word(ConditionType.Valid, false, "Invalid", faults.map(faultText).join("; "));
}

function removing(plan: Plan, failures: readonly string[]): Word[] {
  const message = plan.waiting === "" ? "being removed" : `being removed; waiting for ${plan.waiting}`;
  return [
    word(ConditionType.Available, false, "Removing", message),
    word(ConditionType.Progressing, true, "Removing", message),
    degraded(refusedWrites(failures)),
    word(ConditionType.Upgradeable, false, "Removing", message),
  ];
}

interface Problem {
  readonly reason: Reason;
  readonly message: string;
}

function refusedWrites(failures: readonly string[]): Problem[] {
  return failures.length === 0 ? [] : [{ reason: "ApplyFailed", message: names(failures) }];
}

/** Nothing is done: the message says who is there already. */
function rivalled({ namespace, what }: RivalView): Word[] {
  const message =
    `namespace "${printable(namespace)}" has a Genkan already (${printable(what)} is of its making), and a cluster has one; ` +
    "delete this LoadBalancer, or that one; if nothing of it is left there, delete what bears the label " +
    `app.kubernetes.io/instance=${printable(namespace)}`;
  return [
    word(ConditionType.Available, false, "OtherInstallation", message),
    word(ConditionType.Progressing, false, "OtherInstallation", message),
    word(ConditionType.Degraded, true, "OtherInstallation", message),
    word(ConditionType.Upgradeable, false, "OtherInstallation", message),
  ];
}

/** What is wrong, the gravest first; a rollout that goes on as it should is not. */
function problemsOf(view: OperatorView, valid: Word): Problem[] {
  const [controllers, speakers] = [controllerProgress(view), speakerProgress(view)];
  const problems: Problem[] = [];
  const add = (reason: Reason, message: string): void => void problems.push({ reason, message });
  if (valid.status === "False") add("Invalid", valid.message);
  const nodes = troubles(view);
  if (nodes.length > 0) add("SpeakerTrouble", names(nodes));
  for (const [role, { refused }] of [
    ["controller", controllers],
    ["speaker", speakers],
  ] as const) {
    if (refused !== undefined) add("PodsRefused", `no ${role} can be made: ${printable(refused)}`);
  }
  if (controllers.stuck !== undefined) add("ControllerStuck", controllers.stuck);
  const lateControllers = podProblems(view, "controller", START_MS);
  if (lateControllers.length > 0) add("ControllersUnavailable", names(lateControllers));
  if (speakers.isDone && speakers.desired === 0) {
    const fields = "spec.nodeSelector, spec.speakerConfig.affinity and spec.speakerTolerations";
    add("NoNodeSelected", `no node takes a speaker: ${fields} leave none of them`);
  }
  const lateSpeakers = podProblems(view, "speaker", START_MS);
  if (lateSpeakers.length > 0) add("SpeakersUnavailable", names(lateSpeakers));
  return problems;
}

function degraded(problems: readonly Problem[]): Word {
  const [first] = problems;
  if (first === undefined) return word(ConditionType.Degraded, false, "AsExpected", "");
  return word(ConditionType.Degraded, true, first.reason, problems.map(({ message }) => message).join("; "));
}

/**
 * The view is from before this pass wrote: where it has a new Deployment or DaemonSet, what is known of their pods is about
 * the old ones. What somebody else keeps rewriting is no change on its way: the condition Contested tells of it.
 */
function beginsRollout({ apply, contended = [] }: Plan): boolean {
  const fought = new Set(contended.map(({ what }) => what));
  return apply.some(
    ({ child }) => isWorkload(child) && !fought.has(describeChild(child.resource, child.object)),
  );
}

function running(view: OperatorView, plan: Plan, valid: Word, failures: readonly string[]): Word[] {
  const [controllers, speakers] = [controllerProgress(view), speakerProgress(view)];
  const counts = `${controllers.available} of ${controllers.desired} controllers and ${speakers.available} of ${speakers.desired} speakers are available`;
  const isAvailable =
    controllers.available > 0 &&
    speakers.exists &&
    speakers.desired > 0 &&
    speakers.available >= speakers.desired;
  const isBegun = failures.length === 0 && beginsRollout(plan);
  const isDone = !isBegun && controllers.isDone && speakers.isDone && speakers.available >= speakers.desired;
  const waiting = isDone ? [] : podProblems(view);
  const progress = waiting.length === 0 ? counts : `${counts}; ${names(waiting)}`;
  const trouble = degraded([...refusedWrites(failures), ...problemsOf(view, valid)]);
  return [
    isAvailable
      ? word(ConditionType.Available, true, "Running", counts)
      : word(ConditionType.Available, false, "NotRunning", progress),
    isDone
      ? word(ConditionType.Progressing, false, "AsExpected", "")
      : word(ConditionType.Progressing, true, "RollingOut", progress),
    trouble,
    upgradeable(isDone, trouble),
  ];
}

/** Shown from the first time on that somebody keeps writing what we write. */
function contested({ contended = [] }: Plan, balancer: LoadBalancer): Word[] {
  const wasShown = balancer.status?.conditions?.some(({ type }) => type === ConditionType.Contested);
  if (contended.length > 0) {
    const message = names(contended.map(contendedMessage));
    return [word(ConditionType.Contested, true, ContestedReason.ChildContested, message)];
  }
  return wasShown === true ? [word(ConditionType.Contested, false, "AsExpected", "")] : [];
}

/**
 * For programs that wait for whatever they applied, and know no other condition. What runs may be well, and may not be what
 * was applied: a spec that is not valid, or a child that the API server refuses.
 */
function ready(words: readonly Word[]): Word {
  const obstacle =
    words.find(({ type, status }) => type === ConditionType.Progressing && status === "True") ??
    words.find(({ type, status }) => type === ConditionType.Available && status !== "True") ??
    words.find(({ type, reason }) => type === ConditionType.Degraded && reason === "ApplyFailed") ??
    words.find(({ type, status }) => type === ConditionType.Valid && status === "False");
  const available = words.find(({ type }) => type === ConditionType.Available);
  const { reason = "NotRunning", message = "" } = obstacle ?? available ?? {};
  return word(ConditionType.Ready, available !== undefined && obstacle === undefined, reason, message);
}

/** An update on top of an unfinished or broken one would hide which of the two is to blame. */
function upgradeable(isDone: boolean, trouble: Word): Word {
  if (!isDone) {
    return word(ConditionType.Upgradeable, false, "RollingOut", "wait until the present change is through");
  }
  if (trouble.status === "True") {
    return word(ConditionType.Upgradeable, false, trouble.reason, trouble.message);
  }
  return word(ConditionType.Upgradeable, true, "AsExpected", "");
}

/** The status as it should be; the very present one where nothing changed. */
export function statusOf(
  view: OperatorView,
  plan: Plan,
  balancer: LoadBalancer,
  failures: readonly string[] = [],
): Status | undefined {
  const valid = validity(view, balancer);
  const words = [
    valid,
    ...(plan.phase === "Removing"
      ? removing(plan, failures)
      : plan.rival === undefined
        ? running(view, plan, valid, failures)
        : rivalled(plan.rival)),
    ...contested(plan, balancer),
  ];
  const [controllers, speakers] = [controllerProgress(view), speakerProgress(view)];
  return changed(balancer, words, view.now, {
    controllers: { desired: controllers.desired, ready: controllers.available },
    speakers: { desired: speakers.desired, ready: speakers.available },
  });
}

/** For a LoadBalancer with a name that does not count. */
export function misnamedStatus(balancer: LoadBalancer, now: Date): Status | undefined {
  const message = `metadata.name: "${balancer.metadata.name}": the only LoadBalancer is named "${LOADBALANCER_NAME}"; this one is not acted on`;
  const words = [
    word(ConditionType.Available, false, "WrongName", message),
    word(ConditionType.Degraded, true, "WrongName", message),
    word(ConditionType.Progressing, false, "WrongName", message),
    word(ConditionType.Valid, false, "WrongName", message),
  ];
  return changed(balancer, words, now, {});
}

function changed(
  balancer: LoadBalancer,
  words: readonly Word[],
  now: Date,
  counts: Partial<Status>,
): Status | undefined {
  const observedGeneration = balancer.metadata.generation ?? 0;
  const present = (balancer.status?.conditions ?? []) as readonly Condition[];
  const conditions = [...words, ready(words)].reduce<readonly Condition[]>(
    (list, next) => setCondition(list, { ...next, observedGeneration }, now),
    present,
  );
  const status = { ...counts, observedGeneration, conditions: [...conditions] } as Status;
  const same =
    conditions === present &&
    balancer.status?.observedGeneration === observedGeneration &&
    JSON.stringify([balancer.status.controllers, balancer.status.speakers]) ===
      JSON.stringify([counts.controllers, counts.speakers]);
  return same ? undefined : status;
}
