/** Who may connect to this node: by address however it is written, signed as agreed, from as near as agreed. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { freePorts } from "#hack/common/ports.ts";
import { type ConnectOptions, connectTcp } from "#speaker/native/tcp.ts";
import { Ear, KEEPALIVE, open, plainTransport, SETTINGS, socketPair } from "#test/fakes/bgp-peer.ts";
import { until } from "#test/until.ts";
import { Password } from "../known/password.ts";
import { type Bgp, createBgp } from "./bgp.ts";
import { type Expected, Listeners } from "./listeners.ts";
import type { PeerSettings } from "./types.ts";

const WAIT_MS = 10_000;
/** Of a connection that cannot come: two retransmitted SYNs would fit in. */
const NEVER_MS = 1_500;

/** A speaker with the kernel's own sockets, whose peers have to connect: nobody is where it calls. */
async function speaker(
  t: TestContext,
  ...peers: Partial<PeerSettings>[]
): Promise<{ bgp: Bgp; port: number }> {
  const [port = 0, nowhere = 0] = await freePorts(2);
  const bgp = createBgp({ clock: systemClock, listenPort: port });
  t.after(() => bgp.stop({ mode: "restart" }));
  const wanted = peers.map((more, at) => {
    const name = `peer${at}`;
    return [name, { settings: { ...SETTINGS, name, port: nowhere, ...more }, advertisements: [] }] as const;
  });
  bgp.reconcile(new Map(wanted));
  return { bgp, port };
}

const LOOPBACK = { IPv4: "127.0.0.1", IPv6: "::1" } as const;

async function dial(t: TestContext, port: number, more: Partial<ConnectOptions> = {}) {
  const family = more.family ?? "IPv4";
  const socket = await connectTcp({
    family,
    address: LOOPBACK[family],
    port,
    timeoutMs: WAIT_MS,
    ...more,
  });
  t.after(() => socket.destroy());
  return { socket, ear: new Ear(socket) };
}

const isUp =
  (bgp: Bgp, name = "peer0") =>
  (): boolean =>
    bgp.sessions().find(({ peer }) => peer === name)?.state === "Established";
const GREETING = Buffer.concat([open(), KEEPALIVE]);

/** Most of what a test here does is to wait for what must not come. */
const AT_ONCE = { concurrency: true };

describe("a peer's password is for its address, however that is written", AT_ONCE, () => {
  for (const [family, address] of [
    ["IPv4", "127.0.0.1"],
    ["IPv4", "::ffff:7f00:1"],
    ["IPv6", "0:0:0:0:0:0:0:1"],
    ["IPv6", "0000::0001"],
  ] as const) {
    test(address, async (t) => {
      const { bgp, port } = await speaker(t, {
        address,
        password: new Password("entrance"),
        families: ["IPv4"],
      });
      const attempts = [{}, { key: { password: new Password("exit") } }].map((given) =>
        assert.rejects(dial(t, port, { family, timeoutMs: NEVER_MS, ...given }), { code: "ETIMEDOUT" }),
      );
      await Promise.all(attempts);
      const { socket } = await dial(t, port, { family, key: { password: new Password("entrance") } });
      socket.write(GREETING);
      await until("the session", isUp(bgp));
      assert.equal(bgp.sessions()[0]?.address, LOOPBACK[family]);
    });
  }

  test("written otherwise later it is the same peer, with the same key", async (t) => {
    const { bgp, port } = await speaker(t, { address: "::1", password: new Password("entrance") });
    const [nowhere = 0] = await freePorts(1);
    const settings = {
      ...SETTINGS,
      name: "peer0",
      port: nowhere,
      password: new Password("entrance"),
    };
    bgp.reconcile(new Map([["peer0", { settings: { ...settings, address: "0:0::1" }, advertisements: [] }]]));
    await assert.rejects(dial(t, port, { family: "IPv6", timeoutMs: NEVER_MS }), { code: "ETIMEDOUT" });
    const { socket } = await dial(t, port, { family: "IPv6", key: { password: new Password("entrance") } });
    socket.write(GREETING);
    await until("the session", isUp(bgp));
  });
});

describe("a peer with a hop limit (RFC 5082) may connect, too", AT_ONCE, () => {
  for (const family of ["IPv4", "IPv6"] as const) {
    test(`${family}: from near; what comes from farther away is not heard`, async (t) => {
      const { bgp, port } = await speaker(t, {
        address: LOOPBACK[family],
        ttl: { kind: "gtsm", hops: 1 },
        families: ["IPv4"],
      });
      const far = await dial(t, port, { family, ttl: 254 });
      await until("it to be taken", () => bgp.sessions()[0]?.state === "OpenSent");
      far.socket.write(GREETING);
      const near = await dial(t, port, { family, ttl: 255 });
      await until("an OPEN for whoever waits", () => near.ear.heard.length > 0);
      assert.equal(bgp.sessions()[0]?.messagesIn, 0, "somebody far away was heard");
      near.socket.write(GREETING);
      await until("the session", isUp(bgp));
    });
  }

  test("a direct peer that is not direct hears nothing: answers leave with one hop to live", async (t) => {
    const { bgp, port } = await speaker(t, { ttl: { kind: "direct" } });
    const { socket, ear } = await dial(t, port, { minTtl: 2, ttl: 64 });
    socket.write(GREETING);
    await until("it to be taken", () => bgp.sessions()[0]?.state !== "Idle");
    const word = until("a word", () => ear.heard.length > 0, {
      deadlineMs: NEVER_MS,
      // Nothing is late here: it must never come.
      watch: async () => async () => undefined,
    });
    await assert.rejects(word);
  });
});

describe("a key that cannot be set", () => {
  const expected: Expected = { settings: { ...SETTINGS, password: new Password("a") }, address: "127.0.0.1" };
  function listeners(refuses: () => boolean) {
    const steps: string[] = [];
    const made = new Listeners({
      transport: {
        ...plainTransport,
        listen: (_family, port) => ({
          port,
          sign({ address }, key) {
            if (refuses()) throw new Error("no memory");
            steps.push(`${address} ${key?.password.reveal()}`);
          },
          close() {},
        }),
      },
      log: silentLogger,
      port: 179,
      onConnection() {},
    });
    return { made, steps };
  }

  test("lets nobody in, and is tried again", () => {
    let isBroken = true;
    const { made, steps } = listeners(() => isBroken);
    made.expect([expected]);
    assert.equal(made.isSigned(expected), false);
    isBroken = false;
    made.expect([expected]);
    assert.equal(made.isSigned(expected), true);
    made.expect([expected]);
    assert.deepEqual(steps, ["127.0.0.1 a"]);
  });

  test("a changed password counts from when the listener has it; a peer that goes takes its own along", () => {
    const { made, steps } = listeners(() => false);
    made.expect([expected]);
    const changed = { ...expected, settings: { ...SETTINGS, password: new Password("b") } };
    assert.equal(made.isSigned(changed), false);
    made.expect([changed]);
    assert.equal(made.isSigned(changed), true);
    made.expect([{ settings: SETTINGS, address: "127.0.0.1" }]);
    assert.deepEqual(steps, ["127.0.0.1 a", "127.0.0.1 b", "127.0.0.1 undefined"]);
  });
});

test("an unnumbered peer with a password gets its key when the link's router is known, and nobody in before", async (t) => {
  const keys: string[] = [];
  let router: string | undefined;
  let changed = (): void => {};
  const accept: ((address: string) => Promise<boolean>)[] = [];
  const bgp = createBgp({
    clock: systemClock,
    listenPort: 179,
    addressOn: () => router,
    transport: {
      ...plainTransport,
      connect: (_settings, _address, signal) =>
        new Promise((_, reject) => {
          changed = () => reject(new Error("nobody is there"));
          signal.addEventListener("abort", changed);
        }),
      listen(_family, port, { onConnection }) {
        accept.push(async (address) => {
          const { ours, close } = await socketPair();
          t.after(close);
          onConnection({ socket: ours, address, port: 1, link: "eth0" });
          return !ours.destroyed;
        });
        return {
          port,
          sign: ({ address }, key) => void keys.push(`${address} ${key?.password.reveal()}`),
          close() {},
        };
      },
    },
  });
  t.after(() => bgp.stop({ mode: "restart" }));
  const { address: _, ...settings } = {
    ...SETTINGS,
    link: "eth0",
    password: new Password("entrance"),
    connectTimeMs: 1_000,
  };
  bgp.reconcile(new Map([["peer", { settings, advertisements: [] }]]));
  assert.equal(await accept[0]?.("fe80::1"), false);
  router = "fe80::1";
  await until("the key", () => keys.length > 0);
  assert.deepEqual(keys, ["fe80::1 entrance"]);
  assert.equal(await accept[0]?.("fe80::1"), true);
});
