/**
 * Plays the kubelets of a cluster that has Kubernetes' own controllers: nodes are ready, pods that are bound to them
 * run, and a pod that is deleted ends. What a speaker does at its end is speaker/shutdown.ts itself, and what a controller
 * does common/release-if-removed.ts, with a token of that pod, as the kubelet would have given it; only a speaker's kernel is not
 * there.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import {
  CONTROLLER_NAME,
  LABEL_COMPONENT,
  LABEL_SPEAKER_LEASE,
  SPEAKER_NAME,
  speakerLease,
} from "#api/names.ts";
import { systemClock } from "#common/clock.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { leases, nodes, type Pod, pods, speakerStatuses } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { releaseIfRemoved } from "#common/release-if-removed.ts";
import { shutDown } from "#speaker/shutdown.ts";
import type { TestPlane } from "#test/integration/plane.ts";

const execute = promisify(execFile);
const KUBE = new URL("../../.lab/bin/kube", import.meta.url).pathname;
const LOOK_MS = 200;
/** The node lifecycle controller gives a node up after 40 s of silence. */
const HEARTBEAT_MS = 10_000;

export class Kubelets implements AsyncDisposable {
  /** node -> what its speaker did with it at its end: the role, or "Active" for a kernel that was left as it is. */
  readonly ended = new Map<string, string>();
  readonly #plane: TestPlane;
  readonly #namespace: string;
  readonly #clients = new Map<string, KubeClient>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** Nodes whose kubelet is dead: their pods never end. */
  readonly dead = new Set<string>();

  private constructor(plane: TestPlane, namespace: string) {
    this.#plane = plane;
    this.#namespace = namespace;
  }

  static async start(plane: TestPlane, namespace: string, names: readonly string[]): Promise<Kubelets> {
    const kubelets = new Kubelets(plane, namespace);
    const labels = { "kubernetes.io/os": "linux" };
    for (const name of names)
      await plane.client.patch(nodes, { name, type: "merge", body: { metadata: { labels } } });
    await kubelets.#beat(names);
    kubelets.#loop = kubelets.#run(names);
    return kubelets;
  }

  async #run(names: readonly string[]): Promise<void> {
    let beaten = systemClock.now();
    while (!this.#stop.signal.aborted) {
      if (systemClock.now() - beaten > HEARTBEAT_MS) {
        beaten = systemClock.now();
        await this.#beat(names);
      }
      const { items } = await this.#plane.client.list(pods, { namespace: this.#namespace });
      for (const pod of items) this.#care(pod);
      await systemClock.sleep(LOOK_MS, this.#stop.signal).catch(() => undefined);
    }
    await Promise.all(this.#busy.values());
  }

  async #beat(names: readonly string[]): Promise<void> {
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const status = {
      allocatable: { cpu: "8", memory: "16Gi", pods: "100" },
      capacity: { cpu: "8", memory: "16Gi", pods: "100" },
      conditions: [
        { type: "Ready", status: "True", reason: "KubeletReady", message: "", lastHeartbeatTime: time },
      ],
    };
    const patch = (name: string) =>
      this.#plane.client.patch(nodes, { name, subresource: "status", type: "strategic", body: { status } });
    await Promise.all(names.filter((name) => !this.dead.has(name)).map(patch));
  }

  #care(pod: Pod): void {
    const { uid } = pod.metadata;
    const node = pod.spec?.nodeName;
    if (node === undefined || this.dead.has(node) || this.#busy.has(uid)) return;
    const isEnding = pod.metadata.deletionTimestamp !== undefined;
    if (!isEnding && pod.status?.phase === "Running") return;
    const work = (isEnding ? this.#end(pod, node) : this.#begin(pod, node)).catch((error: unknown) => {
      // The pod went while it was cared for; anything else would show in what the test waits for.
      process.stderr.write(`kubelet of ${node}: ${String(error)}\n`);
    });
    this.#busy.set(
      uid,
      work.finally(() => this.#busy.delete(uid)),
    );
  }

  async #begin(pod: Pod, node: string): Promise<void> {
    const component = pod.metadata.labels?.[LABEL_COMPONENT];
    if (component === SPEAKER_NAME) await this.#beginSpeaker(pod, node);
    if (component === CONTROLLER_NAME) await this.#clientOf(pod, CONTROLLER_NAME);
    const status = {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    };
    await this.#patchPod(pod, status);
  }

  /** What a speaker makes for itself: its report and its Lease. */
  async #beginSpeaker(pod: Pod, node: string): Promise<void> {
    const client = await this.#clientOf(pod);
    const namespace = this.#namespace;
    const there = await client.get(speakerStatuses, node, namespace);
    if (there === undefined) await client.create(speakerStatuses, { metadata: { name: node, namespace } });
    await this.#report(client, node, "False");
    const metadata = { name: speakerLease(node), namespace, labels: { [LABEL_SPEAKER_LEASE]: node } };
    await client.apply(
      leases,
      { metadata, spec: { holderIdentity: node, leaseDurationSeconds: 4 } },
      { fieldManager: "genkan-speaker", force: true },
    );
  }

  async #report(client: KubeClient, node: string, status: "True" | "False"): Promise<void> {
    const condition = { type: "Removed", status, reason: status === "True" ? "Removed" : "AsExpected" };
    const conditions = [{ ...condition, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }];
    await client.patch(speakerStatuses, {
      name: node,
      namespace: this.#namespace,
      subresource: "status",
      type: "merge",
      body: { status: { conditions } },
    });
  }

  async #end(pod: Pod, node: string): Promise<void> {
    const component = pod.metadata.labels?.[LABEL_COMPONENT];
    if (component === SPEAKER_NAME) await this.#endSpeaker(pod, node);
    if (component === CONTROLLER_NAME) await this.#endController(pod);
    const { name, namespace = this.#namespace, uid } = pod.metadata;
    await this.#plane.client.remove(pods, name, { namespace, uid, gracePeriodSeconds: 0 });
  }

  async #endSpeaker(pod: Pod, node: string): Promise<void> {
    const client = await this.#clientOf(pod);
    await shutDown({
      client,
      node,
      namespace: this.#namespace,
      clock: systemClock,
      log: silentLogger,
      role: "Active",
      release: async () => undefined,
      withdraw: async () => void this.ended.set(node, "Active"),
      leave: async (role) => {
        this.ended.set(node, role);
        await this.#report(client, node, "True").catch(() => undefined);
      },
    });
    client.close();
    this.#clients.delete(pod.metadata.uid);
  }

  async #endController(pod: Pod): Promise<void> {
    const client = await this.#clientOf(pod, CONTROLLER_NAME);
    const parts = { clock: systemClock, log: silentLogger, namespace: this.#namespace };
    await releaseIfRemoved({ client, ...parts });
    client.close();
    this.#clients.delete(pod.metadata.uid);
  }

  /** With a token that is bound to the pod, asked for once. */
  async #clientOf({ metadata: { name, uid } }: Pod, account = SPEAKER_NAME): Promise<KubeClient> {
    const known = this.#clients.get(uid);
    if (known !== undefined) return known;
    const { kubeconfig } = this.#plane.plane;
    const bound = ["--bound-object-kind=Pod", `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
    const argv = ["create", "token", account, "-n", this.#namespace, ...bound];
    const { stdout } = await execute(KUBE, ["kubectl", "--kubeconfig", kubeconfig, ...argv]);
    const config = parse(readFileSync(kubeconfig, "utf8"));
    config.users = [{ name, user: { token: stdout.trim() } }];
    config.contexts = [{ name, context: { cluster: config.clusters[0].name, user: name } }];
    config["current-context"] = name;
    const path = `${kubeconfig}.${uid}`;
    await writeFile(path, stringify(config), { mode: 0o600 });
    const client = createKubeClient(connectionFromKubeconfig(path, (file) => readFileSync(file, "utf8")));
    this.#clients.set(uid, client);
    return client;
  }

  async #patchPod({ metadata: { name, namespace = this.#namespace } }: Pod, status: object): Promise<void> {
    const body = { status };
    await this.#plane.client.patch(pods, { name, namespace, subresource: "status", type: "strategic", body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    for (const client of this.#clients.values()) client.close();
  }
}
