import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { lookup } from "node:dns";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";
import { Password } from "../known/password.ts";
import type { OwnerNotice } from "./body.ts";
import { type Call, type Caller, createCaller } from "./call.ts";
import { AGAIN_MS } from "./notices.ts";
import { Notifier, type ReceiverWanted } from "./notifier.ts";

const KEY = "0123456789abcdef\xff";
const notice = (vip: string, epoch = 1): OwnerNotice => ({
  ...{ vip, epoch, previous: "n2", reason: "Dead" },
  since: new Date("2026-01-01T00:00:00Z"),
});
const wanted = (changes: Partial<ReceiverWanted> = {}): ReceiverWanted => ({
  url: "https://receiver.example/v1?token=x",
  secret: "owners",
  signing: { key: new Password(KEY) },
  sender: { name: "n1", addresses: { IPv4: "192.0.2.11" }, providerId: "aws:///a/i-1" },
  notices: [notice("198.51.100.1", 7)],
  ...changes,
});

/** A notifier whose calls are answered by `answers`, one after the other; the last one stays. */
function start(...answers: (Awaited<ReturnType<Caller>> | "never")[]) {
  const clock = new FakeClock();
  const calls: Call[] = [];
  const outcomes: string[] = [];
  const told: string[] = [];
  const notifier = new Notifier({
    clock,
    random: fixedRandom(0),
    log: silentLogger,
    call: async (call) => {
      calls.push(call);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === undefined || answer === "never") return await new Promise(() => undefined);
      return answer;
    },
    onTell: (notices) => void told.push(...notices.map(({ vip, epoch }) => `${vip} ${epoch}`)),
    onCall: (outcome) => void outcomes.push(outcome),
    onChange: () => undefined,
  });
  return { clock, calls, outcomes, told, notifier };
}

test("a call names the node, what it owns and since when, and is signed", async () => {
  const { clock, calls, told, notifier } = start({ status: 200 });
  notifier.set(wanted());
  assert.equal(calls.length, 0, "the pass does not wait for it");
  await clock.advance(0);
  assert.deepEqual(told, ["198.51.100.1 7"]);
  const [call] = calls;
  assert.ok(call !== undefined);
  assert.deepEqual(JSON.parse(call.body), {
    version: 1,
    node: { name: "n1", addresses: { IPv4: "192.0.2.11" }, providerID: "aws:///a/i-1" },
    changes: [
      {
        ...{ address: "198.51.100.1", epoch: 7, previousNode: "n2", reason: "Dead" },
        since: "2026-01-01T00:00:00.000Z",
      },
    ],
  });
  const digest = createHmac("sha256", Buffer.from(KEY, "latin1"))
    .update(`${Date.parse("2026-01-01T00:00:00Z") / 1_000}.${call.body}`)
    .digest("hex");
  assert.equal(call.headers["Genkan-Signature"], `sha256=${digest}`);
  assert.deepEqual(notifier.standing, { reason: "Told", message: "" });
  assert.equal(notifier.waiting, 0);
});

test("the same is not told again before some minutes, a higher epoch at once", async () => {
  const { clock, calls, notifier } = start({ status: 204 });
  notifier.set(wanted());
  await clock.advance(1_000);
  notifier.set(wanted());
  await clock.advance(1_000);
  assert.equal(calls.length, 1);
  notifier.set(wanted({ notices: [notice("198.51.100.1", 9)] }));
  await clock.advance(1);
  assert.equal(calls.length, 2);
  await clock.advance(AGAIN_MS + 1);
  assert.equal(calls.length, 3);
});

test("a receiver that fails is named in the state, without its query, until all is taken", async () => {
  const { clock, outcomes, notifier } = start(
    { status: 500 },
    { failure: "the connection is refused" },
    { status: 200 },
  );
  notifier.set(wanted());
  await clock.advance(0);
  assert.deepEqual(notifier.standing, {
    reason: "ReceiverRefused",
    message: "https://receiver.example/v1 answers with status 500 instead of success",
  });
  await clock.advance(500);
  assert.deepEqual(notifier.standing, {
    reason: "ReceiverUnreached",
    message: "https://receiver.example/v1 cannot be told of owners: the connection is refused",
  });
  await clock.advance(1_000);
  assert.equal(notifier.standing?.reason, "Told");
  assert.deepEqual(outcomes, ["refused", "unreached", "taken"]);
});

test("a receiver that never answers has one call, which is given up when it is not wanted any more", async () => {
  const { clock, calls, notifier } = start("never");
  notifier.set(wanted());
  await clock.advance(60_000);
  assert.equal(calls.length, 1);
  notifier.set(undefined);
  assert.deepEqual([calls[0]?.signal.aborted, notifier.standing, clock.pending], [true, undefined, 0]);
});

test("what cannot be called as it is configured is not called", async () => {
  const { clock, calls, notifier } = start({ status: 200 });
  for (const [changes, why] of [
    [
      { url: "https://169.254.169.254/" },
      /^spec\.layer2\.ownerChangedURL names 169\.254\.169\.254.*link-local/,
    ],
    [{ url: "http://receiver.example/" }, /is not https/],
    [{ signing: undefined }, /^the Secret owners is missing/],
  ] as const) {
    notifier.set(wanted(changes));
    await clock.advance(1_000);
    assert.equal(notifier.standing?.reason, "ReceiverUnusable");
    assert.match(notifier.standing?.message ?? "", why);
  }
  assert.equal(calls.length, 0);
  notifier.set(wanted());
  await clock.advance(1);
  assert.deepEqual([calls.length, notifier.standing?.reason], [1, "Told"]);
});

const to = (...addresses: readonly string[]): typeof lookup =>
  // Only the form that is used.
  ((_host: string, _options: object, done: (error: unknown, found: unknown) => void) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    )) as never;

/** A receiver on loopback, which only this test may call. */
async function receiver(status: number) {
  const names = ["receiver.example"];
  const pair = selfSigned({ commonName: "r", dnsNames: names, now: new Date(), random: systemRandom });
  const bodies: string[] = [];
  const server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      bodies.push(`${request.method} ${request.url} ${body}`);
      response.writeHead(status, { Location: "https://receiver.example/elsewhere" });
      // It never comes to an end.
      response.write("x");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ bodies, ca: pair.cert, url: `https://receiver.example:${port}/v1`, port },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const base = { body: "{}", headers: {}, signal: new AbortController().signal };

test("over TLS: the status counts, no redirection is followed, and the end of the answer is not waited for", async () => {
  for (const status of [200, 302, 503]) {
    await using there = await receiver(status);
    const call = createCaller(systemClock, { lookup: to("127.0.0.1"), whyNot: () => undefined });
    assert.deepEqual(await call({ ...base, url: there.url, ca: there.ca }), { status });
    assert.deepEqual(there.bodies, ["POST /v1 {}"]);
  }
});

test("a certificate of nobody that is trusted, or for another name, is no receiver's", async () => {
  await using there = await receiver(200);
  const call = createCaller(systemClock, { lookup: to("127.0.0.1"), whyNot: () => undefined });
  assert.deepEqual(await call({ ...base, url: there.url, ca: undefined }), {
    failure: "its certificate is of an authority that is not trusted",
  });
  const other = there.url.replace("receiver.example", "other.example");
  assert.deepEqual(await call({ ...base, url: other, ca: there.ca }), {
    failure: "its certificate is for another name",
  });
  assert.deepEqual(await call({ ...base, url: there.url, ca: "no certificate" }), {
    failure: "its certificate is of an authority that is not trusted",
  });
  assert.deepEqual(there.bodies, []);
});

test("a name that leads to an address that is never called is not connected to", async () => {
  await using there = await receiver(200);
  const call = createCaller(systemClock, { lookup: to("169.254.169.254", "127.0.0.1") });
  assert.deepEqual(await call({ ...base, url: there.url, ca: there.ca }), {
    failure: "its address 169.254.169.254 is in 169.254.0.0/16 (link-local)",
  });
  assert.deepEqual(there.bodies, []);
});

test("a call that is given up, or takes too long, ends", async () => {
  const clock = new FakeClock();
  const hangs = (() => undefined) as unknown as typeof lookup;
  const call = createCaller(clock, { lookup: hangs });
  const late = call({ ...base, url: "https://receiver.example/", ca: undefined });
  await clock.advance(15_000);
  assert.deepEqual(await late, { failure: "no answer within 15000 ms" });
  const end = new AbortController();
  const given = call({ ...base, url: "https://receiver.example/", ca: undefined, signal: end.signal });
  end.abort();
  assert.match(JSON.stringify(await given), /ABORT/);
  await until("no timer", () => clock.pending === 0);
});
