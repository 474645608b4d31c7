import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import type { BGPPeer, Secret } from "#common/kube/resource.ts";
import { createLogger } from "#common/log.ts";
import type { SegmentKey } from "#speaker/native/tcp-key.ts";
import { until } from "#test/until.ts";
import { Listeners } from "../bgp/listeners.ts";
import { planBgp } from "../bgp/plan.ts";
import { AcceptedPeers } from "./accepted-peers.ts";
import { isSamePassword, Password } from "./password.ts";
import { projectPassword } from "./project-bgp.ts";

const TEXT = "S3cret-of-tor";
const metadata = { name: "tor", namespace: "genkan-system", uid: "1", resourceVersion: "1" };
const secret = { metadata, data: { password: Buffer.from(TEXT).toString("base64") } } as unknown as Secret;

/** Every way in which a value becomes words here, and some more. */
function wordsOf(value: unknown): string {
  const all = { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true } as const;
  let error: unknown;
  try {
    assert.deepEqual(value, "something else");
  } catch (caught) {
    error = caught;
  }
  return [
    inspect(value, all),
    `${inspect({ ...(value as object) }, all)}`,
    JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Map ? [...inner] : inner)),
    `${String(value)}`,
    String(error),
    inspect(error, all),
    JSON.stringify(structuredClone(JSON.parse(JSON.stringify(value)))),
  ].join("\n");
}

test("a password shows in no words, its text is for who asks for it", () => {
  const password = new Password(TEXT);
  assert.equal(password.reveal(), TEXT);
  assert.equal(`${password}`, "***");
  assert.equal(JSON.stringify({ password }), '{"password":"***"}');
  assert.equal(inspect({ password }), "{ password: *** }");
  assert.doesNotMatch(wordsOf(password), /S3cret/);
  assert.doesNotMatch(wordsOf({ ...password }), /S3cret/);
});

test("another text is another password, wherever values are compared", () => {
  const [one, same, other] = [new Password(TEXT), new Password(TEXT), new Password("another")];
  assert.ok(isDeepStrictEqual({ one }, { one: same }) && isSamePassword(one, same));
  assert.ok(!isDeepStrictEqual({ one }, { one: other }) && !isSamePassword(one, other));
  assert.ok(!isSamePassword(one, undefined) && isSamePassword(undefined, undefined));
});

/** A peer with a password of its own and one with a Secret, as they come from the API server. */
function speakerState() {
  const peers = new AcceptedPeers("genkan-system");
  const spec = { localASN: 64_512, peerASN: 64_513, peerAddress: "192.0.2.1" };
  peers.store.set("genkan-system/own", {
    metadata: { ...metadata, name: "own" },
    spec: { ...spec, password: TEXT },
  } as unknown as BGPPeer);
  const other = { ...spec, peerAddress: "192.0.2.2", passwordSecret: { name: "tor" } };
  peers.store.set("genkan-system/other", {
    metadata: { ...metadata, name: "other" },
    spec: other,
  } as unknown as BGPPeer);
  const password = projectPassword(secret);
  const plan = planBgp({
    node: { name: "n1", labels: {}, addresses: { IPv4: "192.0.2.10" } } as never,
    addresses: [],
    labelsOf: () => undefined,
    pools: new Map() as never,
    peers: peers.list(),
    profiles: new Map(),
    password: () => password,
  });
  return { peers, list: peers.list(), password, plan };
}

test("nothing that a speaker holds, describes or logs shows a password", async () => {
  const state = speakerState();
  assert.deepEqual(
    [...state.plan.sessions.values()].map(({ settings }) => settings.password?.reveal()).sort(),
    [TEXT, TEXT],
    "and both sessions have theirs",
  );
  assert.doesNotMatch(wordsOf(state), /S3cret/);
  for (const session of state.plan.sessions.values()) assert.doesNotMatch(wordsOf(session), /S3cret/);
  const written: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  for (const format of ["json", "text"] as const) {
    const log = createLogger({ level: "info", format, stream });
    log.info("state", { ...state, error: new Error("x", { cause: state }) });
  }
  await until("both lines", () => written.length === 2);
  assert.doesNotMatch(written.join("\n"), /S3cret/);
});

test("a key that the kernel refuses is told without the password", () => {
  const told: unknown[] = [];
  const tell = (...words: unknown[]): void => void told.push(words);
  const log = { debug: tell, info: tell, warn: tell, error: tell, child: () => log };
  const listeners = new Listeners({
    port: 179,
    log,
    onConnection() {},
    transport: {
      listen: () => ({
        port: 179,
        close() {},
        sign(_peer: unknown, key: SegmentKey | undefined) {
          throw new Error(`setsockopt with ${key?.password}`);
        },
      }),
    } as never,
  } as never);
  const [{ settings } = assert.fail("no session")] = speakerState().plan.sessions.values();
  listeners.expect([{ settings, address: "192.0.2.1" }]);
  assert.equal(told.length, 1);
  assert.doesNotMatch(wordsOf({ told, listeners }), /S3cret/);
});
