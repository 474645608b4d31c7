/** What the LoadBalancer's status says: conditions that are true to what runs. Pure. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import { judge } from "#api/v1beta1/admission/judge.ts";
import { type Condition, ConditionType, setCondition } from "#api/v1beta1/conditions.ts";
import type { LoadBalancer } from "#common/kube/resource.ts";
import type { Plan } from "#operator/plan.ts";
import { names } from "#operator/removal.ts";
import { conditionOf, type OperatorView } from "#operator/view.ts";
import { controllerProgress, speakerProgress } from "#operator/workloads.ts";

type Status = NonNullable<LoadBalancer["status"]>;
type Word = Omit<Condition, "lastTransitionTime" | "observedGeneration">;

const word = (type: ConditionType, is: boolean, reason: string, message: string): Word => ({
  type,
  status: is ? "True" : "False",
  reason,
  message,
});

/** Nodes whose speaker says that something is missing, with its words. */
function troubles(view: OperatorView): string[] {
  return view.speakers.flatMap((speaker) => {
    if (!view.nodes.has(speaker.node)) return [];
    const bad = [ConditionType.ForwardingReady, ConditionType.AnnouncingReady]
      .map((type) => conditionOf(speaker, type))
      .find((condition) => condition?.status === "False");
    return bad === undefined ? [] : [`${speaker.node}: ${bad.reason ?? ""} (${bad.message ?? ""})`];
  });
}

function podProblems(view: OperatorView): string[] {
  return view.pods
    .filter((pod) => !pod.isReady && pod.problem !== undefined && pod.goneBy === undefined)
    .map((pod) => `${pod.component} ${pod.name}: ${pod.problem}`);
}

function validity(view: OperatorView, balancer: LoadBalancer): Word {
  const { refusals } = judge(
    {
      operation: "UPDATE",
      kind: "LoadBalancer",
      object: { ...balancer, kind: "LoadBalancer", apiVersion: balancer.apiVersion ?? "" } as never,
      oldObject: undefined,
    },
    { namespace: view.site.namespace, pools: [], services: [] },
  );
  return refusals.length === 0
    ? word(ConditionType.Valid, true, "Valid", "")
    : word(ConditionType.Valid, false, "Invalid", refusals.map((refusal) => refusal.message).join("; "));
}

function removing(plan: Plan): Word[] {
  const message = plan.waiting === "" ? "being removed" : `being removed; waiting for ${plan.waiting}`;
  return [
    word(ConditionType.Available, false, "Removing", message),
    word(ConditionType.Progressing, true, "Removing", message),
    word(ConditionType.Degraded, false, "Removing", message),
    word(ConditionType.Upgradeable, false, "Removing", message),
  ];
}

function running(view: OperatorView, valid: Word): Word[] {
  const [controllers, speakers] = [controllerProgress(view), speakerProgress(view)];
  const counts = `${controllers.available} of ${controllers.desired} controllers and ${speakers.available} of ${speakers.desired} speakers are available`;
  const isAvailable =
    controllers.available > 0 &&
    speakers.exists &&
    speakers.desired > 0 &&
    speakers.available >= speakers.desired;
  const isDone = controllers.isDone && speakers.isDone && speakers.available >= speakers.desired;
  const nodes = troubles(view);
  const stuck = controllers.stuck;
  const degraded =
    valid.status === "False"
      ? word(ConditionType.Degraded, true, "Invalid", valid.message)
      : nodes.length > 0
        ? word(ConditionType.Degraded, true, "SpeakerTrouble", names(nodes))
        : stuck !== undefined
          ? word(ConditionType.Degraded, true, "ControllerStuck", stuck)
          : word(ConditionType.Degraded, false, "AsExpected", "");
  const problems = isDone ? [] : podProblems(view);
  const progress = problems.length === 0 ? counts : `${counts}; ${names(problems)}`;
  return [
    isAvailable
      ? word(ConditionType.Available, true, "Running", counts)
      : word(ConditionType.Available, false, "NotRunning", progress),
    isDone
      ? word(ConditionType.Progressing, false, "AsExpected", "")
      : word(ConditionType.Progressing, true, "RollingOut", progress),
    degraded,
    word(
      ConditionType.Upgradeable,
      isDone,
      isDone ? "AsExpected" : "RollingOut",
      isDone ? "" : "wait until the present change is through",
    ),
  ];
}

/** The status as it should be; the very present one where nothing changed. */
export function statusOf(view: OperatorView, plan: Plan, balancer: LoadBalancer): Status | undefined {
  const valid = validity(view, balancer);
  const isRemoving = balancer.metadata.deletionTimestamp !== undefined;
  const words = [valid, ...(isRemoving ? removing(plan) : running(view, valid))];
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
  const conditions = words.reduce<readonly Condition[]>(
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
