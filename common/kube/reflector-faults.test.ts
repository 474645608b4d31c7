/** Servers that answer, and badly: the reflector pauses, says so, loses nothing, and is back when they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeClient } from "#common/kube/client.ts";
import { MAX_OBJECT_BYTES } from "#common/kube/error.ts";
import { Reflector, type ReflectorOptions } from "#common/kube/reflector.ts";
import { type ConfigMap, configMaps } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { type Fields, type Logger, silentLogger } from "#common/log.ts";
import { FakeApiServer, type Fault, type SeenRequest } from "#test/fakes/api-server.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

type Options = Partial<ReflectorOptions<ConfigMap, string>>;

class World implements AsyncDisposable {
  readonly server: FakeApiServer;
  readonly clock = new FakeClock();
  readonly store = new Store<string>();
  readonly warnings: (Fields & { readonly message: string })[] = [];
  readonly reflector: Reflector<ConfigMap, string>;
  #passed = 0;
  readonly #stop = new AbortController();
  readonly #end: Promise<void>;

  private constructor(server: FakeApiServer, options: Options) {
    this.server = server;
    const warn = (message: string, fields: Fields = {}): void =>
      void this.warnings.push({ ...fields, message });
    const log: Logger = { ...silentLogger, warn, child: () => log };
    const client = createKubeClient(server.connection, { clock: this.clock });
    this.reflector = new Reflector<ConfigMap, string>({
      client,
      resource: configMaps,
      store: this.store,
      project: (raw) => raw.data?.value ?? "",
      clock: this.clock,
      random: fixedRandom(0),
      log,
      ...options,
    });
    this.#end = this.reflector.start(this.#stop.signal).finally(() => client.close());
  }

  static async start(prepare: (server: FakeApiServer) => void, options: Options = {}): Promise<World> {
    const server = await FakeApiServer.start();
    prepare(server);
    return new World(server, options);
  }

  /** The waits after the next `count` errors; each is let pass. */
  async waits(count: number): Promise<number[]> {
    const waits: number[] = [];
    for (let at = 0; at < count; at += 1) {
      waits.push(await this.wait());
      const seen = this.server.requests.length;
      await settle();
      assert.equal(this.server.requests.length, seen, "nothing is asked for in the pause");
      this.#passed += 1;
      await this.clock.advance(waits.at(-1) ?? 0);
    }
    return waits;
  }

  /** Milliseconds that it waits after the next error. */
  async wait(): Promise<number> {
    const { reflector, clock } = this;
    await until("the pause", () => reflector.counts().errors === this.#passed + 1 && clock.pending === 1);
    return clock.nextIn ?? -1;
  }

  /** Not the reflector's own promise: a test that fails must not wait for ever. */
  async synced(): Promise<void> {
    await until("the first list", () => this.reflector.hasSynced());
  }

  limits(): (string | null)[] {
    return this.server.requests.filter(({ isWatch }) => !isWatch).map(({ query }) => query.get("limit"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#end;
    await this.server[Symbol.asyncDispose]();
  }
}

const object = (name: string, value = "1", bytes = 0) => ({
  metadata: { name, namespace: "n" },
  data: { value, ballast: "x".repeat(bytes) },
});
const isWatch = (request: SeenRequest): boolean => request.isWatch;
const isList = (request: SeenRequest): boolean => !request.isWatch;
const MIB = 2 ** 20;
const standing = (world: World) => until("the watch to stand", () => world.server.watches === 1);

test("a page that is too large is asked for again with fewer objects, and then with more again", async () => {
  await using world = await World.start((server) => {
    for (let at = 10; at < 30; at += 1) server.put(configMaps, object(`a${at}`, "1", MIB));
    for (let at = 10; at < 60; at += 1) server.put(configMaps, object(`b${at}`));
  });
  await world.synced();
  assert.equal(world.store.size, 70);
  // 7 of the 20 large ones arrived of the first page; 7 MiB leave no room for more until only small ones come.
  assert.deepEqual(world.limits(), ["100", "7", "7", "7", "7", "14", "28"]);
  assert.equal(world.reflector.counts().errors, 0);
  assert.deepEqual(world.warnings, []);
});

test("an object that is larger than a page arrives alone", async () => {
  await using world = await World.start((server) => {
    server.put(configMaps, object("a"));
    server.put(configMaps, object("b", "huge", 12 * MIB));
    server.put(configMaps, object("c"));
  });
  await world.synced();
  assert.deepEqual(
    [...world.store.entries()],
    [
      ["n/a", "1"],
      ["n/b", "huge"],
      ["n/c", "1"],
    ],
  );
  assert.deepEqual(world.limits().slice(0, 2), ["100", "1"]);
});

test("an object that is larger than anything that is read: pauses up to half a minute, and says so once", async () => {
  await using world = await World.start((server) => {
    server.put(configMaps, object("a"));
    server.put(configMaps, object("b", "1", MAX_OBJECT_BYTES));
  });
  const waits = await world.waits(4);
  assert.deepEqual(waits, [100, 200, 400, 800]);
  assert.equal(world.limits().at(-1), "1");
  assert.equal(world.warnings.length, 1);
  assert.match(String(world.warnings[0]?.error), /an object is larger than 16777216 bytes/);
  assert.equal(world.reflector.hasSynced(), false);
  assert.deepEqual(world.store.keys(), ["n/a"], "what came before it is known");
  world.server.put(configMaps, object("b", "small"));
  await world.clock.advance(30_000);
  await world.synced();
  assert.equal(world.store.get("n/b"), "small");
});

test("a page that takes too long is asked for with fewer objects after the pause", async () => {
  await using world = await World.start((server) => server.inject({ type: "silence" }, isList));
  await until("the request", () => world.server.requests.length === 1);
  await world.clock.advance(30_000);
  await world.waits(1);
  await world.synced();
  assert.deepEqual(world.limits(), ["100", "50"]);
});

test("a change whose object is larger than a page arrives", async () => {
  await using world = await World.start(() => undefined);
  await standing(world);
  world.server.put(configMaps, object("a", "huge", 12 * MIB));
  await until("the object", () => world.store.get("n/a") === "huge");
  assert.equal(world.reflector.counts().errors, 0);
});

test("a change that is larger than anything that is read is not lost: it is listed again", async () => {
  await using world = await World.start((server) => server.put(configMaps, object("a", "old")));
  await standing(world);
  world.server.put(configMaps, object("a", "huge", MAX_OBJECT_BYTES + 2_000));
  assert.equal(await world.wait(), 100);
  assert.equal(world.store.get("n/a"), "old", "what was known stays");
  world.server.put(configMaps, object("a", "new"));
  await world.clock.advance(100);
  await until("the object", () => world.store.get("n/a") === "new");
  assert.equal(world.reflector.counts().lists, 2);
  assert.deepEqual(world.reflector.counts().causes, { TOO_LARGE: 1 });
});

const records: readonly [what: string, line: string, cause: string][] = [
  ["no JSON", "nonsense\n", "NOT_JSON"],
  ["an array", "[]\n", "MALFORMED"],
  ["no object", '{"type":"ADDED"}\n', "MALFORMED"],
  ["an object without metadata", '{"type":"MODIFIED","object":{}}\n', "MALFORMED"],
  ["an object without a version", '{"type":"DELETED","object":{"metadata":{"name":"a"}}}\n', "MALFORMED"],
  ["a bookmark without a version", '{"type":"BOOKMARK","object":{"metadata":{}}}\n', "MALFORMED"],
  ["a type of its own", `{"type":"${"x".repeat(100_000)}","object":{}}\n`, "MALFORMED"],
  ["an ERROR without a Status", '{"type":"ERROR","object":null}\n', "HTTP_500"],
  [
    "an ERROR with odd words",
    '{"type":"ERROR","object":{"code":"x","message":{"toString":1}}}\n',
    "HTTP_500",
  ],
];

for (const [what, line, cause] of records) {
  test(`a watch whose record is ${what}: a longer pause each time, told once, and then it goes on`, async () => {
    await using world = await World.start((server) =>
      server.inject({ type: "body", text: line }, isWatch, 6),
    );
    const waits = await world.waits(6);
    assert.deepEqual(waits, [100, 200, 400, 800, 1_600, cause.startsWith("HTTP") ? 2_500 : 3_200]);
    assert.deepEqual(world.reflector.counts().causes, { [cause]: 6 });
    assert.equal(world.warnings.length, 1);
    assert.ok(JSON.stringify(world.warnings).length < 1_500);
    world.server.put(configMaps, object("a"));
    await until("the object", () => world.store.has("n/a"));
  });
}

test("a watch that is closed at once, again and again, and after a bookmark each time: pauses up to the cap", async () => {
  let version = 100;
  const bookmark = (): string => {
    version += 1;
    const object = { metadata: { resourceVersion: String(version) } };
    return `${JSON.stringify({ type: "BOOKMARK", object })}
`;
  };
  await using world = await World.start((server) => {
    server.inject({ type: "body", text: "" }, isWatch, 7);
    server.inject({ type: "body", text: bookmark }, isWatch, 3);
  });
  assert.deepEqual(await world.waits(10), [100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500, 2_500, 2_500]);
  assert.deepEqual(world.reflector.counts().causes, { SHORT_WATCH: 10 });
  assert.equal(world.warnings.length, 1);
  assert.equal(world.reflector.counts().lists, 1);
  await standing(world);
  await world.clock.advance(5_000);
  world.server.endWatches();
  await until(
    "the next watch, at once",
    () => world.reflector.counts().watches === 12 && world.server.watches === 1,
  );
});

test("a watch that fails after it stood for a while is the first failure of a row", async () => {
  await using world = await World.start((server) => server.inject({ type: "reset" }, isWatch, 5));
  await world.waits(5);
  await standing(world);
  await world.clock.advance(5_000);
  world.server.resetConnections();
  assert.equal(await world.wait(), 100);
});

test("a version that is always too old: lists again, with a pause that grows", async () => {
  const gone = '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n';
  await using world = await World.start((server) =>
    server.inject({ type: "body", text: gone }, isWatch, 100),
  );
  const waits = await world.waits(10);
  assert.equal(waits.at(-1), 15_000);
  assert.ok(world.reflector.counts().lists <= 11);
});

for (const [what, retryAfter, waitMs] of [
  ["seconds", "30", 30_100],
  ["a date", "Thu, 01 Jan 2026 00:00:20 GMT", 20_100],
  ["more than we obey", "1000000000", 60_100],
  ["the past", "-5", 100],
  ["nonsense", "soon", 100],
] as const) {
  for (const [call, when] of [
    ["list", isList],
    ["watch", isWatch],
  ] as const) {
    test(`a ${call} that is answered 429 with Retry-After of ${what} waits for ${waitMs} ms`, async () => {
      const fault: Fault = { type: "status", code: 429, reason: "TooManyRequests", retryAfter };
      await using world = await World.start((server) => server.inject(fault, when));
      assert.deepEqual(await world.waits(1), [waitMs]);
      assert.deepEqual(world.reflector.counts().causes, { HTTP_429: 1 });
      await standing(world);
    });
  }
}

test("an ERROR record's own wish to wait is heard", async () => {
  const object = { code: 429, reason: "TooManyRequests", details: { retryAfterSeconds: 3 } };
  const text = `${JSON.stringify({ type: "ERROR", object })}\n`;
  await using world = await World.start((server) => server.inject({ type: "body", text }, isWatch));
  assert.deepEqual(await world.waits(1), [3_100]);
});

let tokens = 0;
const nextToken = (): string => {
  tokens += 1;
  return `t${tokens}`;
};
const page = (items: unknown, metadata: object = { resourceVersion: "1" }): string =>
  JSON.stringify({ kind: "ConfigMapList", apiVersion: "v1", metadata, items });
const one = [{ metadata: { name: "a", namespace: "n", uid: "u", resourceVersion: "1" } }];

const lists: readonly [what: string, text: string | (() => string), cause: string][] = [
  ["a page of a proxy", "<html><body>{</body></html>", "NOT_JSON"],
  ["an endless page of a proxy", `<html>${"x".repeat(100_000)}`, "NOT_JSON"],
  ["nothing", "", "NOT_JSON"],
  ["an array", "[]", "MALFORMED"],
  ["null", "null", "NOT_JSON"],
  ["items that are null", page(null), "MALFORMED"],
  ["items that are missing", page(undefined), "MALFORMED"],
  ["items that are a map", page({ a: {} }), "MALFORMED"],
  ["an item that is null", page([null]), "MALFORMED"],
  ["an object without metadata", page([{}]), "MALFORMED"],
  ["an object whose metadata is null", page([{ metadata: null }]), "MALFORMED"],
  ["an object without a name", page([{ metadata: { resourceVersion: "1" } }]), "MALFORMED"],
  ["an object without a version", page([{ metadata: { name: "a" } }]), "MALFORMED"],
  ["a list without a version", page([], {}), "MALFORMED"],
  ["a list without metadata", '{"items":[]}', "MALFORMED"],
  ["a continue that is no text", page([], { resourceVersion: "1", continue: {} }), "MALFORMED"],
  ["a Status", '{"kind":"Status","metadata":{},"status":"Success"}', "MALFORMED"],
  ["half a list", '{"metadata":{"resourceVersion":"1"},"items":[{"a":', "MALFORMED"],
  ["a continue that is always the same", page(one, { resourceVersion: "1", continue: "t" }), "ENDLESS_LIST"],
  [
    "a continue without an end",
    () => page(one, { resourceVersion: "1", continue: nextToken() }),
    "ENDLESS_LIST",
  ],
  [
    "a continue without an end and without items",
    () => page([], { resourceVersion: "1", continue: nextToken() }),
    "ENDLESS_LIST",
  ],
];

for (const [what, text, cause] of lists) {
  test(`a list whose answer is ${what}: a longer pause each time, told once, nothing removed, then it goes on`, async () => {
    await using world = await World.start((server) => server.put(configMaps, object("known")));
    await standing(world);
    world.server.inject({ type: "body", text }, isList, 1_000);
    world.server.objects.compact();
    world.server.resetConnections();
    // A reset, a 410, and then what the test is about.
    assert.deepEqual(await world.waits(9), [100, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800]);
    assert.equal(await world.wait(), 15_000);
    assert.equal(world.reflector.counts().causes[cause], 8);
    assert.equal(world.warnings.filter((warning) => warning.cause === cause).length, 1);
    assert.ok(JSON.stringify(world.warnings).length < 2_000);
    assert.ok(world.server.requests.length < 200, "no more than a bounded number of pages");
    assert.equal(world.store.get("n/known"), "1", "what was known stays");
    world.server.heal();
    world.server.put(configMaps, object("new"));
    await world.clock.advance(15_000);
    await until("the new object", () => world.store.has("n/new"));
    assert.deepEqual(world.store.keys().sort(), ["n/known", "n/new"]);
  });
}

test("an empty page that promises more is not the end: the API allows it", async () => {
  await using world = await World.start((server) => {
    server.put(configMaps, object("a"));
    const metadata = { resourceVersion: "1", continue: '[2,""]' };
    server.inject({ type: "body", text: page([], metadata) }, isList);
  });
  await world.synced();
  assert.deepEqual(world.store.keys(), ["n/a"]);
});

test("an object that cannot be projected is left out and told once; all others arrive", async () => {
  const project = (raw: ConfigMap): string => {
    if (raw.data?.value === "bad") throw new TypeError("no way to read it");
    return raw.data?.value ?? "";
  };
  await using world = await World.start(
    (server) => {
      server.put(configMaps, object("a", "bad"));
      server.put(configMaps, object("b"));
    },
    { project },
  );
  await standing(world);
  world.server.put(configMaps, object("c", "bad"));
  world.server.put(configMaps, object("a", "good"));
  world.server.put(configMaps, object("d"));
  await until("the last", () => world.store.has("n/d"));
  assert.deepEqual(world.store.keys().sort(), ["n/a", "n/b", "n/d"]);
  const { unreadable, errors, causes } = world.reflector.counts();
  assert.deepEqual({ unreadable, errors, causes }, { unreadable: 2, errors: 0, causes: { PROJECTION: 2 } });
  assert.equal(world.warnings.length, 1);
  assert.equal(world.warnings[0]?.object, "n/a");
});
