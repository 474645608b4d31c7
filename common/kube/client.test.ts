import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallOptions, createKubeClient } from "#common/kube/client.ts";
import { ConnectionError, type ConnectionErrorCode, isGone, KubeError } from "#common/kube/error.ts";
import { configMaps, nodes } from "#common/kube/resource.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import { FakeApiServer, type Fault } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";

const metadata = { name: "a", namespace: "default" };

const isConnectionError = (code: ConnectionErrorCode) => (error: unknown) =>
  error instanceof ConnectionError && error.code === code;

const faults: readonly [what: string, fault: Fault, check: (error: unknown) => boolean][] = [
  ["a reset", { type: "reset" }, isConnectionError("NETWORK")],
  ["a 500", { type: "status", code: 500 }, (error) => error instanceof KubeError && error.code === 500],
  ["a page of a proxy", { type: "body", text: "<html>" }, isConnectionError("NOT_JSON")],
  ["an answer that is no list", { type: "body", text: "{}" }, isConnectionError("MALFORMED")],
  ["half an answer", { type: "half", text: '{"items":[' }, isConnectionError("CLOSED_EARLY")],
];

for (const [what, fault, check] of faults) {
  test(`${what} is a typed error, and the next call works`, async () => {
    await using server = await FakeApiServer.start();
    const client = createKubeClient(server.connection);
    server.inject(fault);
    await assert.rejects(client.list(configMaps), check);
    assert.deepEqual((await client.list(configMaps)).items, []);
    client.close();
  });
}

test("items of a list say what they are, as objects of a watch do: the API server leaves it out", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  const item = { metadata: { name: "a", namespace: "b", uid: "u", resourceVersion: "1" } };
  server.inject({
    type: "body",
    text: JSON.stringify({ metadata: { resourceVersion: "7" }, items: [item] }),
  });
  assert.deepEqual((await client.list(configMaps)).items, [{ ...item, apiVersion: "v1", kind: "ConfigMap" }]);
  client.close();
});

test("a page that is too large comes with fewer objects, and a token for the rest", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  const names = ["a", "b", "c", "d", "e"];
  for (const name of names) {
    server.put(configMaps, {
      metadata: { name, namespace: "n" },
      data: { ballast: "x".repeat(3 * 2 ** 20) },
    });
  }
  const found: string[] = [];
  const limits: (number | undefined)[] = [];
  for (let continueToken: string | undefined, isMore = true; isMore; isMore = continueToken !== undefined) {
    const page = await client.list(configMaps, { limit: 100, ...(continueToken && { continueToken }) });
    found.push(...page.items.map(({ metadata: { name } }) => name));
    limits.push(page.limit);
    continueToken = page.continueToken;
  }
  assert.deepEqual(found, names);
  assert.deepEqual(limits, [2, 2, 100]);
  client.close();
});

test("items can be taken one by one: the page itself is empty then", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  server.put(configMaps, { metadata });
  const taken: (string | undefined)[] = [];
  const page = await client.list(configMaps, {
    take: ({ kind, metadata: { name } }) => taken.push(kind, name),
  });
  assert.deepEqual(taken, ["ConfigMap", "a"]);
  assert.deepEqual(page.items, []);
  assert.ok((page.bytes ?? 0) > 100);
  client.close();
});

test("what is no object is no answer to a read or a write", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  for (const text of ["null", "[]", "1", "{}", '{"metadata":null}', '{"metadata":[]}']) {
    server.inject({ type: "body", text }, undefined, 2);
    await assert.rejects(client.get(configMaps, "a", "default"), isConnectionError("MALFORMED"), text);
    await assert.rejects(client.create(configMaps, { metadata }), isConnectionError("MALFORMED"), text);
  }
  server.inject({ type: "body", text: '{"metadata":{"name":"a"}}' });
  await assert.rejects(client.get(configMaps, "a", "default"), isConnectionError("MALFORMED"));
  client.close();
});

test("an error keeps its code whatever its body is, and its words are cut", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  server.inject({ type: "status", code: 429, reason: "x".repeat(600_000), retryAfter: "7" });
  await assert.rejects(client.list(configMaps), (error) => {
    assert.ok(error instanceof KubeError && error.code === 429);
    assert.equal(error.retryAfterSeconds, 7);
    return error.message.length < 5_000;
  });
  server.inject({ type: "status", code: 403, reason: "x".repeat(100_000) });
  await assert.rejects(
    client.list(configMaps),
    (error) => error instanceof KubeError && error.reason.length < 3_000,
  );
  client.close();
});

test("a GET is sent once more when the server had closed the kept connection, a write is not", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  await client.list(configMaps);
  server.inject({ type: "reset" });
  await client.list(configMaps);
  assert.equal(server.requests.length, 3, "the list was repeated");
  server.inject({ type: "reset" });
  await assert.rejects(client.create(configMaps, { metadata }), isConnectionError("NETWORK"));
  assert.equal(server.requests.length, 4, "the create was not: it may have been done");
  client.close();
});

test("a server that is silent costs the timeout and no more", async () => {
  await using server = await FakeApiServer.start();
  const clock = new FakeClock();
  const client = createKubeClient(server.connection, { clock });
  server.inject({ type: "silence" });
  const reading = assert.rejects(
    client.get(configMaps, "a", "default", { timeoutMs: 500 }),
    isConnectionError("TIMEOUT"),
  );
  await until("the request to arrive", () => server.requests.length === 1);
  await clock.advance(500);
  await reading;
  assert.equal(clock.pending, 0);
  client.close();
});

test("an aborted call ends at once, also when it was aborted before", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  const stop = new AbortController();
  const options: CallOptions = { signal: stop.signal };
  server.inject({ type: "silence" });
  const reading = assert.rejects(client.get(nodes, "a", undefined, options), isConnectionError("ABORTED"));
  await until("the request to arrive", () => server.requests.length === 1);
  stop.abort();
  await reading;
  await assert.rejects(client.get(nodes, "a", undefined, options), isConnectionError("ABORTED"));
  client.close();
});

test("the token is read anew: a rotated one is used, and at once after a 401", async () => {
  await using server = await FakeApiServer.start();
  const clock = new FakeClock();
  let token = "first";
  const client = createKubeClient({ ...server.connection, credentials: () => ({ token }) }, { clock });
  const seen = () => server.requests.at(-1)?.headers.authorization;
  await client.list(nodes);
  token = "second";
  await client.list(nodes);
  assert.equal(seen(), "Bearer first", "not read for every request");
  await clock.advance(1_000);
  await client.list(nodes);
  assert.equal(seen(), "Bearer second");
  token = "third";
  server.inject({ type: "status", code: 401 });
  await assert.rejects(client.list(nodes), (error) => error instanceof KubeError && error.code === 401);
  await client.list(nodes);
  assert.equal(seen(), "Bearer third");
  client.close();
});

test("paths, queries and bodies are what the API server expects", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection, { userAgent: "genkan-test/1" });
  await client.apply(
    configMaps,
    { metadata, data: { k: "v" } },
    { fieldManager: "me", force: true, dryRun: true },
  );
  const request = server.requests[0];
  assert.equal(request?.method, "PATCH");
  assert.equal(request?.path, "/api/v1/namespaces/default/configmaps/a");
  assert.equal(request?.query.toString(), "fieldManager=me&dryRun=All&force=true");
  assert.equal(request?.headers["content-type"], "application/apply-patch+yaml");
  assert.equal(request?.headers["user-agent"], "genkan-test/1");
  assert.deepEqual(request?.body, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { k: "v" } });
  await client.get(nodes, "a/../b");
  assert.equal(server.requests.at(-1)?.path, "/api/v1/nodes/a%2F..%2Fb", "a name cannot leave its path");
  client.close();
});

/** The events of a watch until it ends, and the error that ended it. */
async function watched(server: FakeApiServer, act: (server: FakeApiServer) => void) {
  const client = createKubeClient(server.connection);
  const events: WatchEvent<unknown>[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for await (const event of client.watch(
      configMaps,
      { resourceVersion: String(server.objects.version) },
      stop.signal,
    )) {
      events.push(event);
    }
    return undefined;
  })().catch((error: unknown) => error);
  await until("the watch to stand", () => server.watches === 1);
  act(server);
  const error = await reading;
  client.close();
  return { events, error };
}

test("a watch brings events and bookmarks, and ends when the server ends it", async () => {
  await using server = await FakeApiServer.start();
  const { events, error } = await watched(server, () => {
    server.put(configMaps, { metadata });
    server.bookmark();
    server.endWatches();
  });
  assert.equal(error, undefined);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "BOOKMARK"],
  );
});

const endings: readonly [
  what: string,
  act: (server: FakeApiServer) => void,
  check: (error: unknown) => boolean,
][] = [
  ["a reset", (server) => server.resetConnections(), isConnectionError("CLOSED_EARLY")],
  [
    "half a record",
    (server) => {
      server.writeToWatches('{"type":"ADD');
      server.endWatches();
    },
    isConnectionError("CLOSED_EARLY"),
  ],
  [
    "a record that is not JSON",
    (server) => server.writeToWatches("nonsense\n"),
    isConnectionError("NOT_JSON"),
  ],
  [
    "a record without an object",
    (server) => server.writeToWatches('{"type":"ADDED"}\n'),
    isConnectionError("MALFORMED"),
  ],
  ["null", (server) => server.writeToWatches("null\n"), isConnectionError("MALFORMED")],
  [
    "an ERROR record",
    (server) => server.writeToWatches('{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n'),
    isGone,
  ],
];

for (const [what, act, check] of endings) {
  test(`a watch ends with a typed error at ${what}`, async () => {
    await using server = await FakeApiServer.start();
    const { error } = await watched(server, act);
    assert.ok(check(error), String(error));
  });
}

test("an aborted watch ends without an error and leaves no listener behind", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  const stop = new AbortController();
  let added = 0;
  const { addEventListener, removeEventListener } = stop.signal;
  stop.signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>) => {
    added += 1;
    addEventListener.apply(stop.signal, args);
  };
  stop.signal.removeEventListener = (...args: Parameters<AbortSignal["removeEventListener"]>) => {
    added -= 1;
    removeEventListener.apply(stop.signal, args);
  };
  const run = async () => {
    for await (const _ of client.watch(configMaps, {}, stop.signal)) assert.fail("nothing happened");
  };
  const first = run();
  await until("the watch to stand", () => server.watches === 1);
  server.endWatches();
  await first;
  assert.equal(added, 0, "a watch that ended holds on to nothing");
  const second = run();
  await until("the second watch to stand", () => server.watches === 1);
  stop.abort();
  await second;
  client.close();
});
