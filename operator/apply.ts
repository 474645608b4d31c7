/** Performs a plan of the operator: differences only, in the plan's order. */
import { FIELD_MANAGER, FINALIZER } from "#api/names.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import { apiVersionOf, type LoadBalancer, loadBalancers } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { describeChild } from "#operator/children/child.ts";
import { adopted, type ManagedFields } from "#operator/ownership.ts";
import type { Application, Plan } from "#operator/plan.ts";
import type { Removal } from "#operator/removal.ts";

export interface ApplyOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly log: Logger;
}

const MANAGER = { fieldManager: FIELD_MANAGER.operator } as const;

/** What others put in becomes ours first: only then does an apply that does not name it take it out. */
async function adopt({ client }: ApplyOptions, { child }: Application): Promise<void> {
  const { name, namespace } = child.object.metadata;
  const present = await client.get(child.resource, name, namespace);
  if (present === undefined) return;
  const fields = (present.metadata.managedFields ?? []) as readonly ManagedFields[];
  await client.patch(child.resource, {
    ...MANAGER,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    type: "json",
    body: [
      { op: "test", path: "/metadata/resourceVersion", value: present.metadata.resourceVersion },
      {
        op: "replace",
        path: "/metadata/managedFields",
        value: adopted(fields, MANAGER.fieldManager, apiVersionOf(child.resource)),
      },
    ],
  });
}

async function applyChild(options: ApplyOptions, application: Application): Promise<void> {
  const { child, why, hasStrangers } = application;
  const what = describeChild(child.resource, child.object);
  if (hasStrangers) await adopt(options, application);
  await options.client.apply(child.resource, child.object, { ...MANAGER, force: true });
  options.log.info("applied", { event: "childApplied", object: what, why });
}

async function removeOne({ client, log }: ApplyOptions, removal: Removal): Promise<void> {
  const { resource, name, namespace, uid, why } = removal;
  const isGone = !(await client.remove(resource, name, {
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    propagation: "Background",
  }));
  if (!isGone) log.info("removed", { event: "childRemoved", object: `${resource.kind} ${name}`, why });
}

/** The finalizers of `balancer` with or without ours; a version that was changed meanwhile is for the next pass. */
async function setFinalizer(
  { client }: ApplyOptions,
  balancer: LoadBalancer,
  verb: "add" | "remove",
): Promise<void> {
  const { name, namespace = "", resourceVersion, finalizers = [] } = balancer.metadata;
  const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
  const body = {
    metadata: { resourceVersion, finalizers: verb === "add" ? [...others, FINALIZER] : others },
  };
  try {
    await client.patch(loadBalancers, { ...MANAGER, name, namespace, type: "merge", body });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Throws KubeError and ConnectionError; everything done stays done, the next pass sees it. */
export async function applyPlan(
  options: ApplyOptions,
  plan: Plan,
  balancer: LoadBalancer | undefined,
): Promise<void> {
  if (balancer !== undefined && plan.finalizer === "add") await setFinalizer(options, balancer, "add");
  for (const node of plan.left) {
    if (balancer === undefined) continue;
    const message = `the speaker of node ${node} showed no life for 60 s: what it had in the node's kernel is left there`;
    options.log.warn(message, { event: "nodeLeft", node });
    options.events.emit(
      { apiVersion: "genkan.dev/v1beta1", kind: "LoadBalancer", metadata: balancer.metadata },
      { type: "Warning", reason: "NodeLeft", message },
    );
  }
  for (const application of plan.apply) await applyChild(options, application);
  for (const removal of plan.remove) {
    try {
      await removeOne(options, removal);
    } catch (error) {
      // Another object has the name now: the next pass looks at that one.
      if (!isConflict(error)) throw error;
    }
  }
  if (balancer !== undefined && plan.finalizer === "remove") {
    await options.events.flush();
    await setFinalizer(options, balancer, "remove");
  }
}
