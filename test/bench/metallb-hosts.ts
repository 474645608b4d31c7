/**
 * Three hosts with MetalLB's speaker, for a comparison: layer 2, with its own detection of dead nodes by memberlist, and
 * the same API server as Genkan's speakers. The speakers are plain processes; the pods that they look for are objects only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";
import { ensureMetalLbPrograms } from "#test/takeover/metallb.ts";
import type { Cluster } from "../layer2/speaker-cluster.ts";
import type { Bridge, Host } from "../network/bridge.ts";
import { type Named, PeerObjects } from "./peer-objects.ts";

const NAMES = ["m1", "m2", "m3"];
const FIRST_NUMBER = 81;
const SYSTEM = "metallb-system";
/** Genkan leaves Services of this class alone, and MetalLB those of others. */
const CLASS = "metallb.io/metallb";
/** Beside gossip's own port of Genkan's speakers, on other hosts. */
const MEMBERLIST_PORT = "7946";
const POD_LABELS = { app: "metallb", component: "speaker" };

export class MetalLbHosts implements AsyncDisposable {
  readonly version: string;
  readonly hosts: readonly Host[];
  readonly #cluster: Cluster;
  readonly #running = new Map<string, ChildProcess>();

  private constructor(cluster: Cluster, version: string, hosts: readonly Host[]) {
    this.#cluster = cluster;
    this.version = version;
    this.hosts = hosts;
  }

  /** One Service that has `vips`, one of each family. Throws where MetalLB cannot be built. */
  static async start(bridge: Bridge, cluster: Cluster, vips: readonly string[]): Promise<MetalLbHosts> {
    const { version, manifest } = await ensureMetalLbPrograms();
    const all = new MetalLbHosts(
      cluster,
      version,
      NAMES.map((name, at) => bridge.add(name, FIRST_NUMBER + at)),
    );
    const objects = new PeerObjects(cluster);
    const kinds = parseAllDocuments(manifest).map((document) => document.toJS() as Named);
    await objects.apply(
      kinds.filter(({ kind }) => kind === "Namespace" || kind === "CustomResourceDefinition"),
    );
    await objects.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    await objects.apply(all.#objects(vips));
    for (const host of all.hosts) {
      const addresses = [host.addresses.IPv4, host.addresses.IPv6];
      await objects.setStatus(["node", host.name], {
        addresses: addresses.map((address) => ({ type: "InternalIP", address })),
        conditions: [{ type: "Ready", status: "True" }],
      });
      await objects.setStatus(["pod", podOf(host), "-n", SYSTEM], {
        phase: "Running",
        podIP: host.addresses.IPv4,
        podIPs: [{ ip: host.addresses.IPv4 }],
      });
    }
    await objects.setStatus(["service", "metallb", "-n", "default"], {
      loadBalancer: { ingress: vips.map((ip) => ({ ip })) },
    });
    for (const host of all.hosts) all.start(host);
    return all;
  }

  start({ name, namespace, addresses }: Host): void {
    const log = openSync(join(this.#cluster.directory, `metallb-${name}.log`), "a");
    const words = [
      join(BIN_DIRECTORY, "metallb-speaker"),
      ...["--kubeconfig", this.#cluster.plane.kubeconfig, "--namespace", SYSTEM, "--lb-class", CLASS],
      ...["--node-name", name, "--pod-name", `speaker-${name}`, "--host", addresses.IPv4],
      ...["--ml-bindaddr", addresses.IPv4, "--ml-bindport", MEMBERLIST_PORT],
      ...[
        "--ml-labels",
        Object.entries(POD_LABELS)
          .map((pair) => pair.join("="))
          .join(","),
      ],
    ];
    const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, ...words], {
      stdio: ["ignore", log, log],
    });
    this.#running.set(name, child);
  }

  async kill(host: Host): Promise<void> {
    const child = this.#running.get(host.name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await this.kill(host);
  }

  #objects(vips: readonly string[]): Named[] {
    const pool = { metadata: { name: "pool", namespace: SYSTEM }, apiVersion: "metallb.io/v1beta1" };
    const slice = (addressType: "IPv4" | "IPv6"): Named => ({
      ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType },
      metadata: {
        ...{ name: `metallb-${addressType.toLowerCase()}`, namespace: "default" },
        labels: { "kubernetes.io/service-name": "metallb" },
      },
      ports: [{ name: "", port: 8080, protocol: "TCP" }],
      endpoints: NAMES.map((nodeName, at) => ({
        addresses: [addressType === "IPv4" ? `10.245.0.${at + 1}` : `fd45::${at + 1}`],
        ...{ nodeName, conditions: { ready: true } },
      })),
    });
    return [
      // Without a controller manager nobody makes it, and pods need one.
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: SYSTEM } },
      { ...pool, kind: "IPAddressPool", spec: { addresses: vips.map((vip) => `${vip}/${bits(vip)}`) } },
      { ...pool, kind: "L2Advertisement", spec: {} },
      ...this.hosts.map(({ name }) => ({ apiVersion: "v1", kind: "Node", metadata: { name } })),
      ...this.hosts.map((host) => ({
        ...{ apiVersion: "v1", kind: "Pod" },
        metadata: { name: podOf(host), namespace: SYSTEM, labels: POD_LABELS },
        spec: {
          ...{ nodeName: host.name, hostNetwork: true, automountServiceAccountToken: false },
          containers: [{ name: "speaker", image: "speaker" }],
        },
      })),
      {
        ...{ apiVersion: "v1", kind: "Service" },
        metadata: { name: "metallb", namespace: "default" },
        spec: {
          ...{ type: "LoadBalancer", loadBalancerClass: CLASS, ipFamilyPolicy: "PreferDualStack" },
          ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
        },
      },
      slice("IPv4"),
      slice("IPv6"),
    ];
  }
}

const podOf = ({ name }: Host): string => `speaker-${name}`;
const bits = (vip: string): number => (vip.includes(":") ? 128 : 32);
