/** Clients of ServiceAccounts with the tokens that a kubelet would have asked for: bound to a pod, and so to its node. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { APP_NAME, LABEL_COMPONENT, LABEL_NAME } from "#api/names.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { pods } from "#common/kube/resource.ts";
import type { TestPlane } from "#test/integration/plane.ts";

const KUBE = new URL("../../.lab/bin/kube", import.meta.url).pathname;
const execute = promisify(execFile);

type Plane = Pick<TestPlane, "plane" | "client">;

export interface Account {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Of the pod that the token is bound to; undefined binds it to nothing. */
  readonly node?: string;
}

/** Path of a kubeconfig with a token of `account`; its pod is made if it is not there. */
export async function kubeconfigOf(plane: Plane, account: Account): Promise<string> {
  const { namespace, serviceAccount, node } = account;
  const { kubeconfig } = plane.plane;
  const kubectl = async (...args: string[]): Promise<string> =>
    (await execute(KUBE, ["kubectl", "--kubeconfig", kubeconfig, ...args])).stdout.trim();
  const bound = node === undefined ? [] : await binding(plane, { ...account, node });
  const token = await kubectl("create", "token", serviceAccount, "-n", namespace, "--duration=1h", ...bound);
  const config = parse(await kubectl("config", "view", "--raw"));
  const name = `${serviceAccount}-${node ?? "unbound"}`;
  config.users = [{ name, user: { token } }];
  config.contexts = [{ name, context: { cluster: config.clusters[0].name, user: name } }];
  config["current-context"] = name;
  const path = `${kubeconfig}.${name}`;
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

export async function clientOf(plane: Plane, account: Account): Promise<KubeClient> {
  const path = await kubeconfigOf(plane, account);
  return createKubeClient(connectionFromKubeconfig(path, (file) => readFileSync(file, "utf8")));
}

async function binding(plane: Plane, account: Required<Account>): Promise<string[]> {
  const { namespace, serviceAccount, node } = account;
  const name = `${serviceAccount}-on-${node}`;
  const pod =
    (await plane.client.get(pods, name, namespace)) ??
    (await plane.client.create(pods, {
      // The operator knows the pods of a role by these.
      metadata: { name, namespace, labels: { [LABEL_NAME]: APP_NAME, [LABEL_COMPONENT]: serviceAccount } },
      spec: {
        nodeName: node,
        serviceAccountName: serviceAccount,
        containers: [{ name: "pause", image: "nobody.example/runs-it" }],
      },
    }));
  return ["--bound-object-kind=Pod", `--bound-object-name=${name}`, `--bound-object-uid=${pod.metadata.uid}`];
}
