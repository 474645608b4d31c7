/** Metrics behind a token, judged by the real API server with the rights that each role has in a cluster. */
import assert from "node:assert/strict";
import { type ExecFileException, execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { CONTROLLER_NAME, OPERATOR_NAME, SPEAKER_NAME } from "#api/names.ts";
import { systemClock } from "#common/clock.ts";
import type { HttpServer } from "#common/http-answers.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { clusterRoleBindings, serviceAccounts } from "#common/kube/resource.ts";
import { createMetrics } from "#common/metrics.ts";
import { serveMetrics } from "#common/metrics-server.ts";
import { alertsOf, type RuleFile } from "#hack/monitoring/alerts.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { real } from "#test/integration/plane.ts";
import { Prometheus } from "#test/integration/prometheus.ts";
import type { TcpProxy } from "#test/integration/proxy.ts";
import { until } from "#test/until.ts";

const ALERTS = new URL("../../config/monitoring/alerts.yaml", import.meta.url);
const KUBECTL = new URL("../../.lab/bin/kubectl", import.meta.url).pathname;
const ROLES = [OPERATOR_NAME, CONTROLLER_NAME, SPEAKER_NAME];

let world: OperatorWorld;
let operator: OperatorProcess;
let proxy: TcpProxy;
/** Of who may read, and of who is somebody and may not. */
let reader: string;
let other: string;
const end = new AbortController();
const servers: HttpServer[] = [];
const clients: KubeClient[] = [];

async function kubectl(...args: string[]): Promise<string> {
  const argv = ["--kubeconfig", world.plane.plane.kubeconfig, ...args];
  return (await promisify(execFile)(KUBECTL, argv)).stdout.trim();
}

const tokenOf = (name: string, ...more: string[]): Promise<string> =>
  kubectl("create", "token", name, "-n", NAMESPACE, ...more);

before(async () => {
  world = await OperatorWorld.start(["node1"]);
  proxy = await world.plane.proxy();
  // The operator's own connection runs through the proxy, so that the API server can be taken away from it.
  const path = `${world.plane.plane.kubeconfig}.operator`;
  const config = await readFile(path, "utf8");
  await writeFile(`${path}.proxied`, config.replace(/server: .*/, `server: https://127.0.0.1:${proxy.port}`));
  operator = world.operator({
    KUBECONFIG: `${path}.proxied`,
    METRICS_ACCESS: "Token",
    METRICS_PORT: "0",
    METRICS_CERTIFICATE_DIRECTORY: "/nonexistent",
  });
  // It makes the other roles and their rights.
  await world.createLoadBalancer();
  await world.waitFor(clusterRoleBindings, "genkan-controller");
  await world.waitFor(clusterRoleBindings, "genkan-speaker");
  for (const name of ["prometheus", "somebody"]) {
    await world.client.create(serviceAccounts, { metadata: { name, namespace: NAMESPACE } });
  }
  await world.client.create(clusterRoleBindings, {
    metadata: { name: "prometheus" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "genkan-metrics-reader" },
    subjects: [{ kind: "ServiceAccount", name: "prometheus", namespace: NAMESPACE }],
  });
  [reader, other] = await Promise.all([tokenOf("prometheus"), tokenOf("somebody")]);
});
after(async () => {
  end.abort();
  await Promise.all(servers.map((server) => server.close()));
  for (const client of clients) client.close();
  await operator[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

interface Reply {
  readonly code: number;
  readonly body: string;
}

function ask(port: number, token?: string, agent: Agent | false = false): Promise<Reply> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const options = { host: "127.0.0.1", port, path: "/metrics", rejectUnauthorized: false, agent, headers };
  return new Promise((resolve, reject) => {
    const outgoing = request(options, async (response) => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      resolve({ code: response.statusCode ?? 0, body });
    });
    outgoing.on("error", reject).end();
  });
}

/** A server of this process that asks with the rights of a role alone; `asked` counts what it asks. */
async function serveAs(role: string): Promise<{ port: number; asked: () => number }> {
  const token = await tokenOf(role);
  const { server, credentials } = world.plane.connection;
  const { ca } = credentials();
  const client = createKubeClient({
    server,
    credentials: () => ({ token, ...(ca !== undefined && { ca }) }),
  });
  clients.push(client);
  let asked = 0;
  const create: KubeClient["create"] = (resource, object, options) => {
    asked += 1;
    return client.create(resource, object, options);
  };
  const served = await serveMetrics(
    {
      ...real,
      metrics: createMetrics({ role, version: "test" }),
      client: { create },
      port: 0,
      host: "127.0.0.1",
      certificateDirectory: "/nonexistent",
      namespace: NAMESPACE,
    },
    end.signal,
  );
  servers.push(served);
  return { port: served.port, asked: () => asked };
}

const metricsPort = (): Promise<number> =>
  until("the operator's metrics", () => {
    const record = operator.records.find(({ msg }) => msg === "metrics are served");
    return Number((record as { port?: number } | undefined)?.port) || undefined;
  });

for (const role of ROLES) {
  test(`${role} has the rights to judge: allowed, forbidden, made up, for somebody else, none`, async () => {
    const { port } = await serveAs(role);
    const page = await ask(port, reader);
    assert.equal(page.code, 200, page.body);
    assert.match(page.body, /^genkan_build_info/m);
    const elsewhere = await tokenOf("prometheus", "--audience=somewhere-else");
    const cases: [what: string, token: string | undefined, code: number][] = [
      ["forbidden", other, 403],
      ["made up", "garbage", 401],
      ["a signature that is not right", `${reader.slice(0, -6)}AAAAAA`, 401],
      ["for another audience", elsewhere, 401],
      ["none", undefined, 401],
    ];
    for (const [what, token, code] of cases) {
      const reply = await ask(port, token);
      assert.equal(reply.code, code, what);
      assert.doesNotMatch(reply.body, /genkan_build_info|somebody|serviceaccount/);
    }
  });
}

test("the operator itself serves so, to a client in Go that skips verification as scrapers do", async () => {
  const port = await metricsPort();
  const raw = (token: string): Promise<{ stdout: string }> =>
    promisify(execFile)(KUBECTL, [
      "--kubeconfig=/dev/null",
      `--server=https://127.0.0.1:${port}`,
      "--insecure-skip-tls-verify",
      `--token=${token}`,
      "get",
      "--raw=/metrics",
    ]);
  assert.match((await raw(reader)).stdout, /^genkan_build_info\{role="operator"/m);
  await assert.rejects(raw(other), (error: ExecFileException) => /forbidden/i.test(String(error.stderr)));
  await assert.rejects(raw("garbage"), (error: ExecFileException) =>
    /unauthorized|logged in/i.test(String(error.stderr)),
  );
});

test("a real Prometheus scrapes operator and speaker with its token, and evaluates the alerts", async () => {
  const ports = [await metricsPort(), (await serveAs(SPEAKER_NAME)).port];
  const targets = ports.map((port) => `127.0.0.1:${port}`);
  const { spec } = parse(await readFile(ALERTS, "utf8")) as { spec: RuleFile };
  await using prometheus = await Prometheus.start({ targets, token: reader, rules: spec });
  const roles = async (): Promise<boolean> => {
    const found = await prometheus.query("genkan_build_info");
    return (
      found
        .map(({ metric }) => metric.role)
        .sort()
        .join() === "operator,speaker"
    );
  };
  await until("both roles", roles, { deadlineMs: 30_000 });
  const active = async (): Promise<string[]> => {
    const { alerts } = await prometheus.ask<{ alerts: { labels: { alertname: string } }[] }>(
      "/api/v1/alerts",
    );
    return alerts.map(({ labels }) => labels.alertname);
  };
  // Here is no controller.
  await until("an alert", async () => (await active()).join() === "GenkanNoLeader");
  const { groups } = await prometheus.ask<{ groups: { rules: { name: string; health: string }[] }[] }>(
    "/api/v1/rules",
  );
  const rules = groups.flatMap((group) => group.rules);
  const named = alertsOf(spec).map(({ alert }) => alert);
  assert.deepEqual(rules.map(({ name }) => name).sort(), named.sort());
  assert.deepEqual(
    rules.filter(({ health }) => health === "err"),
    [],
  );
});

test("while the API server is away who was allowed goes on, and others hear 503; then all is as before", async () => {
  const port = await metricsPort();
  assert.equal((await ask(port, reader)).code, 200);
  proxy.refuse();
  assert.equal((await ask(port, reader)).code, 200);
  const next = await tokenOf("prometheus", "--duration=2h");
  assert.equal((await ask(port, next)).code, 503);
  proxy.open();
  await until("the new token", async () => (await ask(port, next)).code === 200);
  assert.doesNotMatch(JSON.stringify(operator.records), new RegExp(next.slice(-40)));
});

test("10,000 made-up tokens cost the API server few questions, and a scraper nothing", async (t) => {
  const { port, asked } = await serveAs(SPEAKER_NAME);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  assert.equal((await ask(port, reader, agent)).code, 200);
  const before = asked();
  const began = systemClock.now();
  const codes: Record<number, number> = {};
  for (let batch = 0; batch < 100; batch += 1) {
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, at) => ask(port, `garbage-${batch}-${at}`, agent)),
    );
    for (const { code } of replies) codes[code] = (codes[code] ?? 0) + 1;
    assert.equal((await ask(port, reader, agent)).code, 200);
  }
  const seconds = (systemClock.now() - began) / 1_000;
  agent.destroy();
  t.diagnostic(`${asked() - before} questions in ${seconds.toFixed(1)} s: ${JSON.stringify(codes)}`);
  assert.deepEqual(Object.keys(codes), ["401", "429"]);
  // Ten at once and one a second, from one address; the reader's own two, once a minute. All come from loopback here,
  // from where somebody came who was allowed.
  assert.ok(asked() - before <= 10 + seconds + 1 + 2 * (1 + seconds / 60), `${asked() - before} questions`);
});

test("idle connections to both ports lock out neither probes nor scrapers", async () => {
  const port = await metricsPort();
  const started = operator.records.find(({ msg }) => msg === "operator started");
  const health = Number((started as { http?: number } | undefined)?.http);
  assert.ok(health > 0);
  const idle: Socket[] = [];
  let opened = 0;
  for (const to of [port, health]) {
    for (let at = 0; at < 400; at += 1) {
      const socket = connect(to, "127.0.0.1", () => {
        opened += 1;
      });
      idle.push(socket.on("error", () => undefined).resume());
    }
  }
  await until("all of them", () => opened === 800);
  const probe = await fetch(`http://127.0.0.1:${health}/healthz`, { signal: AbortSignal.timeout(2_000) });
  assert.equal(probe.status, 200);
  assert.equal((await ask(port, reader)).code, 200);
  assert.equal((await fetch(`http://127.0.0.1:${health}/metrics`)).status, 404);
  for (const socket of idle) socket.destroy();
});
