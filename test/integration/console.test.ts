/** The console that a real controller serves, judged by the real API server: who may see what, and what is shown. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { stringify } from "yaml";
import type {
  NodeAnswer,
  NodesAnswer,
  ServiceAnswer,
  ServicesAnswer,
  StatusAnswer,
} from "#console/answers.ts";
import { CliWorld } from "#test/integration/cli-world.ts";
import { ConsoleProcess } from "#test/integration/console-process.ts";
import { SYSTEM } from "#test/integration/controller-process.ts";

let world: CliWorld;
let shown: ConsoleProcess;
/** Of who may see all, of who may see pools alone, and of who may see nothing. */
let viewer: string;
let poolReader: string;
let nobody: string;

const POOL_READER = [
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "pool-reader", namespace: SYSTEM },
    rules: [{ apiGroups: ["genkan.dev"], resources: ["addresspools"], verbs: ["list"] }],
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name: "pool-reader", namespace: SYSTEM },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "pool-reader" },
    subjects: [{ kind: "ServiceAccount", name: "pool-reader", namespace: SYSTEM }],
  },
];

before(async () => {
  world = await CliWorld.start();
  await world.addNode(1);
  await world.speak(1);
  await world.report(1, {
    addresses: [
      {
        address: "192.0.2.1",
        service: "default/web",
        since: new Date().toISOString(),
        reason: "taken over from n2, whose speaker is silent",
      },
    ],
    ownedCount: 1,
  });
  await world.addPool("web", { addresses: ["192.0.2.1-192.0.2.1"] });
  await world.addService("web");
  await world.addEndpoints("web", { "10.0.0.1": "n1" });
  await world.addService("late");
  shown = await ConsoleProcess.start(world);
  for (const name of ["viewer", "pool-reader", "nobody"])
    await world.kubectl("create", "serviceaccount", name, "-n", SYSTEM);
  await world.kubectl(
    ...["create", "clusterrolebinding", "viewer", "--clusterrole=cluster-admin"],
    `--serviceaccount=${SYSTEM}:viewer`,
  );
  await world.apply(POOL_READER.map((object) => stringify(object)).join("---\n"));
  [viewer = "", poolReader = "", nobody = ""] = await Promise.all(
    ["viewer", "pool-reader", "nobody"].map(async (name) => {
      const { out } = await world.kubectl("create", "token", name, "-n", SYSTEM);
      return out.trim();
    }),
  );
});
after(async () => {
  await shown?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const REFUSED: readonly (readonly [
  what: string,
  token: () => string | undefined,
  path: string,
  code: number,
  error: RegExp,
])[] = [
  ["no token", () => undefined, "/api/status", 401, /bearer token/],
  ["a token that is made up", () => "made-up", "/api/status", 401, /does not know/],
  [
    "a signature that is not right",
    () => `${viewer.slice(0, -6)}AAAAAA`,
    "/api/status",
    401,
    /does not know/,
  ],
  ["who may list nothing", () => nobody, "/api/visitor", 403, /may list nothing/],
  ["who may list pools alone", () => poolReader, "/api/services", 403, /services in all namespaces/],
  ["a client that is none", () => viewer, "/api/service?name=default%2Fweb&from=x", 400, /ADDRESS:PORT/],
  ["a node that is not there", () => viewer, "/api/node?name=n9", 404, /no node n9/],
  [
    "a Service that is not there",
    () => viewer,
    "/api/service?name=default%2Fabsent",
    404,
    /no Service default\/absent/,
  ],
];
for (const [what, token, path, code, error] of REFUSED)
  test(`${what} is refused, and nothing of the cluster is said`, async () => {
    const reply = await shown.ask(path, { token: token() });
    assert.equal(reply.code, code, reply.body);
    assert.match(JSON.parse(reply.body).error, error);
    assert.doesNotMatch(reply.body, /192\.0\.2\.1|default\/web/);
  });

test("who may list pools alone sees pools, and hears what he may not see", async () => {
  const { user, missing } = await shown.json("/api/visitor", poolReader);
  assert.equal(user, `system:serviceaccount:${SYSTEM}:pool-reader`);
  assert.ok((missing as string[]).includes(`leases.coordination.k8s.io in ${SYSTEM}`), String(missing));
  assert.ok(!(missing as string[]).some((right) => right.startsWith("addresspools")));
  const { rows } = await shown.json("/api/pools", poolReader);
  assert.deepEqual(
    (rows as { pool: string }[]).map(({ pool }) => pool),
    ["web"],
  );
});

test("the status, the lists and the explanation are what the command says", async () => {
  const status = (await shown.json("/api/status", viewer)) as unknown as StatusAnswer;
  const told = await world.json(["status"]);
  assert.deepEqual(status.findings.rows, told.findings);
  assert.deepEqual(status.services, told.services);
  const services = (await shown.json("/api/services", viewer)) as unknown as ServicesAnswer;
  assert.deepEqual(
    services.rows.map(({ service, nodes, pods, trouble }) => [service, nodes, pods, trouble?.split(":")[0]]),
    [
      ["default/late", [], { ready: 0, all: 0 }, "PoolExhausted"],
      ["default/web", ["n1"], { ready: 1, all: 1 }, undefined],
    ],
  );
  const explained = (await shown.json("/api/service?name=default%2Fweb", viewer)) as unknown as ServiceAnswer;
  assert.deepEqual(explained.steps, (await world.json(["explain", "web"])).steps);
  assert.deepEqual(explained.way, {
    addresses: [{ address: "192.0.2.1", protocol: "layer2", nodes: ["n1"] }],
    sessions: [],
    traffic: [],
    pods: [{ address: "10.0.0.1", node: "n1", isReady: true }],
    podsLeftOut: 0,
  });
  const nodes = (await shown.json("/api/nodes", viewer)) as unknown as NodesAnswer;
  assert.deepEqual(
    nodes.rows.map(({ node, speaker, owned }) => [node, speaker, owned]),
    [["n1", "live", 1]],
  );
  const one = (await shown.json("/api/node?name=n1&drain=yes", viewer)) as unknown as NodeAnswer;
  assert.deepEqual(
    [one.differing, one.rows, one.drained?.moves],
    [
      0,
      [
        {
          ...{ address: "192.0.2.1", services: ["default/web"], protocol: "layer2" },
          ...{ isPlanned: true, isReported: true, differs: false },
        },
      ],
      [{ address: "192.0.2.1" }],
    ],
  );
  const { rows, minutes } = await shown.json("/api/moves", viewer);
  assert.deepEqual(
    (rows as { address: string; node: string }[]).map(({ address, node }) => [address, node]),
    [["192.0.2.1", "n1"]],
  );
  assert.equal(
    (minutes as number[]).reduce((sum, count) => sum + count),
    1,
  );
});

test("a list is searched and cut, and what is asked for beyond a bound is not given", async () => {
  const rowsOf = async (query: string): Promise<readonly string[]> =>
    ((await shown.json(`/api/services?${query}`, viewer)) as unknown as ServicesAnswer).rows.map(
      ({ service }) => service,
    );
  assert.deepEqual(await rowsOf("search=WEB%20192.0"), ["default/web"]);
  assert.deepEqual(await rowsOf("only=broken"), ["default/late"]);
  assert.deepEqual(await rowsOf("offset=1&limit=1"), ["default/web"]);
  assert.deepEqual(await rowsOf("limit=99999999999999&offset=-1"), ["default/late", "default/web"]);
});

test("only GET, only under a local name, and nothing that the page may not load or a cache may keep", async () => {
  const page = await shown.ask("/");
  assert.equal(page.code, 200);
  assert.match(page.body, /<script src="console\.js" defer>/);
  assert.doesNotMatch(page.body, /<script>|<style|https?:/);
  const policy = page.headers["content-security-policy"] ?? "";
  assert.match(String(policy), /^default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.doesNotMatch(String(policy), /unsafe/);
  for (const path of ["/", "/console.js", "/api/status", "/api/absent"])
    assert.equal((await shown.ask(path)).headers["cache-control"], "no-store", path);
  assert.equal((await shown.ask("/", { host: "evil.example" })).code, 421);
  assert.equal((await shown.ask("/api/status", { token: viewer, method: "POST" })).code, 405);
  assert.equal((await shown.ask("/../console.js.map", { token: viewer })).code, 404);
  assert.equal(page.headers["set-cookie"], undefined);
});

test("the port is on loopback alone, and a controller without the field has none", async () => {
  assert.deepEqual(await shown.listening(), ["127.0.0.1"]);
  assert.ok(!world.hasLogged("the console is served"));
});
