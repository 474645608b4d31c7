/**
 * The cases of admission through the real API server, with the webhook: what is admitted there is what is admitted in
 * process, with the same words. One case of each kind is asked through kubectl as well: people read these words there, a
 * line for each cause.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { type AdmissionView, emptyView } from "#api/v1beta1/admission/view.ts";
import { systemClock } from "#common/clock.ts";
import { validatingWebhookConfigurations } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { startWebhook, type Webhook } from "#controller/webhook/server.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import {
  type AdmissionCase,
  type CaseObject,
  readCases,
  viewOf,
} from "#test/cases/admission/admission-files.ts";
import { installGenkan } from "#test/integration/controller-process.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { type ApiObject, Judge } from "#test/integration/verdict.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const cases = (await readCases()).filter(({ isOffline }) => !isOffline);

/** The first case of each kind of answer. */
const throughKubectl = new Set(
  Map.groupBy(cases, ({ operation, object, oldObject, refused, warned, server }) =>
    [operation, (object ?? oldObject)?.kind, Math.min(refused.length, 2), warned.length > 0, !server].join(),
  )
    .values()
    .map(([first]) => first),
);

let plane: TestPlane;
let judge: Judge;
let webhook: Webhook;
let view: AdmissionView = emptyView("genkan-system");
let given: readonly CaseObject[] = [];

interface Said {
  readonly ok: boolean;
  readonly lines: readonly string[];
}

async function kubectl(argv: readonly string[], objects: readonly object[]): Promise<Said> {
  const child = spawn(`${ROOT}.lab/bin/kubectl`, ["--kubeconfig", plane.plane.kubeconfig, ...argv]);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  child.stdin.end(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const code = await new Promise((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", reject);
  });
  return { ok: code === 0, lines: text.trim().split("\n") };
}

async function configure(caBundle: string): Promise<void> {
  await plane.client.create(validatingWebhookConfigurations, {
    metadata: { name: "test" },
    webhooks: [
      {
        name: "change.genkan.dev",
        clientConfig: { url: `https://127.0.0.1:${webhook.port}/validate`, caBundle },
        rules: [
          {
            apiGroups: ["genkan.dev"],
            apiVersions: ["*"],
            resources: ["addresspools", "bgppeers", "bfdprofiles", "loadbalancers"],
            operations: ["CREATE", "UPDATE", "DELETE"],
          },
        ],
        failurePolicy: "Fail",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      },
    ],
  });
  const bad = {
    apiVersion: "genkan.dev/v1beta1",
    kind: "BGPPeer",
    metadata: { name: "x", namespace: "default" },
  };
  await until("the webhook to be asked", async () => {
    const spec = { myASN: 1, peerASN: 2, peerAddress: "10.0.0.1" };
    return !(await judge.judge("create", { ...bad, spec } as ApiObject)).isAdmitted;
  });
}

before(async () => {
  plane = await TestPlane.start();
  judge = new Judge(plane.connection);
  await installGenkan(plane);
  const authority = await createAuthority("test");
  const { certificate: cert, key } = await authority.issue({ commonName: "webhook", names: ["127.0.0.1"] });
  webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => ({ cert, key }),
    view: () => view,
    clock: systemClock,
    log: silentLogger,
  });
  await configure(Buffer.from(authority.certificate).toString("base64"));
});

after(async () => {
  judge?.[Symbol.dispose]();
  await webhook?.close();
  await plane?.[Symbol.asyncDispose]();
});

/** The API server has what the case starts from, and the webhook sees it. */
async function prepare(each: AdmissionCase): Promise<void> {
  if (JSON.stringify(given) !== JSON.stringify(each.given)) {
    view = emptyView("genkan-system");
    for (const object of given) assert.ok((await judge.write("delete", object)).isAdmitted);
    given = each.given;
    for (const object of given) assert.equal((await judge.write("create", object)).message, "");
  }
  view = viewOf(each);
}

/** kubectl's own look at the schema is left out: what the API server says is what is compared. */
const NO_CLIENT_RULES = ["--validate=false"];
const VERBS = { CREATE: "create", UPDATE: "replace", DELETE: "delete" } as const;

for (const each of cases) {
  test(each.name, async () => {
    await prepare(each);
    const object = each.object ?? each.oldObject;
    assert.ok(object !== undefined);
    // A preview refuses less. What is refused is not stored either.
    const ask = each.refused.length > 0 ? "write" : "judge";
    const { isAdmitted, message, causes, warnings } = await judge[ask](VERBS[each.operation], object);
    assert.equal(isAdmitted, each.refused.length === 0, message);
    for (const words of each.warned) assert.ok(warnings.includes(words), warnings.join("\n"));
    if (each.server === undefined) assert.deepEqual(causes, each.refused, message);
    else assert.ok(message.includes(each.server), message);
    if (throughKubectl.has(each)) await askKubectl(each, object);
  });
}

async function askKubectl(each: AdmissionCase, object: CaseObject): Promise<void> {
  const rules = each.operation === "DELETE" ? [] : NO_CLIENT_RULES;
  const preview = each.refused.length > 0 ? [] : ["--dry-run=server"];
  const said = await kubectl([VERBS[each.operation], ...preview, ...rules, "-f", "-"], [object]);
  const text = said.lines.join("\n");
  assert.equal(said.ok, each.refused.length === 0, text);
  for (const words of each.warned) assert.ok(said.lines.includes(`Warning: ${words}`), text);
  if (each.server !== undefined) {
    assert.ok(text.includes(each.server), text);
    return;
  }
  const told = said.lines.filter((line) => !line.startsWith("Warning: "));
  // One cause stands in the line that names the object, several below it.
  const head = `The ${object.kind} "${object.metadata.name}" is invalid: `;
  const [only = ""] = each.refused;
  const expected =
    each.refused.length > 1 ? [head.trim(), ...each.refused.map((words) => `* ${words}`)] : [head + only];
  if (each.refused.length > 0)
    assert.deepEqual(
      told.map((line) => line.trim()),
      expected,
    );
}
