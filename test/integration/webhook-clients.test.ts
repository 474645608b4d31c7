/** A real API server that shows its webhooks a client certificate, as docs/admission.md says, and one that does not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { systemClock } from "#common/clock.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { KubeError } from "#common/kube/error.ts";
import { configMaps, validatingWebhookConfigurations } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { startWebhook } from "#controller/webhook/server.ts";
import { startControlPlane } from "#hack/lab/control-plane.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { until } from "#test/until.ts";

const CALLER = "webhook-caller";

test("the webhook answers the API server that shows its certificate, and not one that shows none", async () => {
  const directory = await mkdtemp(join(tmpdir(), "genkan-clients-"));
  const authority = await createAuthority("webhooks");
  const [caller, serving] = await Promise.all([
    authority.issue({ commonName: CALLER }),
    authority.issue({ commonName: "webhook", names: ["127.0.0.1"] }),
  ]);
  let clients = { ca: authority.certificate, allowedNames: CALLER };
  let asked = 0;
  const webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => ({ cert: serving.certificate, key: serving.key, ...clients }),
    view: () => emptyView("genkan-system"),
    clock: systemClock,
    log: silentLogger,
    onReviewed: () => {
      asked += 1;
    },
  });
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const user = {
    "client-certificate": await file("caller.crt", caller.certificate),
    "client-key": await file("caller.key", caller.key),
  };
  // A Service has its name here; this webhook is called by its address.
  const users = [{ name: `127.0.0.1:${webhook.port}`, user }];
  const kubeConfigFile = await file(
    "webhooks.kubeconfig",
    JSON.stringify({ apiVersion: "v1", kind: "Config", users }),
  );
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "WebhookAdmissionConfiguration",
    kubeConfigFile,
  };
  const admissionConfiguration = await file(
    "admission.json",
    JSON.stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AdmissionConfiguration",
      plugins: [{ name: "ValidatingAdmissionWebhook", configuration }],
    }),
  );
  const dir = join(directory, "plane");
  const plane = await startControlPlane({
    dir,
    programs: [],
    apiServerFlags: [`--admission-control-config-file=${admissionConfiguration}`],
  });
  const client = createKubeClient(
    connectionFromKubeconfig(plane.kubeconfig, (path) => readFileSync(path, "utf8")),
  );
  const write = async (name: string): Promise<string> => {
    try {
      await client.create(configMaps, { metadata: { name, namespace: "default" } }, { dryRun: true });
      return "admitted";
    } catch (error) {
      if (error instanceof KubeError) return error.message;
      throw error;
    }
  };
  try {
    await client.create(validatingWebhookConfigurations, {
      metadata: { name: "test" },
      webhooks: [
        {
          name: "test.genkan.dev",
          clientConfig: {
            url: `https://127.0.0.1:${webhook.port}/validate`,
            caBundle: Buffer.from(authority.certificate).toString("base64"),
          },
          rules: [
            { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
          ],
          // The API server makes ConfigMaps of its own, which are no matter of this test.
          matchConditions: [{ name: "ours", expression: "object.metadata.namespace == 'default'" }],
          failurePolicy: "Fail",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    });
    // A kind that the webhook does not judge is refused or admitted in words of its own: it was asked, and it answered.
    const words = await until("the webhook to be asked", async () => {
      const said = await write("one");
      return asked > 0 && said;
    });
    assert.doesNotMatch(words, /client certificate/);
    clients = { ...clients, allowedNames: "somebody-else" };
    await until("the refusal", async () =>
      /wants the client certificate of the API server, not of others/.test(await write("two")),
    );
    clients = { ca: (await createAuthority("another")).certificate, allowedNames: "" };
    await until("the refusal", async () =>
      /wants a client certificate of the API server/.test(await write("three")),
    );
    clients = { ca: authority.certificate, allowedNames: CALLER };
    await until("the answer", async () => !(await write("four")).includes("client certificate"));
  } finally {
    client.close();
    await webhook.close();
    await plane.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
