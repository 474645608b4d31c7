/**
 * A cluster as the genkan command meets one: a real API server with config/default applied and the real controller; the
 * tests write what operator and speakers would.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import {
  ANNOTATION_SPEAKER_STATE,
  LABEL_SPEAKER_LEASE,
  LOADBALANCER_NAME,
  speakerLease,
} from "#api/names.ts";
import {
  type AddressPool,
  addressPools,
  endpointSlices,
  leases,
  loadBalancers,
  nodes,
  type Resource,
  type Service,
  type SpeakerStatus,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { genkan, KUBECTL, type Ran, ROOT, run } from "#test/integration/command.ts";
import { ControllerProcess, SYSTEM } from "#test/integration/controller-process.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { untilKindsAnswer } from "#test/kinds.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 60_000, everyMs: 50 };

/** A node number's address on the nodes' network. */
export const nodeAddress = (number: number): string => `172.30.0.${number}`;

export class CliWorld implements AsyncDisposable {
  readonly plane: TestPlane;
  readonly #controller: ControllerProcess;

  private constructor(plane: TestPlane, controller: ControllerProcess) {
    this.plane = plane;
    this.#controller = controller;
  }

  static async start(options: Parameters<typeof TestPlane.start>[0] = {}): Promise<CliWorld> {
    const plane = await TestPlane.start(options);
    try {
      const kubectl = (...argv: string[]) =>
        promisify(execFile)(KUBECTL, ["--kubeconfig", plane.plane.kubeconfig, ...argv], { cwd: ROOT });
      await kubectl("apply", "-k", "config/default");
      await untilKindsAnswer(plane.client);
      const metadata = { name: LOADBALANCER_NAME, namespace: SYSTEM };
      await plane.client.create(loadBalancers, { metadata, spec: {} });
      const controller = new ControllerProcess("cli", plane.plane.kubeconfig);
      await controller.started();
      await until("the controller to lead", () => controller.leads, LONG);
      return new CliWorld(plane, controller);
    } catch (error) {
      await plane[Symbol.asyncDispose]();
      throw error;
    }
  }

  get kubeconfig(): string {
    return this.plane.plane.kubeconfig;
  }

  kubectl(...argv: string[]): Promise<Ran> {
    return run(KUBECTL, ["--kubeconfig", this.kubeconfig, ...argv]);
  }

  /** Manifests of YAML. */
  async apply(text: string): Promise<void> {
    const path = `${this.kubeconfig}.manifests.yaml`;
    await writeFile(path, text);
    const { err, code } = await this.kubectl("apply", "-f", path);
    if (code !== 0) throw new Error(err);
  }

  /** The leading controller's log. */
  hasLogged(message: string): boolean {
    return this.#controller.logs.some(({ msg }) => msg === message);
  }

  genkan(argv: readonly string[], kubeconfig = this.kubeconfig): Promise<Ran> {
    return genkan([...argv, "--kubeconfig", kubeconfig]);
  }

  /** Its value as -o json has it. */
  async json(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const { out, err } = await this.genkan([...argv, "-o", "json"]);
    if (out === "") throw new Error(err);
    return JSON.parse(out);
  }

  /** A kubeconfig that speaks as another user. */
  async kubeconfigAs(user: string): Promise<string> {
    const config = parse(await readFile(this.kubeconfig, "utf8"));
    for (const each of config.users) each.user.as = user;
    const path = `${this.kubeconfig}.as-${user}`;
    await writeFile(path, stringify(config), { mode: 0o600 });
    return path;
  }

  async addNode(number: number, labels: Record<string, string> = {}): Promise<void> {
    const metadata = { name: `n${number}`, labels };
    await this.plane.client.create(nodes, { metadata });
    const addresses = [{ type: "InternalIP", address: nodeAddress(number) }];
    await this.writeStatus(nodes, metadata, { addresses });
  }

  /** What the node's speaker says of itself; silent: for a minute. */
  async speak(
    number: number,
    {
      isReady = true,
      isSilent = false,
      hearsClaims,
    }: { readonly isReady?: boolean; readonly isSilent?: boolean; readonly hearsClaims?: true } = {},
  ): Promise<void> {
    const node = `n${number}`;
    const links = [{ name: "eth0", prefixes: [`${nodeAddress(number)}/24`] }];
    // Nobody renews it: a time to come stays alive for the whole test.
    const renewed = new Date(Date.now() + (isSilent ? -60_000 : 3_600_000));
    const name = speakerLease(node);
    const lease = {
      metadata: {
        name,
        namespace: SYSTEM,
        labels: { [LABEL_SPEAKER_LEASE]: node },
        annotations: { [ANNOTATION_SPEAKER_STATE]: JSON.stringify({ isReady, links, hearsClaims }) },
      },
      spec: { holderIdentity: `speaker-${node}`, renewTime: renewed.toISOString().replace("Z", "000Z") },
    };
    const { client } = this.plane;
    const isThere = (await client.get(leases, name, SYSTEM)) !== undefined;
    if (!isThere) await client.create(leases, lease);
    else await client.patch(leases, { name, namespace: SYSTEM, type: "merge", body: lease });
  }

  /** A SpeakerStatus of a node where all is well, but for `changes`. */
  async report(number: number, changes: Partial<NonNullable<SpeakerStatus["status"]>> = {}): Promise<void> {
    const metadata = { name: `n${number}`, namespace: SYSTEM };
    const { client } = this.plane;
    if ((await client.get(speakerStatuses, metadata.name, SYSTEM)) === undefined)
      await client.create(speakerStatuses, { metadata });
    const word = (type: string, status: "True" | "False", reason: string) => condition(type, status, reason);
    const status = {
      node: metadata.name,
      // A merge leaves what it does not name.
      ownedCount: 0,
      addresses: [],
      bgpSessions: [],
      bfdSessions: [],
      conditions: [
        word("Ready", "True", "Ready"),
        word("ForwardingReady", "True", "Programmed"),
        word("AnnouncingReady", "True", "Announcing"),
        word("AllServed", "True", "Served"),
        word("InputsUsable", "True", "Usable"),
        word("FirewallOpen", "True", "NoDropSeen"),
        word("Removed", "False", "InUse"),
      ],
      ...changes,
    };
    await this.writeStatus(speakerStatuses, metadata, status);
  }

  async addPool(name: string, spec: Partial<AddressPool["spec"]>): Promise<void> {
    await this.plane.client.create(addressPools, {
      metadata: { name, namespace: SYSTEM },
      spec: { protocol: "layer2", addresses: [], ...spec } as AddressPool["spec"],
    });
    await until(
      `pool ${name} to be judged`,
      async () => {
        const pool = await this.plane.client.get(addressPools, name, SYSTEM);
        return pool?.status?.conditions?.some(({ type }) => type === "Valid") === true;
      },
      LONG,
    );
  }

  /** A Service of namespace default; resolves when the controller has given it an address or said why not. */
  async addService(
    name: string,
    spec: Partial<NonNullable<Service["spec"]>> = {},
    annotations: Record<string, string> = {},
  ): Promise<void> {
    await this.plane.client.create(services, {
      metadata: { name, namespace: "default", annotations },
      spec: {
        type: "LoadBalancer",
        ports: [{ name: "http", port: 80, protocol: "TCP" }],
        ...spec,
      } as NonNullable<Service["spec"]>,
    });
    await until(
      `${name} to be judged`,
      async () => {
        const service = await this.service(name);
        return (service?.status?.conditions ?? []).length > 0;
      },
      LONG,
    );
  }

  service(name: string): Promise<Service | undefined> {
    return this.plane.client.get(services, name, "default");
  }

  /** One slice for the Service: address -> node, all ready but for `more`. */
  async addEndpoints(
    service: string,
    endpoints: Readonly<Record<string, string>>,
    more: Readonly<Record<string, object>> = {},
  ): Promise<void> {
    await this.plane.client.create(endpointSlices, {
      metadata: {
        name: `${service}-by-hand`,
        namespace: "default",
        labels: { "kubernetes.io/service-name": service },
      },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: Object.entries(endpoints).map(([address, nodeName]) => ({
        addresses: [address],
        nodeName,
        conditions: { ready: true, ...more[address] },
      })),
    });
  }

  async writeStatus<T extends KubeObject>(
    resource: Resource<T>,
    { name, namespace }: { readonly name: string; readonly namespace?: string },
    status: unknown,
  ): Promise<void> {
    await this.plane.client.patch(resource, {
      name,
      ...(namespace !== undefined && { namespace }),
      type: "merge",
      subresource: "status",
      body: { status },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller[Symbol.asyncDispose]();
    await this.plane[Symbol.asyncDispose]();
  }
}

export function condition(type: string, status: "True" | "False", reason: string, message = "") {
  return { type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" };
}
