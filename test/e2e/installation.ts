/** One lab with Genkan for a test file: what a user's hands would do, as functions. */

import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { ROOT, type RunOptions, run } from "#hack/demo/shell.ts";
import { layoutOf, netnsOf } from "#hack/lab/layout.ts";
import { until } from "#test/e2e/patience.ts";

export const NAMESPACE = "genkan-system";

export class Cluster implements AsyncDisposable {
  readonly instance: number;

  private constructor(instance: number) {
    this.instance = instance;
  }

  /** A new lab with the images in it; what was left of an earlier one is taken away first. `options`: of the lab's `up`. */
  static async start(instance: number, flags: readonly string[] = []): Promise<Cluster> {
    const cluster = new Cluster(instance);
    const show: RunOptions = { onOutput: (text) => process.stderr.write(text) };
    await cluster.lab(["down"]);
    await cluster.lab(["up", ...flags], show);
    await cluster.lab(["load-images"], show);
    return cluster;
  }

  lab(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(
      [process.execPath, join(ROOT, "hack/lab/main.ts"), "--instance", String(this.instance), ...argv],
      options,
    );
  }

  /** The network namespace of node1, ..., where the nodes are. */
  netnsOf(place: string): string {
    return netnsOf(layoutOf(this.instance), place);
  }

  /** A command on node1, ..., client, router. */
  on(place: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.lab(["exec", place, "--", ...argv], options);
  }

  kubectl(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return run([join(ROOT, ".lab/bin/kubectl"), "--kubeconfig", this.#kubeconfig, ...argv], options);
  }

  async get<T>(argv: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(["get", ...argv, "-o", "json"])) as T;
  }

  apply(object: object): Promise<string> {
    return this.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
  }

  /** What the genkan command prints; rejected unless all is well. */
  genkan(argv: readonly string[]): Promise<string> {
    return run([process.execPath, join(ROOT, "cli/main.ts"), ...argv, "--kubeconfig", this.#kubeconfig]);
  }

  get #kubeconfig(): string {
    return join(ROOT, `.lab/${this.instance}/control-plane/kubeconfig`);
  }

  /**
   * The operator of another build, with the images that go with it: what a user's `kubectl apply -k` of a release does.
   * `config`: path of that release's manifests.
   */
  async upgrade(tag: string, config = join(ROOT, "config")): Promise<void> {
    const directory = join(ROOT, `.lab/${this.instance}/release`);
    await mkdir(directory, { recursive: true });
    const images = ["operator", "controller", "speaker"].map((name) => ({
      name: `genkan.dev/${name}`,
      newTag: tag,
    }));
    const resources = [relative(directory, join(config, "default"))];
    const kustomization = { resources, configurations: ["images.yaml"], images };
    await writeFile(join(directory, "kustomization.yaml"), stringify(kustomization));
    await copyFile(join(config, "default/images.yaml"), join(directory, "images.yaml"));
    await this.kubectl(["apply", "-k", directory]);
  }

  /** What the speakers say of themselves, by node. */
  async speakers(): Promise<Map<string, SpeakerStatus["status"]>> {
    const { items } = await this.get<{ items: SpeakerStatus[] }>(["speakerstatuses", "-n", NAMESPACE]);
    return new Map(items.map(({ metadata, status }) => [metadata.name, status]));
  }

  /** Why something may have gone wrong: in a page, and all of it. */
  async explain(): Promise<{ brief: string; whole: string }> {
    const conditions =
      '{range .items[*]}{.kind}/{.metadata.name}{"\\n"}{range .status.conditions[*]}  {.type}={.status} {.reason} {.message}{"\\n"}{end}{end}';
    const short = [
      ["get", "pods", "-A", "-o", "wide"],
      ["get", "loadbalancers,addresspools,speakerstatuses", "-A", "-o", `jsonpath=${conditions}`],
      ["get", "services", "-A"],
    ];
    const long = [
      ["get", "events", "-A", "--sort-by=.lastTimestamp"],
      ["get", "loadbalancers,addresspools,speakerstatuses,services,leases", "-A", "-o", "yaml"],
    ];
    const brief = await this.#answers(short);
    const logs = await this.#answers(await this.#logQuestions());
    const endOfLogs = logs.map((text) => lastLines(text, 15));
    const more = await this.#answers(long);
    return { brief: [...brief, ...endOfLogs].join("\n"), whole: [...brief, ...logs, ...more].join("\n") };
  }

  async #answers(questions: readonly (readonly string[])[]): Promise<string[]> {
    return Promise.all(
      questions.map(async (question) => {
        const answer = await this.kubectl([...question, "--request-timeout=20s"]).catch(String);
        return `--- kubectl ${question.join(" ")}\n${answer}`;
      }),
    );
  }

  /** Of every pod of ours, and of what ran in it before it was started again. */
  async #logQuestions(): Promise<string[][]> {
    interface Pods {
      items: { metadata: { name: string }; status: { containerStatuses?: { restartCount: number }[] } }[];
    }
    const pods = await this.get<Pods>(["pods", "-n", NAMESPACE]).catch((): Pods => ({ items: [] }));
    return pods.items.flatMap(({ metadata, status }) => {
      const question = ["logs", "-n", NAMESPACE, metadata.name, "--tail=400"];
      const restarts = status.containerStatuses?.[0]?.restartCount ?? 0;
      return restarts > 0 ? [question, [...question, "--previous"]] : [question];
    });
  }

  /** config/samples/loadbalancer.yaml and a pool of this lab's own network. */
  async samples(): Promise<object[]> {
    const text = await readFile(join(ROOT, "config/samples/loadbalancer.yaml"), "utf8");
    const pool = {
      apiVersion: "genkan.dev/v1beta1",
      kind: "AddressPool",
      metadata: { name: "lab", namespace: NAMESPACE },
      spec: {
        protocol: "layer2",
        addresses: [
          `172.30.${this.instance}.200-172.30.${this.instance}.250`,
          `fd30:${this.instance}::200-fd30:${this.instance}::2ff`,
        ],
      },
    };
    return [...parseAllDocuments(text).map((document) => document.toJS() as object), pool];
  }

  async available(): Promise<void> {
    interface Balancer {
      status?: { conditions?: { type: string; status: string; message: string }[] };
    }
    await until(
      "the LoadBalancer to be Available",
      async () => {
        const { status } = await this.get<Balancer>(["loadbalancer", "loadbalancer", "-n", NAMESPACE]);
        const condition = status?.conditions?.find(({ type }) => type === "Available");
        if (condition?.status === "True") return true;
        throw new Error(condition?.message ?? "no condition yet");
      },
      { deadlineMs: 420_000, everyMs: 1_000 },
    );
  }

  /** Addresses of a Service, when it has `count` of them. */
  async addresses(service: string, count: number): Promise<string[]> {
    interface Service {
      status: { loadBalancer: { ingress?: { ip: string }[] } };
    }
    return until(
      `${count} addresses of Service ${service}`,
      async () => {
        const { status } = await this.get<Service>(["service", service]);
        const ips = status.loadBalancer.ingress?.map(({ ip }) => ip) ?? [];
        return ips.length === count ? ips : undefined;
      },
      { deadlineMs: 60_000, everyMs: 300 },
    );
  }

  /** The one node that says it owns an address; `not` was cut off and says what it last said. */
  async owner(address: string, not?: string): Promise<string> {
    interface Speakers {
      items: { metadata: { name: string }; status?: { addresses?: { address: string }[] } }[];
    }
    return until(
      `an owner of ${address}`,
      async () => {
        const { items } = await this.get<Speakers>(["speakerstatuses", "-n", NAMESPACE]);
        const owners = items
          .filter(({ metadata }) => metadata.name !== not)
          .filter(({ status }) => status?.addresses?.some((owned) => owned.address === address));
        return owners.length === 1 ? owners[0]?.metadata.name : undefined;
      },
      { deadlineMs: 60_000, everyMs: 300 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab(["down"]);
  }
}

/** The first line, which says whose they are, and the last of the others. */
function lastLines(text: string, count: number): string {
  const [first = "", ...lines] = text.trimEnd().split("\n");
  return [first, ...lines.slice(-count).map((line) => line.slice(0, 400))].join("\n");
}
