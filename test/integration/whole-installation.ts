/**
 * A cluster with Genkan in it, of which all or a part is removed: a real API server with Kubernetes' own controllers, an
 * operator that lives through it with rights that go, and kubelets of a kind. Each test has one of its own.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { afterEach, beforeEach } from "node:test";
import { promisify } from "node:util";
import { CLEANUP_FINALIZER, FIELD_MANAGER, WEBHOOK_CONFIGURATION_NAME } from "#api/names.ts";
import {
  addressPools,
  clusterRoleBindings,
  clusterRoles,
  customResourceDefinitions,
  namespaces,
  type Resource,
  services,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { managedSelector } from "#operator/children/child.ts";
import { Kubelets } from "#test/integration/kubelets.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
export const KUBECTL = `${ROOT}.lab/bin/kubectl`;
export const NODES = ["node1", "node2"];
export const LONG = { deadlineMs: 60_000 };
export const HELD = { name: "held", namespace: "default" } as const;
export const CRDS = ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers", "speakerstatuses"].map(
  (plural) => `${plural}.genkan.dev`,
);
const IN_CLUSTER: readonly Resource<KubeObject>[] = [
  clusterRoles,
  clusterRoleBindings,
  validatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
];

/** Gives each of the file's tests an installation; the function that it returns gives that of the test that runs. */
export function installForEach(): () => Installation {
  let present: Installation | undefined;
  beforeEach(async () => {
    present = await Installation.start();
  });
  afterEach(async () => {
    await present?.[Symbol.asyncDispose]();
    present = undefined;
  });
  return () => {
    assert.ok(present !== undefined);
    return present;
  };
}

export class Installation implements AsyncDisposable {
  readonly world: OperatorWorld;
  readonly kubelets: Kubelets;
  readonly operator: OperatorProcess;

  private constructor(world: OperatorWorld, kubelets: Kubelets) {
    this.world = world;
    this.kubelets = kubelets;
    this.operator = world.operator();
  }

  /** Resolves when all of it runs, and a Service has an address. */
  static async start(): Promise<Installation> {
    const programs = ["kube-controller-manager", "kube-scheduler"] as const;
    const world = await OperatorWorld.start(NODES, { programs });
    try {
      const installation = new Installation(world, await Kubelets.start(world.plane, NAMESPACE, NODES));
      await installation.#prepare().catch(async (error: unknown) => {
        await installation.#end();
        throw error;
      });
      return installation;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { world } = this;
    await world.create(addressPools, {
      metadata: { name: "default" },
      spec: { protocol: "layer2", addresses: ["172.30.0.200-172.30.0.250"] } as never,
    });
    await world.createLoadBalancer();
    await this.#holdService();
    await until(
      "everything to run",
      async () => (await world.conditions()).Available?.startsWith("True"),
      LONG,
    );
    await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  }

  /** A Service with the finalizer, as a controller puts it there. */
  async #holdService(): Promise<void> {
    const { client } = this.world;
    await client.create(services, {
      metadata: HELD,
      spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
    });
    await client.patch(services, {
      ...HELD,
      subresource: "status",
      type: "merge",
      body: { metadata: { finalizers: [CLEANUP_FINALIZER] } },
      fieldManager: FIELD_MANAGER.controller,
    });
  }

  async kubectl(...argv: string[]): Promise<string> {
    const { kubeconfig } = this.world.plane.plane;
    const all = ["--kubeconfig", kubeconfig, ...argv];
    return (await promisify(execFile)(KUBECTL, all, { cwd: ROOT })).stdout;
  }

  /** Deletes and waits, as kubectl does. */
  deleted(...argv: string[]): Promise<string> {
    return this.kubectl("delete", ...argv, "--timeout=90s");
  }

  /** The Service is free, and every node was cleaned. */
  async untilClean(): Promise<void> {
    const { client } = this.world;
    const isFree = async () =>
      (await client.get(services, HELD.name, HELD.namespace))?.metadata.finalizers === undefined;
    await until("the Service to lose the finalizer", isFree, LONG);
    const { ended } = this.kubelets;
    await until("the speakers to end", () => NODES.every((node) => ended.has(node)), LONG);
    for (const node of NODES) assert.match(ended.get(node) ?? "", /^LoadBalancer(Absent|Deleted)$/);
  }

  async untilGoneWithNamespace(): Promise<void> {
    await this.untilClean();
    await this.#untilGone(namespaces, NAMESPACE);
    await this.untilNothingInCluster();
  }

  async untilCrdsGone(): Promise<void> {
    for (const name of CRDS) await this.#untilGone(customResourceDefinitions, name);
  }

  async #untilGone(resource: Resource<KubeObject>, name: string): Promise<void> {
    const what = `${resource.kind} ${name} to be gone`;
    await until(what, async () => (await this.world.client.get(resource, name)) === undefined, LONG);
  }

  async untilNothingInCluster(): Promise<void> {
    await until(
      "nothing to be left in the cluster",
      async () => {
        const left = await this.#leftovers();
        if (left.length > 0) throw new Error(`left: ${left.join(", ")}`);
        return true;
      },
      LONG,
    );
  }

  /** Whoever waited for us, and whatever is left. */
  async #leftovers(): Promise<string[]> {
    const left: string[] = [];
    for (const resource of IN_CLUSTER) {
      const { items } = await this.world.client.list(resource, { labelSelector: managedSelector(NAMESPACE) });
      left.push(...items.map(({ metadata }) => `${resource.kind} ${metadata.name}`));
    }
    return left;
  }

  async untilNothingInNamespace(): Promise<void> {
    const kinds = "deployments,daemonsets,pods,services,secrets,serviceaccounts,roles,rolebindings,leases";
    const argv = ["get", kinds, "-n", NAMESPACE, "-l", `${managedSelector(NAMESPACE)}`, "-o", "name"];
    await until(
      "nothing to be left in the namespace",
      async () => (await this.kubectl(...argv)).trim() === "",
      LONG,
    );
  }

  async #end(): Promise<void> {
    await this.operator.stop();
    await this.kubelets[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.world[Symbol.asyncDispose]();
  }
}
