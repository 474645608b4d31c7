/** The webhook inside the controller process: on every replica, from the moment that its certificate is there. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  type AddressPool,
  addressPools,
  services,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import { type Authority, createAuthority } from "#hack/lab/pki.ts";
import { ControllerProcess, SYSTEM, startGenkan } from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
let plane: TestPlane;
let authority: Authority;
let directory = "";
const replicas: ControllerProcess[] = [];

before(async () => {
  plane = await startGenkan();
  authority = await createAuthority("test");
  directory = await mkdtemp(join(tmpdir(), "genkan-certificate-"));
  for (const name of ["w0", "w1"]) {
    const env = { CERTIFICATE_DIRECTORY: directory };
    replicas.push(await new ControllerProcess(name, plane.plane.kubeconfig, env).started());
  }
});

after(async () => {
  for (const replica of replicas) await replica[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function readiness(replica: ControllerProcess): Promise<{ code: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${replica.httpPort}/readyz`);
  return { code: response.status, text: await response.text() };
}

const webhookPort = (replica: ControllerProcess): number =>
  Number(replica.logs.find(({ msg }) => msg === "webhook serves")?.port);

async function askFrom(replica: ControllerProcess): Promise<void> {
  const port = webhookPort(replica);
  await plane.client.apply(
    validatingWebhookConfigurations,
    {
      metadata: { name: "test" },
      webhooks: [
        {
          name: "pools.genkan.dev",
          clientConfig: {
            url: `https://127.0.0.1:${port}/validate`,
            caBundle: Buffer.from(authority.certificate).toString("base64"),
          },
          rules: [
            {
              apiGroups: ["genkan.dev"],
              apiVersions: ["*"],
              resources: ["addresspools"],
              operations: ["CREATE", "UPDATE", "DELETE"],
            },
          ],
          failurePolicy: "Fail",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    },
    { fieldManager: "test", force: true },
  );
}

const pool = (name: string, addresses: string[]) => ({
  metadata: { name, namespace: SYSTEM },
  spec: { protocol: "layer2", addresses } as AddressPool["spec"],
});

/** Why the API server did not take it; undefined if it did (nothing stays stored). */
async function refusal(name: string, addresses: string[]): Promise<string | undefined> {
  try {
    await plane.client.create(addressPools, pool(name, addresses));
    await plane.client.remove(addressPools, name, { namespace: SYSTEM });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

test("a replica without a certificate is not ready and says why; with one both serve, leading or not", async () => {
  await plane.client.create(addressPools, pool("web", ["10.0.0.0/24"]));
  for (const replica of replicas) {
    await until("the reason", async () => {
      const { code, text } = await readiness(replica);
      return code === 503 && text.includes("the webhook has no certificate yet");
    });
  }
  const { certificate, key } = await authority.issue({ commonName: "webhook", names: ["127.0.0.1"] });
  await writeFile(join(directory, "tls.crt"), certificate);
  await writeFile(join(directory, "tls.key"), key);
  for (const replica of replicas) {
    await until("readiness", async () => (await readiness(replica)).code === 200);
    await askFrom(replica);
    const words = await until("the refusal", () => refusal("other", ["10.0.0.128/25"]), {
      deadlineMs: 20_000,
    });
    assert.match(
      words,
      /spec\.addresses\[0\]: 10\.0\.0\.128\/25 overlaps 10\.0\.0\.0\/24 of AddressPool "web"/,
    );
    assert.equal(await refusal("other", ["10.1.0.0/24"]), undefined);
  }
  await until("one of them to lead", () => replicas.filter((replica) => replica.leads).length === 1);
});

test("allocation goes on beside it, and metrics tell of it", async () => {
  await plane.client.create(services, {
    metadata: { name: "one", namespace: "default" },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  await until("the address", async () => {
    const found = await plane.client.get(services, "one", "default");
    return found?.status?.loadBalancer?.ingress?.[0]?.ip === "10.0.0.0";
  });
  const leader = replicas.find((replica) => replica.leads);
  assert.ok(leader !== undefined);
  const page = await (await fetch(`http://127.0.0.1:${leader.httpPort}/metrics`)).text();
  assert.match(page, /genkan_leader\{lease="genkan-controller"\} 1/);
  assert.match(page, /genkan_pool_addresses_in_use\{pool="web",family="IPv4"\} 1/);
  for (const verdict of ["allowed", "refused"]) {
    assert.match(
      page,
      new RegExp(`genkan_webhook_reviews_total\\{kind="AddressPool",verdict="${verdict}"\\} [1-9]`),
    );
  }
  const plan = await (await fetch(`http://127.0.0.1:${leader.httpPort}/debug/plan`)).json();
  assert.deepEqual(
    (plan as { services: Record<string, { addresses: string[] }> }).services["default/one"]?.addresses,
    ["10.0.0.0"],
  );
});

test("taking addresses that are in use warns with the Services that have them; another change says nothing", async () => {
  const kubectl = async (...argv: string[]): Promise<string> => {
    const all = ["--kubeconfig", plane.plane.kubeconfig, ...argv, "-n", SYSTEM, "--dry-run=server"];
    const { stderr } = await promisify(execFile)(`${ROOT}.lab/bin/kubectl`, all);
    return stderr.trim();
  };
  const patch = (spec: object): Promise<string> =>
    kubectl("patch", "addresspool", "web", "--type=merge", "-p", JSON.stringify({ spec }));
  const named = "these Services get other addresses: default/one (10.0.0.0)";
  assert.equal(
    await kubectl("delete", "addresspool", "web"),
    `Warning: AddressPool "web" is deleted while in use: ${named}`,
  );
  assert.equal(
    await patch({ addresses: ["10.0.0.8/29"] }),
    `Warning: AddressPool "web" is shrunk while in use: ${named}`,
  );
  assert.equal(await patch({ addresses: ["10.0.0.0/29"] }), "");
  assert.equal(await patch({ autoAssign: false }), "");
});

/** What the webhook says of a pool's deletion to whoever reaches its port, as any pod does. */
async function warningsForStrangers(metadata: object): Promise<string[] | undefined> {
  const oldObject = { ...pool("web", ["0.0.0.0/1", "128.0.0.0/2"]), kind: "AddressPool" };
  const asked = { uid: "u", operation: "DELETE", kind: { kind: "AddressPool" } };
  const review = {
    kind: "AdmissionReview",
    request: { ...asked, oldObject: { ...oldObject, metadata: { ...oldObject.metadata, ...metadata } } },
  };
  const port = webhookPort(replicas[0] as ControllerProcess);
  const text = await new Promise<string>((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/validate", method: "POST", agent: false } as const;
    const asking = request({ ...options, ca: authority.certificate }, async (response) => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      resolve(body);
    });
    asking.on("error", reject);
    asking.end(JSON.stringify(review));
  });
  return (JSON.parse(text) as { response: { warnings?: string[] } }).response.warnings;
}

test("Services are named to nobody who makes a pool up", async () => {
  assert.equal(await warningsForStrangers({}), undefined);
  assert.equal(await warningsForStrangers({ uid: "00000000-0000-4000-8000-000000000000" }), undefined);
  const { uid } = (await plane.client.get(addressPools, "web", SYSTEM))?.metadata ?? {};
  assert.match(String(await warningsForStrangers({ uid })), /default\/one/);
});

test("what is too much for one review is not admitted, and the API server says why", async () => {
  const annotations = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`a${at}`, ""]));
  const large = {
    ...pool("large", ["10.2.0.0/24"]),
    metadata: { name: "large", namespace: SYSTEM, annotations },
  };
  await assert.rejects(plane.client.create(addressPools, large), /at most are judged/);
});
