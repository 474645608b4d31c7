import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { KeyPair } from "#common/key-pair.ts";
import { silentLogger } from "#common/log.ts";
import { startWebhook, type Webhook } from "#controller/webhook/server.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { watchBars } from "#test/bar.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";

const POOL = {
  apiVersion: "genkan.dev/v1beta1",
  kind: "AddressPool",
  metadata: { name: "office", namespace: "genkan-system" },
  spec: { protocol: "layer2", addresses: ["10.0.0.0/24"] },
};
const review = (object: object): string =>
  JSON.stringify({
    kind: "AdmissionReview",
    request: { uid: "u1", operation: "CREATE", kind: { kind: "AddressPool" }, object },
  });

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly serial: string;
}

let authority: Awaited<ReturnType<typeof createAuthority>>;
let pair: KeyPair;
let hasView = true;
const clock = new FakeClock();
let webhook: Webhook;

const issue = async (): Promise<KeyPair> => {
  const { certificate, key } = await authority.issue({ commonName: "webhook", names: ["127.0.0.1"] });
  return { cert: certificate, key };
};

before(async () => {
  authority = await createAuthority("test");
  pair = await issue();
  const view = emptyView("genkan-system");
  webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => pair,
    view: () => (hasView ? view : undefined),
    clock,
    log: silentLogger,
  });
});
after(() => webhook.close());

function ask(body: string, { path = "/validate", method = "POST" } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: webhook.port,
      path,
      method,
      ca: authority.certificate,
      agent: false,
    };
    const request = httpsRequest(options, (response) => {
      const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text, serial }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

test("a good object is admitted, a bad one refused with field and rule", async () => {
  const good = await ask(review(POOL));
  assert.equal(good.status, 200);
  assert.equal(JSON.parse(good.body).response.allowed, true);
  const bad = await ask(review({ ...POOL, spec: { ...POOL.spec, addresses: ["10.0.0.1"] } }));
  const { response } = JSON.parse(bad.body);
  assert.equal(response.uid, "u1");
  assert.equal(response.allowed, false);
  assert.match(response.status.message, /^spec\.addresses\[0\]: 10\.0\.0\.1 is a bare address/);
});

test("what is no review is answered 400, another path 404, and the server goes on", async () => {
  assert.equal((await ask("{")).status, 400);
  assert.equal((await ask("[]")).status, 400);
  assert.equal((await ask("null")).status, 400);
  assert.equal((await ask(review(POOL), { path: "/other" })).status, 404);
  assert.equal((await ask("", { method: "GET" })).status, 404);
  const large = await ask(" ".repeat(9 * 1024 * 1024)).catch((error: unknown) => error);
  assert.ok(large instanceof Error || (large as Answer).status === 413);
  assert.equal((await ask(review(POOL))).status, 200);
});

test("before the cluster is known nothing is judged", async () => {
  hasView = false;
  assert.equal((await ask(review(POOL))).status, 503);
  hasView = true;
});

test("a new certificate is served without a restart; halves that do not fit leave the old one", async () => {
  const { serial: first } = await ask(review(POOL));
  const next = await issue();
  pair = { cert: next.cert, key: pair.key };
  await clock.advance(10_000);
  assert.equal((await ask(review(POOL))).serial, first);
  pair = next;
  await until("the new certificate to be served", async () => {
    await clock.advance(10_000);
    return (await ask(review(POOL))).serial !== first;
  });
});

test("the end waits for nobody, not for who has not even shaken hands", async () => {
  const options = { port: 0, host: "127.0.0.1", readPair: async () => pair, view: () => undefined };
  const other = await startWebhook({ ...options, clock: new FakeClock(), log: silentLogger });
  const silent = connect(other.port, "127.0.0.1");
  const closed = once(silent, "close");
  silent.on("error", () => undefined);
  await once(silent, "connect");
  const bars = await watchBars();
  const began = performance.now();
  await other.close();
  silent.resume();
  await closed;
  await bars.hold("the end", performance.now() - began, 2_000);
});
