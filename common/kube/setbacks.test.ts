import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, KubeError } from "#common/kube/error.ts";
import { ReflectorError, Setbacks } from "#common/kube/setbacks.ts";
import { type Fields, type Logger, silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";

function world(number = 0) {
  const clock = new FakeClock();
  const told: (Fields | undefined)[] = [];
  const log: Logger = { ...silentLogger, warn: (_message, fields) => void told.push(fields) };
  const backoffMs = { baseMs: 200, capMs: 5_000 };
  return { clock, told, setbacks: new Setbacks({ clock, random: fixedRandom(number), log, backoffMs }) };
}

const refusal = (code: number, retryAfterSeconds?: number): KubeError =>
  new KubeError("list", {
    code,
    status: "Failure",
    reason: "R",
    message: "m".repeat(5_000),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });

const cases: readonly [what: string, error: unknown, tenthMs: number][] = [
  ["a server that is away: soon again", new ConnectionError("NETWORK", "list", "refused"), 2_500],
  ["a server that refuses: soon again", refusal(403), 2_500],
  ["an answer that is no use: half a minute", new ConnectionError("MALFORMED", "list", "no list"), 15_000],
  ["an object that is too large: half a minute", new ConnectionError("TOO_LARGE", "list", "large"), 15_000],
  ["a version that is always too old: half a minute", refusal(410), 15_000],
  ["a list without an end: half a minute", new ReflectorError("ENDLESS_LIST", "circle"), 15_000],
  ["a watch that always ends: soon again", new ReflectorError("SHORT_WATCH", "short"), 2_500],
  ["Retry-After is added", refusal(429, 7), 9_500],
  ["Retry-After has a bound", refusal(503, 86_400), 62_500],
];

for (const [what, error, tenthMs] of cases) {
  test(`the tenth wait in a row: ${what}`, () => {
    const { setbacks } = world();
    for (let failures = 1; failures < 10; failures += 1) setbacks.note(error);
    assert.equal(setbacks.note(error), tenthMs);
    setbacks.reset();
    const retryMs = tenthMs > 20_000 ? 60_000 : tenthMs === 9_500 ? 7_000 : 0;
    assert.equal(setbacks.note(error), 100 + retryMs, "after something good it begins again");
  });
}

test("a server that was away and is back says that our version is too old: that is no reason to wait longer", () => {
  const { setbacks } = world();
  for (let failures = 1; failures < 10; failures += 1)
    setbacks.note(new ConnectionError("NETWORK", "watch", "refused"));
  assert.equal(setbacks.note(refusal(410)), 100);
});

test("each cause is told once in five minutes, with how often it came; all are counted", async () => {
  const { clock, told, setbacks } = world();
  for (let round = 0; round < 1_000; round += 1) {
    setbacks.note(refusal(503));
    setbacks.note(new ConnectionError("NETWORK", "watch", "reset"));
    setbacks.log("PROJECTION", "an object", {});
    setbacks.note(new TypeError("ours"));
  }
  const causes = ["HTTP_503", "NETWORK", "PROJECTION", "OTHER"];
  assert.deepEqual(
    told.map((fields) => fields?.cause),
    causes,
  );
  assert.deepEqual(setbacks.causes(), Object.fromEntries(causes.map((cause) => [cause, 1_000])));
  await clock.advance(300_000);
  setbacks.note(refusal(503));
  assert.equal(told.length, 5);
  assert.equal(told.at(-1)?.unsaid, 999);
  assert.ok(JSON.stringify(told).length < 8_000, "the server's words are cut");
});

test("however many codes a server makes up, causes are few words", () => {
  const { setbacks } = world();
  for (let code = 400; code < 1_000; code += 1) setbacks.note(refusal(code));
  const causes = Object.keys(setbacks.causes());
  assert.ok(causes.length < 30, causes.join());
  assert.equal(setbacks.causes().HTTP_503, 1);
  assert.equal(setbacks.causes().HTTP_9XX, 100);
});

test("each failure is told with its cause, for metrics", () => {
  const causes: string[] = [];
  const setbacks = new Setbacks({
    clock: new FakeClock(),
    random: fixedRandom(0),
    log: silentLogger,
    backoffMs: { baseMs: 200, capMs: 5_000 },
    onCause: (cause) => void causes.push(cause),
  });
  setbacks.note(refusal(503));
  setbacks.note(refusal(503));
  setbacks.note(new ConnectionError("TIMEOUT", "list", "late"));
  setbacks.log("PROJECTION", "an object is left out", {});
  assert.deepEqual(causes, ["HTTP_503", "HTTP_503", "TIMEOUT", "PROJECTION"]);
});
