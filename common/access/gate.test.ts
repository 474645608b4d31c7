import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerOf, Gate, type Judgement } from "#common/access/gate.ts";
import { ConnectionError, KubeError } from "#common/kube/error.ts";
import { type Fields, type Logger, silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";

const SCRAPER = "192.0.2.10";
const STRANGER = "192.0.2.66";

/** An API server that knows some tokens. */
function world() {
  const clock = new FakeClock();
  const told: (Fields | undefined)[] = [];
  const log: Logger = { ...silentLogger, warn: (_message, fields) => void told.push(fields) };
  const server = {
    known: new Map<string, Judgement>([
      ["prometheus", "allowed"],
      ["pod", "forbidden"],
    ]),
    asked: [] as string[],
    failure: undefined as Error | undefined,
    /** Answers wait for it. */
    hold: undefined as Promise<void> | undefined,
  };
  const gate = new Gate({
    clock,
    log,
    purpose: "read metrics",
    judge: async (token) => {
      server.asked.push(token);
      await server.hold;
      if (server.failure !== undefined) throw server.failure;
      return server.known.get(token) ?? "unknown";
    },
  });
  return { clock, told, server, gate };
}
const away = () => new ConnectionError("NETWORK", "POST", "refused");

test("the API server says who may; its answers are kept: a minute what allows, ten seconds what denies", async () => {
  const { clock, server, gate } = world();
  for (let round = 0; round < 5; round += 1) {
    assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
    assert.equal(await gate.admit("pod", SCRAPER), "forbidden");
    assert.equal(await gate.admit("garbage", SCRAPER), "unknown");
    assert.equal(await gate.admit(undefined, SCRAPER), "missing");
    assert.equal(await gate.admit("", SCRAPER), "missing");
  }
  assert.deepEqual(server.asked, ["prometheus", "pod", "garbage"]);
  server.known.set("pod", "allowed");
  await clock.advance(10_000);
  assert.equal(await gate.admit("pod", SCRAPER), "allowed");
  server.known.set("prometheus", "forbidden");
  await clock.advance(49_999);
  assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
  await clock.advance(1);
  assert.equal(await gate.admit("prometheus", SCRAPER), "forbidden");
  assert.equal(await gate.admit("prometheus", SCRAPER), "forbidden");
});

const FAILURES: readonly [what: string, failure: Error][] = [
  ["is away", away()],
  [
    "lets us not ask",
    new KubeError("POST", { code: 403, status: "Failure", reason: "Forbidden", message: "no" }),
  ],
  ["has too much to do", new KubeError("POST", { code: 429, status: "Failure", reason: "", message: "" })],
];
for (const [what, failure] of FAILURES) {
  test(`while the API server ${what}, who was allowed goes on for a quarter of an hour, and others are refused`, async () => {
    const { clock, server, gate } = world();
    await gate.admit("prometheus", SCRAPER);
    server.failure = failure;
    await clock.advance(60_000);
    assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
    assert.equal(await gate.admit("pod", SCRAPER), "unreachable");
    await clock.advance(839_999);
    assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
    await clock.advance(1);
    assert.equal(await gate.admit("prometheus", SCRAPER), "unreachable");
    server.failure = undefined;
    await clock.advance(1_000);
    assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
    assert.equal(await gate.admit("pod", SCRAPER), "forbidden");
  });
}

test("who was allowed waits for a server that is away once in five seconds", async () => {
  const { clock, server, gate } = world();
  await gate.admit("prometheus", SCRAPER);
  server.failure = away();
  await clock.advance(60_000);
  for (let round = 0; round < 10; round += 1) await gate.admit("prometheus", SCRAPER);
  assert.equal(server.asked.length, 2);
  await clock.advance(5_000);
  server.failure = undefined;
  server.known.delete("prometheus");
  assert.equal(await gate.admit("prometheus", SCRAPER), "unknown", "a right that is gone is gone");
});

test("10,000 tokens that are made up cost few questions, and push nobody out who has a right", async () => {
  const { clock, server, gate } = world();
  await gate.admit("prometheus", SCRAPER);
  const verdicts: Record<string, number> = {};
  for (let at = 0; at < 10_000; at += 1) {
    const verdict = await gate.admit(`garbage-${at}`, STRANGER);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  assert.deepEqual(verdicts, { unknown: 10, busy: 9_990 });
  assert.equal(server.asked.length, 11);
  server.asked.length = 0;
  assert.equal(await gate.admit("prometheus", SCRAPER), "allowed");
  assert.deepEqual(server.asked, []);
  // For hours, from everywhere.
  for (let round = 0; round < 2_000; round += 1) {
    await clock.advance(5_000);
    for (let at = 0; at < 50; at += 1)
      await gate.admit(`garbage-${round}-${at}`, `10.${at}.${round >> 8}.${round & 255}`);
  }
  const { allowed, denied, underWay, addresses } = gate.sizes;
  assert.deepEqual([allowed, underWay], [1, 0]);
  assert.ok(denied <= 512 && addresses <= 512 + 64, JSON.stringify(gate.sizes));
  const seconds = 10_000;
  assert.ok(server.asked.length <= 40 + 5 * seconds, `${server.asked.length} questions`);
});

test("a scraper's next token is asked for however many strangers ask, and another stranger's is not", async () => {
  const { clock, server, gate } = world();
  await gate.admit("prometheus", SCRAPER);
  server.known.set("prometheus, an hour later", "allowed");
  await clock.advance(3_600_000);
  for (let at = 0; at < 1_000; at += 1) await gate.admit(`garbage-${at}`, `10.0.${at >> 8}.${at & 255}`);
  assert.equal(await gate.admit("one more", STRANGER), "busy");
  assert.equal(await gate.admit("prometheus, an hour later", SCRAPER), "allowed");
});

test("many with one token cause one question; few questions wait at once", async () => {
  const { server, gate } = world();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.hold = promise;
  const same = Array.from({ length: 100 }, () => gate.admit("prometheus", SCRAPER));
  const different = Array.from({ length: 100 }, (_, at) => gate.admit(`garbage-${at}`, `10.0.0.${at}`));
  assert.equal(server.asked.length, 16);
  assert.equal(gate.sizes.underWay, 16);
  resolve();
  assert.deepEqual([...new Set(await Promise.all(same))], ["allowed"]);
  assert.deepEqual([...new Set(await Promise.all(different))], ["unknown", "busy"]);
});

test("no log line and nothing that is kept holds a token", async () => {
  const { told, server, gate } = world();
  server.failure = new KubeError("POST", {
    code: 400,
    status: "Failure",
    reason: "",
    message: "bad token S3cret",
  });
  for (let round = 0; round < 3; round += 1) await gate.admit("S3cret", SCRAPER);
  assert.deepEqual(told, [{ cause: "HTTP_400" }]);
});

const HEADERS: readonly [header: string | undefined, token: string | undefined][] = [
  ["Bearer abc.def-_~+/=", "abc.def-_~+/="],
  ["bearer  abc ", "abc"],
  ["Basic YTpi", undefined],
  ["Bearer", undefined],
  ["Bearer a b", undefined],
  ["Bearer a\u00e9", undefined],
  [undefined, undefined],
];
for (const [header, token] of HEADERS) {
  test(`the token of ${JSON.stringify(header)}`, () => assert.equal(bearerOf(header), token));
}
