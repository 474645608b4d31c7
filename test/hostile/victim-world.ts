/**
 * A victim with open connections, and somebody who means harm, in one cluster: the real API server and controller,
 * three nodes with real speakers and pods under a kernel that has ip_vs, and a tenant who may do what Kubernetes' own
 * ClusterRole `edit` allows, in a namespace of his own.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { KubeClient } from "#common/kube/client.ts";
import { endpointSlices, events, namespaces, type Service, services } from "#common/kube/resource.ts";
import { isBusy } from "#hack/common/load.ts";
import { watchLoad } from "#test/bar.ts";
import { type FlowSummary, Flows } from "#test/dataplane/flows.ts";
import { IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { type ControllerProcess, startLeader } from "#test/integration/controller-process.ts";
import { clientOf } from "#test/integration/tokens.ts";
import type { AddressPair } from "#test/network/three-nodes.ts";
import { settled, until } from "#test/until.ts";

const KUBECTL = new URL("../../.lab/bin/kubectl", import.meta.url).pathname;
/** Of each address family. */
const FLOWS = 10;
const VICTIM = { name: "web", namespace: "default" };

type Spec = NonNullable<Service["spec"]>;

export class HostileWorld implements AsyncDisposable {
  readonly nodes: IpvsNodes;
  /** The one that leads. */
  controller: ControllerProcess;
  /** The namespace in which the tenant has the ClusterRole `edit`. */
  readonly namespace = "mallory";
  readonly tenant: KubeClient;
  readonly #flows: Flows;
  #service = "";
  #slices = 0;
  #moves: readonly string[] = [];
  /** Of the machine since the victim was remembered, in words; undefined: it had time. */
  #busyness: () => Promise<string | undefined> = async () => undefined;
  #programmed = new Map<string, string[]>();

  private constructor(parts: {
    nodes: IpvsNodes;
    controller: ControllerProcess;
    tenant: KubeClient;
    flows: Flows;
  }) {
    this.nodes = parts.nodes;
    this.controller = parts.controller;
    this.tenant = parts.tenant;
    this.#flows = parts.flows;
  }

  static async start(): Promise<HostileWorld> {
    await using built = new AsyncDisposableStack();
    const nodes = built.use(await IpvsNodes.start());
    const controller = await startLeader(nodes.cluster, "controller");
    built.defer(() => controller.end("SIGKILL"));
    const tenant = await tenantOf(nodes, "mallory");
    built.defer(() => tenant.close());
    const vip = nodes.topology.vip(0);
    const targets = Object.values(vip).map((address, at) => ({
      address,
      flows: FLOWS,
      firstPort: 30_000 + at * FLOWS,
    }));
    const flows = new Flows(nodes.machine, nodes.topology, { targets, port: 80, intervalMs: 250 });
    await flows.progress(2, LONG.deadlineMs);
    const world = new HostileWorld({ nodes, controller, tenant, flows });
    await world.remember();
    world.#built = built.move();
    return world;
  }

  #built = new AsyncDisposableStack();

  async restartController(): Promise<void> {
    this.controller = await startLeader(this.nodes.cluster, "controller");
    this.#built.use(this.controller);
  }

  get vip(): AddressPair {
    return this.nodes.topology.vip(0);
  }

  get admin(): KubeClient {
    return this.nodes.cluster.kube;
  }

  /** What the victim has now is what he has to have after every attack. */
  async remember(): Promise<void> {
    // Events and conditions come by other ways than what was waited for before.
    const { service, moves } = await settled("what is told of the victim to be complete", () =>
      this.#victim(),
    );
    this.#service = service;
    this.#moves = moves;
    this.#busyness = await watchLoad(isBusy);
    for (const name of this.nodes.names())
      this.#programmed.set(
        name,
        await settled(`${name} to have programmed all`, () => this.#programmedFor(name)),
      );
    for (const [name, lines] of this.#programmed)
      assert.ok(lines.length > 4, `${name} forwards for the victim`);
  }

  /**
   * The victim's connections go on, byte for byte; his Service, what every node's kernel has for him, and what is told
   * of him are as they were.
   */
  async unharmed(): Promise<void> {
    await this.#flows.progress(2, 60_000);
    const summary = await this.#flows.summary();
    assert.deepEqual(harmOf(summary), NO_HARM, JSON.stringify(summary));
    const { service, moves } = await this.#victim();
    assert.equal(service, this.#service);
    // A speaker that a busy machine keeps from renewing its Lease is rightly taken for dead for a moment. Harm stays.
    const more = moves.filter((move) => !this.#moves.includes(move));
    const busyness = more.length > 0 ? await this.#busyness() : undefined;
    if (busyness === undefined) assert.deepEqual(more, []);
    else process.stderr.write(`not judged, ${busyness}: ${more.join("; ")}\n`);
    this.#moves = moves;
    await until(
      "all that is programmed for the victim to be as it was",
      async () => {
        for (const [name, lines] of this.#programmed)
          assert.deepEqual(await this.#programmedFor(name), lines, name);
        return true;
      },
      LONG,
    );
    for (const name of this.nodes.names()) {
      const isReady = () => this.nodes.cluster.hasCondition(name, "Ready", "True");
      await until(`${name} to be ready`, isReady, LONG);
    }
  }

  /** Everything that the tenant can write is taken away again; resolves when no node has anything of it. */
  async clear(): Promise<void> {
    const { namespace, admin } = this;
    for (const { metadata } of (await admin.list(endpointSlices, { namespace })).items)
      await admin.remove(endpointSlices, metadata.name, { namespace });
    for (const { metadata } of (await admin.list(services, { namespace })).items)
      await admin.remove(services, metadata.name, { namespace });
    await until(
      "the controller to have forgotten the tenant's Services",
      async () => (await admin.list(services, { namespace })).items.length === 0,
      LONG,
    );
  }

  /** A Service of the tenant's, as his own rights let him make it. */
  async addService(
    name: string,
    spec: Partial<Spec> = {},
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { namespace } = this;
    await this.tenant.create(services, {
      metadata: { name, namespace, annotations },
      spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }], ...spec } as Spec,
    });
  }

  change(name: string, body: object): Promise<Service> {
    return this.tenant.patch(services, { name, namespace: this.namespace, type: "merge", body });
  }

  async service(name: string): Promise<Service | undefined> {
    return this.admin.get(services, name, this.namespace);
  }

  async addresses(name: string): Promise<string[]> {
    const ingress = (await this.service(name))?.status?.loadBalancer?.ingress ?? [];
    return ingress.map(({ ip }) => ip ?? "");
  }

  /** Waits until the tenant's Service has that many addresses. */
  async served(name: string, count: number): Promise<string[]> {
    return until(
      `${name} to have ${count} addresses`,
      async () => {
        const found = await this.addresses(name);
        return found.length === count && found;
      },
      LONG,
    );
  }

  /** Everything that the tenant can read of his own Service: conditions and events. */
  async told(name: string): Promise<string> {
    const { items } = await this.tenant.list(events, { namespace: this.namespace });
    const about = items.filter(({ involvedObject }) => involvedObject.name === name);
    const words = about.map(({ reason, message }) => `${reason}: ${message}`);
    const conditions = (await this.service(name))?.status?.conditions ?? [];
    return [...words, ...conditions.map(({ reason, message }) => `${reason}: ${message}`)].join("\n");
  }

  /** Endpoints that a tenant writes himself, where his cluster lets him (or who writes them for him is careless). */
  async addSlice(
    service: string,
    addresses: readonly string[],
    {
      family = "IPv4",
      port = 8080,
      node = "n1",
    }: { family?: "IPv4" | "IPv6"; port?: number; node?: string } = {},
  ): Promise<void> {
    this.#slices += 1;
    await this.admin.create(endpointSlices, {
      metadata: {
        name: `${service}-${family.toLowerCase()}-${this.#slices}`,
        namespace: this.namespace,
        labels: { "kubernetes.io/service-name": service },
      },
      addressType: family,
      ports: [{ name: "", port, protocol: "TCP" }],
      endpoints: addresses.map((address) => ({
        addresses: [address],
        nodeName: node,
        conditions: { ready: true },
      })),
    });
  }

  /** What is told of the victim. */
  async toldOfVictim(): Promise<string> {
    const { items } = await this.admin.list(events, { namespace: VICTIM.namespace });
    return items
      .filter(({ involvedObject }) => involvedObject.name === VICTIM.name)
      .map(({ reason, message }) => `${reason}: ${message}`)
      .sort()
      .join("\n");
  }

  /** Of the victim's Service, what anybody but its owner could have changed; apart, which nodes took its addresses. */
  async #victim(): Promise<{ service: string; moves: readonly string[] }> {
    const found = await this.admin.get(services, VICTIM.name, VICTIM.namespace);
    const { items } = await this.admin.list(events, { namespace: VICTIM.namespace });
    const told = items
      .filter(({ involvedObject }) => involvedObject.name === VICTIM.name)
      .map(({ reason, message }) => `${reason}: ${message}`)
      .sort();
    const isMove = (text: string): boolean => text.startsWith("OwnerChanged: ");
    const others = told.filter((text) => !isMove(text));
    const all = [found?.metadata.annotations, found?.spec, found?.status, others];
    return { service: JSON.stringify(all, undefined, 1), moves: told.filter(isMove) };
  }

  /** What a node's kernel has for the victim: elements of his addresses, and the entries of his marks. */
  async #programmedFor(name: string): Promise<string[]> {
    const programmed = await this.nodes.programmed(name);
    // An element stands alone, or is its set's first or last.
    const lines = programmed.map((line) => line.replace(/^elements = \{ /, "").replace(/ \}$/, "")).sort();
    const addresses = Object.values(this.vip);
    const elements = lines.filter((line) => addresses.some((address) => line.includes(`${address} `)));
    const marks = new Set(elements.flatMap((line) => /: 0x([0-9a-f]+)/.exec(line)?.[1] ?? []));
    const numbers = [...marks].map((mark) => Number.parseInt(mark, 16));
    const entries = lines.filter((line) => numbers.some((mark) => line.includes(` -f ${mark} `)));
    return [...elements, ...entries];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flows.stop().catch(() => {});
    await this.#built.disposeAsync();
  }
}

const NO_HARM = { broken: 0, stalled: 0, wrongBytes: 0, moved: 0 };
const harmOf = ({ broken, stalled, wrongBytes, moved }: FlowSummary): typeof NO_HARM => ({
  broken,
  stalled,
  wrongBytes,
  moved,
});

/** A namespace, and a client with the token of a ServiceAccount that has `edit` there and nothing else. */
async function tenantOf(nodes: IpvsNodes, namespace: string): Promise<KubeClient> {
  const { kube, plane } = nodes.cluster;
  await kube.create(namespaces, { metadata: { name: namespace } });
  const kubectl = async (...argv: string[]): Promise<string> =>
    (await promisify(execFile)(KUBECTL, ["--kubeconfig", plane.kubeconfig, "-n", namespace, ...argv])).stdout;
  await kubectl("create", "serviceaccount", "dev");
  // What Kubernetes puts `edit` together from: the controller that does it does not run here.
  for (const role of ["system:aggregate-to-edit", "system:aggregate-to-view"])
    await kubectl(
      "create",
      "rolebinding",
      role.slice(7),
      `--clusterrole=${role}`,
      `--serviceaccount=${namespace}:dev`,
    );
  return clientOf({ plane, client: kube }, { namespace, serviceAccount: "dev" });
}
