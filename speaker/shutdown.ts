/**
 * The end of a speaker's process: it hands over its addresses before it lets them go, and cleans the node only if no
 * speaker comes back to it.
 */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { KubeError } from "#common/kube/error.ts";
import { loadBalancers, namespaces, nodes } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { projectLoadBalancer, projectNode } from "./known/project.ts";
import { type Role, roleOf } from "./plan/role.ts";

/**
 * The time from the goodbye until this node stops answering. Meanwhile the others take over and announce the addresses.
 */
export const HANDOVER_MS = 1_000;
const QUESTION_MS = 2_000;
/** The pause between attempts to clean the node, and how many there are. All of them fit into the pod's grace. */
const CLEAN_AGAIN_MS = 3_000;
const ATTEMPTS = 10;

export interface ShutdownOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The role as the watches last knew it. */
  readonly role: Role;
  readonly release: () => Promise<void>;
  readonly withdraw: () => Promise<void>;
  /** Empties the kernel and reports it. */
  readonly leave: (role: Role) => Promise<void>;
}

/**
 * A pod that is replaced leaves the kernel as it is, so that connections go on over the restart. But a pod is also
 * ended when its node is not selected any more, or when the LoadBalancer or the namespace is deleted, and maybe before
 * our watch heard of it. So the API server is asked once more. Cleaning the kernel needs no right in the API, so it
 * works without the server.
 */
export async function shutDown(options: ShutdownOptions): Promise<void> {
  const { clock, log } = options;
  const role = await roleNow(options);
  try {
    await options.release();
    await clock.sleep(HANDOVER_MS);
  } catch (error) {
    log.warn("no goodbye: the others take over when the Lease has run out", { error: errorText(error) });
  }
  if (role === "Active") await options.withdraw();
  else await clean(options, role);
}

/** Nobody cleans the node after us, so what fails is tried again while there is time. Throws the last error. */
async function clean({ clock, log, leave }: ShutdownOptions, role: Role): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await leave(role);
      log.info("this node is clean", { event: "nodeClean", role });
      return;
    } catch (error) {
      const fields = { event: "nodeNotClean", attempt, error: errorText(error) };
      if (attempt === ATTEMPTS) {
        log.error("this node is not clean: restart it, or clean it as docs/uninstall.md says", fields);
        throw error;
      }
      log.warn("this node is not clean yet: tried again", fields);
      await clock.sleep(CLEAN_AGAIN_MS);
    }
  }
}

async function roleNow(options: ShutdownOptions): Promise<Role> {
  const { client, node, namespace, log, role } = options;
  const limits = { timeoutMs: QUESTION_MS };
  try {
    const [loadBalancer, ownNode, isHomeLeaving] = await Promise.all([
      client.get(loadBalancers, LOADBALANCER_NAME, namespace, limits),
      client.get(nodes, node, undefined, limits),
      isNamespaceLeaving(options),
    ]);
    // Pods of a namespace that is deleted may be ended before the LoadBalancer in it is.
    if (isHomeLeaving) return "LoadBalancerDeleted";
    return roleOf(
      loadBalancer === undefined ? undefined : projectLoadBalancer(loadBalancer),
      ownNode === undefined ? undefined : projectNode(ownNode),
    );
  } catch (error) {
    if (hasNoRights(error)) {
      log.info("this pod ends and has no rights any more: Genkan is being removed", {
        error: errorText(error),
      });
      return "LoadBalancerAbsent";
    }
    log.warn("the API server does not say whether this node stays: as known before", {
      role,
      error: errorText(error),
    });
    return role;
  }
}

/** Not known to be leaving where this right is not there: the roles of an older release, to which one goes back. */
async function isNamespaceLeaving({ client, namespace }: ShutdownOptions): Promise<boolean> {
  try {
    const home = await client.get(namespaces, namespace, undefined, { timeoutMs: QUESTION_MS });
    return home === undefined || home.metadata.deletionTimestamp !== undefined;
  } catch (error) {
    if (hasNoRights(error)) return false;
    throw error;
  }
}

/** The ServiceAccount is gone, or its roles are. A server that is merely away says neither. */
function hasNoRights(error: unknown): boolean {
  return error instanceof KubeError && (error.code === 401 || error.code === 403);
}
