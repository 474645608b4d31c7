/** The real controller process for tests, against the real API server. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DEFAULT_NAMESPACE, LOADBALANCER_NAME } from "#api/names.ts";
import { loadBalancers } from "#common/kube/resource.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { untilKindsAnswer } from "#test/kinds.ts";
import { until } from "#test/until.ts";

export interface LogRecord {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Where Genkan is installed. */
export const SYSTEM = DEFAULT_NAMESPACE;

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The CRDs and the install namespace, as `kubectl apply` makes them. */
export async function installGenkan(plane: TestPlane): Promise<void> {
  await plane.namespace(SYSTEM);
  const argv = ["--kubeconfig", plane.plane.kubeconfig, "apply", "-k", `${ROOT}config/crd`];
  await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, argv);
  await untilKindsAnswer(plane.client);
}

/** A real API server with Genkan installed and its LoadBalancer, and no process of Genkan's yet. */
export async function startGenkan(): Promise<TestPlane> {
  const plane = await TestPlane.start();
  try {
    await installGenkan(plane);
    const metadata = { name: LOADBALANCER_NAME, namespace: SYSTEM };
    await plane.client.create(loadBalancers, { metadata, spec: {} });
    return plane;
  } catch (error) {
    await plane[Symbol.asyncDispose]();
    throw error;
  }
}

const MAIN = fileURLToPath(new URL("../../controller/main.ts", import.meta.url));

export class ControllerProcess implements AsyncDisposable {
  readonly name: string;
  readonly logs: LogRecord[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  hasEnded = false;

  constructor(name: string, kubeconfig: string, env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.#child = spawn(process.execPath, [MAIN], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        KUBECONFIG: kubeconfig,
        POD_NAME: name,
        POD_NAMESPACE: SYSTEM,
        HTTP_PORT: "0",
        METRICS_ACCESS: "Loopback",
        WEBHOOK_PORT: "0",
        CERTIFICATE_DIRECTORY: "/nonexistent",
        ...env,
      },
    });
    this.#ended = new Promise((resolve) =>
      this.#child.once("exit", () => {
        this.hasEnded = true;
        resolve();
      }),
    );
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#read(line));
    }
  }

  get leads(): boolean {
    const last = this.logs.findLast(({ msg }) => msg === "leading" || msg.includes("no longer leading"));
    return !this.hasEnded && last?.msg === "leading";
  }

  /** Records of one event of ours ("ipAllocated"), about one Service. */
  records(event: string, service: string): LogRecord[] {
    return this.logs.filter((record) => record.event === event && record.service === service);
  }

  async started(): Promise<this> {
    await until(`${this.name} to start`, () => this.logs.some(({ msg }) => msg === "controller started"));
    return this;
  }

  /** The port of health, metrics and the plan. */
  get httpPort(): number {
    return Number(this.logs.find(({ msg }) => msg === "controller started")?.http);
  }

  /** Stands still as a whole, with its connections, until `resume`. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.hasEnded) this.#child.kill(signal);
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end("SIGKILL");
  }

  #read(line: string): void {
    try {
      this.logs.push(JSON.parse(line) as LogRecord);
    } catch {
      // Not a record: an uncaught error's text. It is what a failing test wants to show.
      this.logs.push({ level: "error", msg: line });
    }
  }
}

/** A controller that leads already; where another one does, only once that one is gone. */
export async function startLeader(plane: Pick<TestPlane, "plane">, name: string): Promise<ControllerProcess> {
  const controller = new ControllerProcess(name, plane.plane.kubeconfig);
  try {
    await controller.started();
    await until(`${name} to lead`, () => controller.leads, { deadlineMs: 20_000 });
    return controller;
  } catch (error) {
    await controller.end("SIGKILL");
    throw error;
  }
}
