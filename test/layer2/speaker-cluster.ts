/** A real API server with what the speakers read: kinds, LoadBalancer, pool, nodes, and Services as the controller leaves them. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { forwardingCondition } from "#api/forwarding-ids.ts";
import { GOSSIP_SECRET_ENTRY, GOSSIP_SECRET_NAME, GOSSIP_SECRET_TYPE } from "#api/names.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import {
  addressPools,
  endpointSlices,
  loadBalancers,
  namespaces,
  nodes,
  secrets,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import { type ControlPlane, startControlPlane } from "#hack/lab/control-plane.ts";
import { untilKindsAnswer } from "#test/kinds.ts";

const run = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
export const SYSTEM = "genkan-system";

export interface Pod {
  readonly node: string;
  readonly IPv4: string;
  readonly IPv6: string;
}

export interface EndpointConditions {
  readonly ready: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

export interface NewService {
  readonly name: string;
  readonly vips: readonly string[];
  readonly pods: readonly Pod[];
  /** externalTrafficPolicy; default Cluster. */
  readonly policy?: "Cluster" | "Local";
  readonly ipMode?: "Proxy" | "VIP";
  /** Where the addresses came from; default "pool". */
  readonly pool?: string;
  readonly protocol?: "TCP" | "UDP";
}

export class Cluster implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly kube: KubeClient;
  /** Removed in the end; room for a test's own files. */
  readonly directory: string;
  /** Of the forwarding ids, as the controller would count them. */
  #nextId = 1;
  /** By Service. */
  readonly #protocols = new Map<string, "TCP" | "UDP">();

  private constructor(dir: string, plane: ControlPlane) {
    this.directory = dir;
    this.plane = plane;
    const connection = connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8"));
    this.kube = createKubeClient(connection);
  }

  /** The API server listens on `address`; the pool has the addresses `pool`. */
  static async start(options: { address: string; mode: string; pool: string[] }): Promise<Cluster> {
    const dir = await mkdtemp(join(tmpdir(), "genkan-layer2-"));
    const plane = await startControlPlane({ dir, address: options.address, programs: [] });
    const cluster = new Cluster(dir, plane);
    const { kube } = cluster;
    await run(`${ROOT}.lab/bin/kubectl`, [
      "--kubeconfig",
      plane.kubeconfig,
      "apply",
      "-k",
      `${ROOT}config/crd`,
    ]);
    await untilKindsAnswer(kube);
    await kube.create(namespaces, { metadata: { name: SYSTEM } });
    await cluster.setKeys([Buffer.alloc(32, 7)]);
    await kube.create(loadBalancers, {
      metadata: { name: "loadbalancer", namespace: SYSTEM },
      spec: {
        forwarding: { mode: options.mode as "IPVS" },
        nodeSelector: { speaker: "yes" },
        // So that a test can say beforehand which node owns what.
        layer2: { stickiness: "Balanced" },
      },
    });
    await kube.create(addressPools, {
      metadata: { name: "pool", namespace: SYSTEM },
      spec: { protocol: "layer2", addresses: options.pool },
    });
    return cluster;
  }

  /** The keys of gossip, as the operator leaves them. */
  async setKeys(keys: readonly Uint8Array[]): Promise<void> {
    const lines = keys.map((key) => `${Buffer.from(key).toString("base64")} 2026-01-01T00:00:00Z\n`);
    await this.kube.apply(
      secrets,
      {
        metadata: { name: GOSSIP_SECRET_NAME, namespace: SYSTEM },
        type: GOSSIP_SECRET_TYPE,
        data: { [GOSSIP_SECRET_ENTRY]: Buffer.from(lines.join("")).toString("base64") },
      },
      { fieldManager: "test", force: true },
    );
  }

  async addNode(node: { name: string; IPv4: string; IPv6: string }): Promise<void> {
    await this.kube.create(nodes, { metadata: { name: node.name, labels: { speaker: "yes" } } });
    const addresses = [node.IPv4, node.IPv6].map((address) => ({ type: "InternalIP", address }));
    const body = { status: { addresses } };
    await this.kube.patch(nodes, { name: node.name, subresource: "status", type: "merge", body });
  }

  async setLabel(node: string, label: string, value: string | null): Promise<void> {
    await this.kube.patch(nodes, {
      name: node,
      type: "merge",
      body: { metadata: { labels: { [label]: value } } },
    });
  }

  async setCordon(node: string, unschedulable: boolean): Promise<void> {
    await this.kube.patch(nodes, { name: node, type: "merge", body: { spec: { unschedulable } } });
  }

  /** Merges into the LoadBalancer's spec.forwarding. */
  setForwarding(forwarding: object): Promise<void> {
    return this.patchLoadBalancer({ spec: { forwarding } });
  }

  async patchLoadBalancer(body: object): Promise<void> {
    await this.kube.patch(loadBalancers, { name: "loadbalancer", namespace: SYSTEM, type: "merge", body });
  }

  /** A Service as the controller leaves it: port 80 of every address to port 8080 of every pod. */
  async addService(service: NewService): Promise<void> {
    const { kube } = this;
    const { name, vips, policy = "Cluster", ipMode = "Proxy", pool = "pool", protocol = "TCP" } = service;
    const ids = { [`IPv4/${protocol}/80`]: this.#nextId, [`IPv6/${protocol}/80`]: this.#nextId + 1 };
    this.#protocols.set(name, protocol);
    this.#nextId += 2;
    await kube.create(services, {
      metadata: { name, namespace: "default" },
      spec: {
        type: "LoadBalancer",
        externalTrafficPolicy: policy,
        ipFamilyPolicy: "PreferDualStack",
        ports: [{ port: 80, protocol, targetPort: 8080 }],
      },
    });
    await this.setPods(name, service.pods);
    const lastTransitionTime = new Date().toISOString();
    const conditions = [{ ...forwardingCondition([pool], ids), lastTransitionTime }];
    const loadBalancer = { ingress: vips.map((ip) => ({ ip, ipMode })) };
    const body = { status: { loadBalancer, conditions } };
    await kube.patch(services, { name, namespace: "default", subresource: "status", type: "merge", body });
  }

  /** Merges into the annotations of a Service. */
  async annotate(service: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const body = { metadata: { annotations } };
    await this.kube.patch(services, { name: service, namespace: "default", type: "merge", body });
  }

  /** `conditionsOf`: those of its endpoint; ready if not given. */
  async setPods<P extends Pod>(
    service: string,
    pods: readonly P[],
    conditionsOf: (pod: P) => EndpointConditions = () => ({ ready: true }),
  ): Promise<void> {
    for (const addressType of ["IPv4", "IPv6"] as const) {
      await this.kube.apply(
        endpointSlices,
        {
          metadata: {
            name: `${service}-${addressType.toLowerCase()}`,
            namespace: "default",
            labels: { "kubernetes.io/service-name": service },
          },
          addressType,
          ports: [{ name: "", port: 8080, protocol: this.#protocols.get(service) ?? "TCP" }],
          endpoints: pods.map((pod) => ({
            addresses: [pod[addressType]],
            nodeName: pod.node,
            conditions: conditionsOf(pod),
          })),
        },
        { fieldManager: "test", force: true },
      );
    }
  }

  /** The node's SpeakerStatus has the condition; with any reason if none is given. */
  async hasCondition(node: string, type: string, status: string, reason?: string): Promise<boolean> {
    const conditions = (await this.kube.get(speakerStatuses, node, SYSTEM))?.status?.conditions ?? [];
    return conditions.some(
      (one) => one.type === type && one.status === status && (reason === undefined || one.reason === reason),
    );
  }

  /** Addresses that the nodes say they answer for: address -> node. */
  async owners(): Promise<Map<string, string>> {
    const owners = new Map<string, string>();
    for (const { metadata, status } of (await this.kube.list(speakerStatuses, { namespace: SYSTEM })).items) {
      for (const { address } of status?.addresses ?? []) owners.set(address, metadata.name);
    }
    return owners;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kube.close();
    await this.plane.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
