/** The operator as its own process, with its own rights, against a real API server; the test plays the kubelets. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { DEFAULT_NAMESPACE, LOADBALANCER_NAME, OPERATOR_NAME } from "#api/names.ts";
import type { KubeClient } from "#common/kube/client.ts";
import {
  customResourceDefinitions,
  daemonSets,
  deployments,
  type LoadBalancer,
  loadBalancers,
  nodes,
  type Resource,
} from "#common/kube/resource.ts";
import type { Draft, KubeObject } from "#common/kube/wire.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { untilKindsAnswer } from "#test/kinds.ts";
import { until } from "#test/until.ts";

const execute = promisify(execFile);
const ROOT = new URL("../../", import.meta.url).pathname;
const KUBE = join(ROOT, ".lab/bin/kube");

export const NAMESPACE = DEFAULT_NAMESPACE;

interface Schema {
  readonly "x-kubernetes-validations": readonly { readonly rule: string; readonly message: string }[];
}

export interface LogRecord {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly event?: string;
  readonly object?: string;
  readonly why?: string;
}

/** One run of operator/main.ts. */
export class OperatorProcess implements AsyncDisposable {
  readonly records: LogRecord[] = [];
  readonly #child: ChildProcess;

  constructor(env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [join(ROOT, "operator/main.ts")], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.records.push(...lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)));
    });
  }

  /** What it wrote to children since the start: `applied Deployment a/b: spec.replicas differs`. */
  writes(): string[] {
    return this.records
      .filter(({ event }) => event === "childApplied" || event === "childRemoved")
      .map(({ msg, object, why }) => `${msg} ${object}: ${why}`);
  }

  leads(): boolean {
    return this.records.some(({ msg }) => msg === "leading");
  }

  problems(): string[] {
    return this.records
      .filter(({ level }) => level === "warn" || level === "error")
      .map((record) => JSON.stringify(record));
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }
}

type PlaneOptions = NonNullable<Parameters<typeof TestPlane.start>[0]>;

interface WorldOptions extends PlaneOptions {
  /** Installs the operator's objects; `kubectl apply -k config/default` if nothing is said. */
  readonly install?: (kubeconfig: string) => Promise<unknown>;
}

/** An API server with config/default applied, nodes, and no kubelet. */
export class OperatorWorld implements AsyncDisposable {
  readonly plane: TestPlane;
  readonly client: KubeClient;
  readonly #token: string;
  #starts = 0;

  private constructor(plane: TestPlane, token: string) {
    this.plane = plane;
    this.client = plane.client;
    this.#token = token;
  }

  static async start(
    nodeNames: readonly string[],
    { install, ...options }: WorldOptions = {},
  ): Promise<OperatorWorld> {
    const plane = await TestPlane.start(options);
    const { kubeconfig } = plane.plane;
    const kubectl = async (...args: string[]): Promise<string> =>
      (await execute(KUBE, ["kubectl", "--kubeconfig", kubeconfig, ...args], { cwd: ROOT })).stdout;
    await (install === undefined ? kubectl("apply", "-k", "config/default") : install(kubeconfig));
    await untilKindsAnswer(plane.client);
    for (const name of nodeNames) await plane.client.create(nodes, { metadata: { name } });
    const token = await kubectl("create", "token", OPERATOR_NAME, "-n", NAMESPACE, "--duration=1h");
    const config = parse(await kubectl("config", "view", "--raw"));
    config.users = [{ name: "operator", user: { token: token.trim() } }];
    config.contexts = [{ name: "operator", context: { cluster: config.clusters[0].name, user: "operator" } }];
    config["current-context"] = "operator";
    const path = `${kubeconfig}.operator`;
    await writeFile(path, stringify(config));
    return new OperatorWorld(plane, path);
  }

  /** With nothing but the rights of config/rbac. */
  operator(env: Readonly<Record<string, string>> = {}): OperatorProcess {
    this.#starts += 1;
    return new OperatorProcess({
      KUBECONFIG: this.#token,
      POD_NAME: `operator-${this.#starts}`,
      POD_NAMESPACE: NAMESPACE,
      CONTROLLER_IMAGE: "genkan/controller:test",
      SPEAKER_IMAGE: "genkan/speaker:test",
      LOG_LEVEL: "info",
      HTTP_PORT: "0",
      METRICS_ACCESS: "Loopback",
      ...env,
    });
  }

  async createLoadBalancer(spec: LoadBalancer["spec"] = {}): Promise<LoadBalancer> {
    return this.client.create(loadBalancers, {
      metadata: { name: LOADBALANCER_NAME, namespace: NAMESPACE },
      spec,
    });
  }

  async loadBalancer(name = LOADBALANCER_NAME): Promise<LoadBalancer | undefined> {
    return this.client.get(loadBalancers, name, NAMESPACE);
  }

  /** `Available=True (Running)` for each condition. */
  async conditions(name = LOADBALANCER_NAME): Promise<Record<string, string>> {
    const balancer = await this.loadBalancer(name);
    const conditions = balancer?.status?.conditions ?? [];
    return Object.fromEntries(
      conditions.map(({ type, status, reason, message }) => [type, `${status} (${reason}) ${message}`]),
    );
  }

  async waitForCondition(type: string, pattern: RegExp, name = LOADBALANCER_NAME): Promise<void> {
    let seen: string | undefined;
    try {
      await until(`${type} ${pattern}`, async () => {
        seen = (await this.conditions(name))[type];
        return pattern.test(seen ?? "");
      });
    } catch (error) {
      throw new Error(`${type} is "${seen}"`, { cause: error });
    }
  }

  get<T extends KubeObject>(resource: Resource<T>, name: string): Promise<T | undefined> {
    return this.client.get(resource, name, resource.namespaced ? NAMESPACE : undefined);
  }

  async waitFor<T extends KubeObject>(resource: Resource<T>, name: string): Promise<T> {
    return until(`${resource.kind} ${name}`, () => this.get(resource, name));
  }

  async waitGone(resource: Resource<KubeObject>, name: string): Promise<void> {
    await until(`${resource.kind} ${name} to go`, async () => (await this.get(resource, name)) === undefined);
  }

  /** What the Deployment's and the DaemonSet's controllers would say once `ready` of `desired` pods run. */
  async playStatus(speakers: { readonly desired: number; readonly ready: number }): Promise<void> {
    const deployment = await this.waitFor(deployments, "controller");
    const replicas = deployment.spec?.replicas ?? 0;
    await this.writeStatus(deployments, deployment, {
      observedGeneration: deployment.metadata.generation,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      conditions: [{ type: "Available", status: "True" }],
    });
    const daemonSet = await this.waitFor(daemonSets, "speaker");
    await this.writeStatus(daemonSets, daemonSet, {
      observedGeneration: daemonSet.metadata.generation,
      desiredNumberScheduled: speakers.desired,
      currentNumberScheduled: speakers.desired,
      updatedNumberScheduled: speakers.desired,
      numberReady: speakers.ready,
      numberAvailable: speakers.ready,
      numberMisscheduled: 0,
    });
  }

  async writeStatus(
    resource: Resource<KubeObject>,
    object: { readonly metadata: { readonly name: string; readonly namespace?: string } },
    status: object,
  ): Promise<void> {
    const { name, namespace } = object.metadata;
    await this.client.patch(resource, {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      subresource: "status",
      type: "merge",
      body: { status },
    });
  }

  async patch(resource: Resource<KubeObject>, name: string, body: unknown): Promise<void> {
    await this.client.patch(resource, {
      name,
      ...(resource.namespaced ? { namespace: NAMESPACE } : {}),
      type: "merge",
      body,
      fieldManager: "somebody",
    });
  }

  /** Runs `work` while the CRD takes any name; the rule's message. */
  async withoutNameRule(work: () => Promise<void>): Promise<string> {
    const name = "loadbalancers.genkan.dev";
    const at = "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations";
    const present = await until("the CRD", () => this.client.get(customResourceDefinitions, name));
    // client-node's types spell it otherwise than the wire does.
    const schema = present.spec?.versions[0]?.schema?.openAPIV3Schema as unknown as Schema;
    const rules = schema["x-kubernetes-validations"];
    const patch = (op: string, value?: unknown): Promise<unknown> =>
      this.client.patch(customResourceDefinitions, { name, type: "json", body: [{ op, path: at, value }] });
    await patch("remove");
    await until("the CRD without its rule to be served", async () => {
      await work();
      return true;
    });
    await patch("add", rules);
    return rules.map(({ message }) => message).join();
  }

  async create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>): Promise<T> {
    return this.client.create(resource, {
      ...object,
      metadata: { ...object.metadata, namespace: NAMESPACE },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane[Symbol.asyncDispose]();
  }
}
