/** What goes on in a cluster while nothing is wrong: Services come and go, a pool grows and shrinks, pods are replaced. */
import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "#common/error.ts";
import { CommandError } from "#hack/common/command.ts";
import { type Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/until.ts";

const SERVICES = 6;
const CALM_MS = 5_000;
/** The pods that requests are for: four are always there. */
const REPLICAS = [6, 4] as const;

const PATIENT = { deadlineMs: 60_000, everyMs: 1_000 };

/** As a well-made Deployment has it: a pod that goes serves on while everybody hears of it. */
const SERVES_ON_S = 10;

/** The lab's own pods end within a second, so each that goes would cost requests, whoever forwards. */
export async function letPodsServeOn(cluster: Cluster): Promise<void> {
  const lifecycle = { preStop: { sleep: { seconds: SERVES_ON_S } } };
  const spec = {
    terminationGracePeriodSeconds: 2 * SERVES_ON_S,
    containers: [{ name: "echo", lifecycle }],
  };
  const patch = JSON.stringify({ spec: { template: { spec } } });
  await cluster.kubectl(["patch", "deployment/hello", "-p", patch]);
  await cluster.kubectl(["rollout", "status", "deployment/hello", "--timeout=300s"]);
}

/** What was done until it was stopped. */
export interface Churned {
  readonly rounds: number;
  /** Writes that the API server did not take at once, and why. They were tried again. */
  readonly refused: readonly string[];
}

/** Goes on until `stop`; it leaves nothing of its own. `tell`: of each write that is not taken. */
export async function churn(
  cluster: Cluster,
  stop: AbortSignal,
  tell: (line: string) => void,
): Promise<Churned> {
  const names = Array.from({ length: SERVICES }, (_, at) => `soak-${at}`);
  const { instance } = cluster;
  const pool = (last: number): object => ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: { name: "soak", namespace: NAMESPACE },
    spec: { protocol: "layer2", addresses: [`172.30.${instance}.100-172.30.${instance}.${last}`] },
  });
  const service = (name: string): object => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default", annotations: { "genkan.dev/address-pool": "soak" } },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  let rounds = 0;
  const refused: string[] = [];
  const write = async (what: string, order: () => Promise<string>): Promise<void> => {
    const attempt = (): Promise<string> =>
      order().catch((error: unknown) => {
        const why = error instanceof CommandError ? error.output.trim().split("\n").at(-1) : errorText(error);
        refused.push(`${what}: ${why}`);
        tell(`${new Date().toISOString()} refused: ${what}: ${why}`);
        throw error;
      });
    await until(`${what} to be taken`, attempt, PATIENT);
  };
  // The webhooks of a cluster that has just come up may not answer at once.
  await until("the pool to be admitted", () => cluster.apply(pool(110)), PATIENT);
  try {
    for (; !stop.aborted; rounds += 1) {
      await write("the pool", () => cluster.apply(pool(110 + (rounds % 5))));
      await write("Services", () =>
        cluster.apply({ apiVersion: "v1", kind: "List", items: names.map(service) }),
      );
      const replicas = REPLICAS[rounds % REPLICAS.length];
      await write("replicas", () => cluster.kubectl(["scale", "deployment/hello", `--replicas=${replicas}`]));
      await calm(stop);
      const going = names.filter((_, at) => (at + rounds) % 2 === 0);
      await write("Services that go", () =>
        cluster.kubectl([
          ...["delete", "service", ...going, "-n", "default"],
          ...["--wait=false", "--ignore-not-found"],
        ]),
      );
      await calm(stop);
    }
    return { rounds, refused };
  } finally {
    await cluster.kubectl(["delete", "service", ...names, "-n", "default", "--ignore-not-found"]);
    await cluster.kubectl(["delete", "addresspool", "soak", "-n", NAMESPACE, "--ignore-not-found"]);
  }
}

const calm = (signal: AbortSignal): Promise<void> =>
  sleep(CALM_MS, undefined, { signal }).catch(() => undefined);
