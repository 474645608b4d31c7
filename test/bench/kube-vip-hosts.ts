/**
 * Three hosts with kube-vip, for a comparison: layer 2 (its "ARP mode") with one leader for all Services, elected by a
 * Lease of the API server of Genkan's speakers, with the times of the manifest that it writes itself. A program that ends
 * is started again, as the kubelet does with its pod: kube-vip ends when it is not the leader any more.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, symlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BIN_DIRECTORY } from "#hack/lab/layout.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import type { Cluster } from "../layer2/speaker-cluster.ts";
import type { Bridge, Host } from "../network/bridge.ts";
import { PeerObjects } from "./peer-objects.ts";

const NAMES = ["v1", "v2", "v3"];
const FIRST_NUMBER = 91;
/** Genkan leaves Services of this class alone, and kube-vip those of others. */
const CLASS = "kube-vip.io/kube-vip-class";
const SYSTEM = "kube-system";
/** The kubelet starts a pod that ended again, at first at once. */
const RESTART_MS = 1_000;
const MODULE = new URL("../../hack/lab/programs/kube-vip/go.mod", import.meta.url);

const SETTINGS = {
  vip_arp: "true",
  vip_interface: "eth0",
  svc_enable: "true",
  lb_class_only: "true",
  lb_class_name: CLASS,
  cp_namespace: SYSTEM,
  vip_leaseduration: "5",
  vip_renewdeadline: "3",
  vip_retryperiod: "1",
};

export class KubeVipHosts implements AsyncDisposable {
  readonly version: string;
  readonly hosts: readonly Host[];
  readonly #directory: string;
  readonly #running = new Map<string, ChildProcess>();
  #isOver = false;

  private constructor(directory: string, version: string, hosts: readonly Host[]) {
    this.#directory = directory;
    this.version = version;
    this.hosts = hosts;
  }

  /** One Service that has `vips`, one of each family. Throws where kube-vip cannot be built. */
  static async start(bridge: Bridge, cluster: Cluster, vips: readonly string[]): Promise<KubeVipHosts> {
    await ensurePrograms(["kube-vip"]);
    const [, version = ""] = /kube-vip (v\S+)/.exec(await readFile(MODULE, "utf8")) ?? [];
    const directory = join(cluster.directory, "kube-vip");
    // Outside of a pod it looks for a kubeconfig in one place only.
    mkdirSync(join(directory, ".kube"), { recursive: true });
    symlinkSync(cluster.plane.kubeconfig, join(directory, ".kube/config"));
    const hosts = NAMES.map((name, at) => bridge.add(name, FIRST_NUMBER + at));
    const all = new KubeVipHosts(directory, version, hosts);
    await new PeerObjects(cluster).apply([
      ...hosts.map(({ name }) => ({ apiVersion: "v1", kind: "Node", metadata: { name } })),
      {
        ...{ apiVersion: "v1", kind: "Service" },
        metadata: {
          ...{ name: "kube-vip", namespace: "default" },
          annotations: { "kube-vip.io/loadbalancerIPs": vips.join(",") },
        },
        spec: {
          ...{ type: "LoadBalancer", loadBalancerClass: CLASS, ipFamilyPolicy: "PreferDualStack" },
          ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
        },
      },
    ]);
    for (const host of hosts) all.#start(host);
    return all;
  }

  #start(host: Host): void {
    const { name, namespace } = host;
    const log = openSync(join(this.#directory, `${name}.log`), "a");
    const words = [`--net=/run/netns/${namespace}`, join(BIN_DIRECTORY, "kube-vip"), "manager"];
    const env = { ...process.env, ...SETTINGS, HOME: this.#directory, vip_nodename: name };
    const child = spawn("nsenter", words, { stdio: ["ignore", log, log], env });
    child.once("exit", () => {
      if (!this.#isOver) setTimeout(() => this.#isOver || this.#start(host), RESTART_MS).unref();
    });
    this.#running.set(name, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const child of this.#running.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
  }
}
