/** The end of a speaker's process: hand over before letting go, and clean the node only if it is done for good. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { loadBalancers, nodes } from "#common/kube/resource.ts";
import type { Logger } from "#common/log.ts";
import { projectLoadBalancer, projectNode } from "./known/project.ts";
import { type Role, roleOf } from "./plan/role.ts";

/** From the goodbye until we stop answering: the others take over and tell the neighbours meanwhile. */
export const HANDOVER_MS = 1_000;
const QUESTION_MS = 2_000;

export interface ShutdownOptions {
  readonly client: KubeClient;
  readonly node: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The role as the watches knew it. */
  readonly role: Role;
  readonly release: () => Promise<void>;
  readonly withdraw: () => Promise<void>;
  /** Empties the kernel and reports it. */
  readonly leave: (role: Role) => Promise<void>;
}

/**
 * A pod that is replaced leaves the kernel as it is: connections go on over the restart. A node that is no longer
 * selected, or a LoadBalancer that goes, ends pods the same way, and maybe before our watch heard of it: so the API
 * server is asked once more.
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
  else await options.leave(role);
}

async function roleNow(options: ShutdownOptions): Promise<Role> {
  const { client, node, namespace, log, role } = options;
  const limits = { timeoutMs: QUESTION_MS };
  try {
    const [loadBalancer, ownNode] = await Promise.all([
      client.get(loadBalancers, LOADBALANCER_NAME, namespace, limits),
      client.get(nodes, node, undefined, limits),
    ]);
    return roleOf(
      loadBalancer === undefined ? undefined : projectLoadBalancer(loadBalancer),
      ownNode === undefined ? undefined : projectNode(ownNode),
    );
  } catch (error) {
    log.warn("the API server does not say whether this node stays: as known before", {
      role,
      error: errorText(error),
    });
    return role;
  }
}
