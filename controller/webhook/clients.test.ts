import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as startTls } from "node:tls";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { silentLogger } from "#common/log.ts";
import { readClients, type WebhookPair } from "#controller/webhook/clients.ts";
import { startWebhook, type Webhook } from "#controller/webhook/server.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";

const REVIEW = JSON.stringify({
  kind: "AdmissionReview",
  request: {
    uid: "u1",
    operation: "CREATE",
    kind: { kind: "AddressPool" },
    object: {
      apiVersion: "genkan.dev/v1beta1",
      kind: "AddressPool",
      metadata: { name: "office", namespace: "genkan-system" },
      spec: { protocol: "layer2", addresses: ["10.0.0.0/24"] },
    },
  },
});

interface Client {
  readonly cert?: string;
  readonly key?: string;
}

const clock = new FakeClock();
const reviewed: string[] = [];
let webhook: Webhook;
let pair: WebhookPair;
let serving: { readonly cert: string; readonly key: string };
let trusted: string;
let clients: Readonly<Record<"none" | "apiserver" | "kubelet" | "stranger", Client>>;

before(async () => {
  const [server, front, other] = await Promise.all(
    ["server", "front", "other"].map((name) => createAuthority(name)),
  );
  assert.ok(server !== undefined && front !== undefined && other !== undefined);
  const issue = async (authority: typeof server, commonName: string): Promise<Client & typeof serving> => {
    const { certificate, key } = await authority.issue({ commonName, names: ["127.0.0.1"] });
    return { cert: certificate, key };
  };
  serving = await issue(server, "webhook");
  trusted = front.certificate;
  clients = {
    none: {},
    apiserver: await issue(front, "webhook-caller"),
    kubelet: await issue(front, "system:node:n1"),
    stranger: await issue(other, "webhook-caller"),
  };
  pair = serving;
  const view = emptyView("genkan-system");
  webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => pair,
    view: () => view,
    clock,
    log: silentLogger,
    onReviewed: (kind, verdict) => void reviewed.push(`${kind}:${verdict}`),
  });
});
after(() => webhook.close());

function ask(client: Client, agent: Agent | false = false): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: webhook.port, path: "/validate", method: "POST" };
    const outgoing = request(
      { ...options, rejectUnauthorized: false, agent, ...client },
      async (response) => {
        let body = "";
        for await (const chunk of response) body += String(chunk);
        resolve({ code: response.statusCode ?? 0, body });
      },
    );
    outgoing.on("error", reject).end(REVIEW);
  });
}

/** The codes of all clients once the setting is `next`. */
async function codesWith(next: WebhookPair): Promise<Record<string, number>> {
  pair = next;
  await clock.advance(1_000);
  const codes: Record<string, number> = {};
  for (const name of ["none", "apiserver", "kubelet", "stranger"] as const) {
    codes[name] = (await ask(clients[name])).code;
  }
  return codes;
}

const everybody = { none: 200, apiserver: 200, kubelet: 200, stranger: 200 };

test("without the setting whoever reaches the port is answered", async () => {
  assert.deepEqual(await codesWith(serving), everybody);
});

test("with an authority its clients alone are; with names only those; without it everybody again", async () => {
  const withAuthority = { ...serving, ca: trusted };
  const strict = { none: 401, apiserver: 200, kubelet: 200, stranger: 401 };
  assert.deepEqual(await codesWith(withAuthority), strict);
  assert.deepEqual(await codesWith({ ...withAuthority, allowedNames: "\n" }), strict);
  const named = { ...withAuthority, allowedNames: "another\n webhook-caller \n" };
  assert.deepEqual(await codesWith(named), { ...strict, kubelet: 401 });
  assert.deepEqual(await codesWith(serving), everybody);
});

test("a refusal is a Status that names nobody, and is counted", async () => {
  reviewed.length = 0;
  await codesWith({ ...serving, ca: trusted, allowedNames: "webhook-caller" });
  assert.deepEqual(reviewed, [":failed", "AddressPool:allowed", ":failed", ":failed"]);
  for (const client of [clients.none, clients.kubelet, clients.stranger]) {
    const { body } = await ask(client);
    assert.equal(JSON.parse(body).kind, "Status");
    assert.doesNotMatch(body, /webhook-caller|system:node/);
  }
});

test("a connection from before the setting is not believed after it", async () => {
  await codesWith(serving);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.equal((await ask(clients.none, agent)).code, 200);
  pair = { ...serving, ca: trusted };
  await clock.advance(1_000);
  await until(
    "the old connection to be refused or gone",
    async () => (await ask(clients.none, agent)).code === 401,
  );
  agent.destroy();
});

test("a handshake that began before the setting is not believed after it", async () => {
  await codesWith(serving);
  const outcomes: string[] = [];
  const ended = (): void => void outcomes.push("closed");
  const socket = connect(webhook.port, "127.0.0.1").on("error", ended).on("close", ended);
  await once(socket, "connect");
  // Connections are accepted in the order in which they came: the one above is, once this one is answered.
  assert.equal((await ask(clients.none)).code, 200);
  pair = { ...serving, ca: trusted };
  await clock.advance(1_000);
  startTls({ socket, rejectUnauthorized: false, ...clients.stranger })
    .on("secureConnect", () => void outcomes.push("believed"))
    .on("error", ended)
    .on("close", ended);
  await until("an end of the handshake", () => outcomes.length > 0);
  assert.equal(outcomes[0], "closed");
});

test("the setting is read from files; what is no certificate is an error and not everybody", async () => {
  const directory = await mkdtemp(join(tmpdir(), "genkan-clients-"));
  assert.deepEqual(await readClients(directory), {});
  await writeFile(join(directory, "allowed-names"), "one\n");
  assert.deepEqual(await readClients(directory), {});
  await writeFile(join(directory, "ca.crt"), trusted);
  assert.deepEqual(await readClients(directory), { ca: trusted, allowedNames: "one\n" });
  for (const text of ["", "hello"]) {
    await writeFile(join(directory, "ca.crt"), text);
    await assert.rejects(readClients(directory), /ca\.crt holds no certificate/);
  }
  await rm(directory, { recursive: true });
});
