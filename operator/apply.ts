/** Performs a plan of the operator: differences only, in the plan's order. */
import { FIELD_MANAGER, FINALIZER } from "#api/names.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound, KubeError } from "#common/kube/error.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import type { ManagedFields } from "#common/kube/managers.ts";
import { apiVersionOf, type LoadBalancer, loadBalancers, nodes } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { releaseServices } from "#common/release-services.ts";
import { describeChild } from "#operator/children/child.ts";
import { adopted } from "#operator/ownership.ts";
import type { Application, Plan } from "#operator/plan.ts";
import type { Removal } from "#operator/removal.ts";

export interface ApplyOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** Told of each application that was written, and the version that the API server has now. */
  readonly onApplied?: (application: Application, version: string) => void;
}

/** The API server refused writes; those that it took are done. */
export class ApplyError extends Error {
  override readonly name = "ApplyError";
  readonly code = "APPLY";
  /** One for each refused write: the object, and the server's words. */
  readonly failures: readonly string[];

  constructor(failures: readonly string[], cause: unknown) {
    super(failures.join("; "), { cause });
    this.failures = failures;
  }
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
  const present = await options.client.apply(child.resource, child.object, { ...MANAGER, force: true });
  options.onApplied?.(application, present.metadata.resourceVersion);
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

/** A version that was changed meanwhile is for the next pass. */
async function removeFinalizer({ client }: ApplyOptions, balancer: LoadBalancer): Promise<void> {
  const { name, namespace = "", resourceVersion, finalizers = [] } = balancer.metadata;
  const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
  const body = { metadata: { resourceVersion, finalizers: others } };
  try {
    await client.patch(loadBalancers, { ...MANAGER, name, namespace, type: "merge", body });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/**
 * ApplyError if the server refused a write (the others are made all the same), ConnectionError if it did not answer;
 * what is done stays done, the next pass sees it.
 */
export async function applyPlan(
  options: ApplyOptions,
  plan: Plan,
  balancer: LoadBalancer | undefined,
): Promise<void> {
  for (const node of plan.left) emitNodeLeft(options, node);
  if (plan.releasesServices === true) await releaseServices(options);
  const refused = new Map<string, unknown>();
  if (balancer !== undefined && plan.hasFinalizer) {
    await attempt(`LoadBalancer ${balancer.metadata.name}`, refused, () =>
      removeFinalizer(options, balancer),
    );
  }
  for (const application of plan.apply) {
    const { resource, object } = application.child;
    await attempt(describeChild(resource, object), refused, () => applyChild(options, application));
  }
  for (const removal of plan.remove) {
    await attempt(`${removal.resource.kind} ${removal.name}`, refused, () => removeOne(options, removal));
  }
  if (refused.size > 0) {
    const [first] = refused.values();
    throw new ApplyError(
      [...refused].map(([what, error]) => `${what}: ${errorText(error)}`),
      first,
    );
  }
}

/** One object that the server refuses must not keep the others from being repaired. */
async function attempt(
  what: string,
  refused: Map<string, unknown>,
  write: () => Promise<void>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    // Somebody was quicker, or another object has the name now: the watch brings the news and the next pass.
    if (isConflict(error)) return;
    if (!(error instanceof KubeError)) throw error;
    refused.set(what, error);
  }
}

/** The event is at the Node, which is still there when everything of ours is gone. */
function emitNodeLeft({ log, events }: ApplyOptions, node: string): void {
  const message =
    "the speaker of this node ended without a word that it has cleaned it: what Genkan had in its kernel may still be " +
    "there (its nftables table, IPVS services, rules and tunnels); restart the node, or clean it as docs/uninstall.md says";
  log.warn(message, { event: "nodeLeft", node });
  // Who reads a Node's events looks for its name in place of the uid (as the kubelet writes them).
  const metadata = { name: node, uid: node };
  events.emit(
    { apiVersion: "v1", kind: nodes.kind, metadata },
    { type: "Warning", reason: "NodeLeft", message },
  );
}
