import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { stringify } from "yaml";
import { openCluster } from "#cli/cluster.ts";
import { readCluster } from "#cli/migrate/live.ts";
import { ConfigurationError, KubeError } from "#common/kube/error.ts";
import type { Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";

const POOLS = { group: "metallb.io", version: "v1beta1", plural: "ipaddresspools" };
const resource: Resource<KubeObject> = { ...POOLS, kind: "IPAddressPool", namespaced: true };

let folder: string;
let server: FakeApiServer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "genkan-cluster-"));
  server = await FakeApiServer.start();
  for (const name of ["a", "b"]) server.put(resource, { metadata: { name, namespace: "metallb-system" } });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === "string" ? content : stringify(content));
  return path;
}

const clusters = (more: object = {}) => [
  { name: "c", cluster: { server: server.connection.server.href, ...more } },
];
const contexts = [{ name: "lab", context: { cluster: "c", user: "u" } }];
const config = (user: object, more: object = {}) => ({
  "current-context": "lab",
  clusters: clusters(more),
  contexts,
  users: [{ name: "u", user }],
});
const lastAuthorization = (): string | undefined => server.requests.at(-1)?.headers.authorization;

test("a plugin says the token, and gets the environment that the kubeconfig gives it", async () => {
  const plugin = await file(
    "plugin.mjs",
    `console.log(JSON.stringify({ kind: "ExecCredential", apiVersion: "client.authentication.k8s.io/v1",
      status: { token: process.env.TOKEN + process.argv[2] } }));`,
  );
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: process.execPath,
    args: [plugin, "-end"],
    env: [{ name: "TOKEN", value: "of-a-plugin" }],
  };
  const cluster = openCluster(await file("exec", config({ exec })));
  const objects = await cluster.list(POOLS);
  assert.deepEqual(
    objects?.map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
  assert.equal(lastAuthorization(), "Bearer of-a-plugin-end");
});

test("a plugin that fails is an error with its words", async () => {
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: process.execPath,
    args: ["-e", 'console.error("no ticket"); process.exit(3)'],
  };
  const cluster = openCluster(await file("failing", config({ exec })));
  await assert.rejects(cluster.list(POOLS), (error: Error) => /no ticket/.test(String(error.cause)));
});

test("several files are joined as kubectl joins them: the first entry of a name counts", async () => {
  const paths = [
    join(folder, "is-not-there"),
    await file("users", { "current-context": "lab", users: [{ name: "u", user: { token: "first" } }] }),
    await file("clusters", {
      "current-context": "other",
      clusters: clusters(),
      contexts,
      users: [{ name: "u", user: { token: "second" } }],
    }),
  ];
  const cluster = openCluster(paths.join(":"));
  assert.equal(cluster.host, server.connection.server.host);
  assert.equal((await cluster.list(POOLS))?.length, 2);
  assert.equal(lastAuthorization(), "Bearer first");
});

test("proxy-url: the API server is reached through the proxy", async (t) => {
  const asked: string[] = [];
  const proxy = createServer((incoming, response) => {
    asked.push(new URL(incoming.url ?? "").host);
    request(incoming.url ?? "", { headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  });
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  const more = { "proxy-url": `http://127.0.0.1:${port}` };
  const cluster = openCluster(await file("proxied", config({ token: "t" }, more)));
  assert.equal((await cluster.list(POOLS))?.length, 2);
  assert.deepEqual(asked, [server.connection.server.host]);
});

test("a kind that the cluster does not have is none; a refusal is a KubeError with the server's words", async () => {
  const cluster = openCluster(await file("plain", config({ token: "t" })));
  server.inject({ type: "status", code: 404 }, undefined, 1);
  assert.equal(await cluster.list(POOLS), undefined);
  server.inject({ type: "status", code: 403, reason: "Forbidden" }, undefined, 1);
  await assert.rejects(
    cluster.list(POOLS),
    (error) => error instanceof KubeError && error.code === 403 && error.reason === "Forbidden",
  );
  const { found } = await readCluster(cluster);
  assert.deepEqual(
    found.filter(({ object }) => object.kind === "IPAddressPool").map(({ object }) => object.apiVersion),
    ["metallb.io/v1beta1", "metallb.io/v1beta1"],
  );
});

const REFUSED: readonly (readonly [what: string, content: () => unknown, says: RegExp])[] = [
  ["no context", () => ({ ...config({}), "current-context": "x" }), /current-context "x" names no cluster/],
  [
    "a server that is no URL",
    () => ({ ...config({}), clusters: [{ name: "c", cluster: { server: "10.0.0.1" } }] }),
    /server "10.0.0.1" of cluster "c" is no URL/,
  ],
  ["no YAML", () => "a: [", /is no kubeconfig/],
];
for (const [what, content, says] of REFUSED) {
  test(`a kubeconfig with ${what} is refused`, async () => {
    const path = await file("refused", content());
    assert.throws(
      () => openCluster(path),
      (error) => error instanceof ConfigurationError && says.test(error.message),
    );
  });
}

test("no file at all is refused by its name", () => {
  assert.throws(() => openCluster(join(folder, "nothing")), /nothing: there is no such file/);
});
