import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import type { Family } from "#api/address.ts";
import { errorText } from "#common/error.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { Password } from "../known/password.ts";
import type { SocketError } from "./socket.ts";
import {
  type AcceptedConnection,
  acknowledgedBytes,
  connectTcp,
  listenTcp,
  setHopLimits,
  setMd5,
  type TcpListener,
} from "./tcp.ts";
import type { TcpOptions } from "./tcp-option.ts";

const LOOPBACK = { IPv4: "127.0.0.1", IPv6: "::1" } as const;
const WAIT_MS = 5_000;
/** Of a connection that cannot come: two retransmitted SYNs would fit in. */
const NEVER_MS = 1_500;

interface Server extends TcpListener {
  readonly accepted: AcceptedConnection[];
}

function serve(family: Family, options: TcpOptions & { link?: string; address?: string } = {}): Server {
  const accepted: AcceptedConnection[] = [];
  const listener = listenTcp({
    family,
    address: LOOPBACK[family],
    port: 0,
    ...options,
    onConnection: (connection) => {
      accepted.push(connection);
      connection.socket.on("data", (data) => connection.socket.write(data));
      connection.socket.on("error", () => connection.socket.destroy());
    },
    onError: assert.fail,
  });
  const close = (): void => {
    listener.close();
    for (const { socket } of accepted) socket.destroy();
  };
  return { ...listener, accepted, close };
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = await once(socket, "data", { signal: AbortSignal.timeout(WAIT_MS) });
  return String(data);
}

const coded = (code: string) => (error: SocketError) => error.code === code;
const descriptors = (): number => readdirSync("/proc/self/fd").length;

/** Most of what a test here does is to wait for what must not come. */
describe("sockets that are nobody else's", { concurrency: true }, () => {
  for (const family of ["IPv4", "IPv6"] as const) {
    const to = (server: Server) => ({
      family,
      address: LOOPBACK[family],
      port: server.port,
      timeoutMs: NEVER_MS,
    });
    const peer = { family, address: LOOPBACK[family] };

    test(`${family}: the same password on both sides connects, another or none never does`, async (t) => {
      const server = serve(family);
      t.after(server.close);
      server.sign(peer, { password: new Password("entrance") });
      const attempts = [{ key: { password: new Password("exit") } }, {}].map((given) =>
        assert.rejects(connectTcp({ ...to(server), ...given }), coded("ETIMEDOUT")),
      );
      await Promise.all(attempts);
      assert.equal(server.accepted.length, 0);
      const socket = await connectTcp({
        ...to(server),
        key: { password: new Password("entrance") },
        timeoutMs: WAIT_MS,
      });
      t.after(() => socket.destroy());
      assert.equal(await echoed(socket, "signed"), "signed");
      assert.equal(server.accepted[0]?.address, LOOPBACK[family]);
      assert.equal(server.accepted[0]?.port, socket.localPort);
    });

    test(`${family}: a password taken away lets unsigned connections in`, async (t) => {
      const server = serve(family);
      t.after(server.close);
      server.sign(peer, { password: new Password("entrance") });
      server.sign(peer, undefined);
      server.sign(peer, undefined);
      const socket = await connectTcp(to(server));
      t.after(() => socket.destroy());
      assert.equal(await echoed(socket, "plain"), "plain");
    });

    test(`${family}: a password changed on both sides keeps the connection, and the new one is needed`, async (t) => {
      const server = serve(family);
      t.after(server.close);
      server.sign(peer, { password: new Password("first") });
      const socket = await connectTcp({ ...to(server), key: { password: new Password("first") } });
      t.after(() => socket.destroy());
      const remote = await until("the connection to be accepted", () => server.accepted[0]);
      assert.equal(await echoed(socket, "before"), "before");
      server.sign(peer, { password: new Password("second") });
      setMd5(socket, peer, new Password("second"));
      // What is sent while the sides differ is dropped and sent again.
      const between = echoed(socket, "between");
      setMd5(remote.socket, peer, new Password("second"));
      assert.equal(await between, "between");
      await assert.rejects(
        connectTcp({ ...to(server), key: { password: new Password("first") } }),
        coded("ETIMEDOUT"),
      );
    });

    test(`${family}: packets from farther than allowed are dropped (RFC 5082)`, async (t) => {
      const server = serve(family, { minTtl: 255, ttl: 255 });
      t.after(server.close);
      await assert.rejects(connectTcp({ ...to(server), ttl: 254 }), coded("ETIMEDOUT"));
      assert.equal(server.accepted.length, 0);
      const socket = await connectTcp({ ...to(server), ttl: 255, minTtl: 255 });
      t.after(() => socket.destroy());
      assert.equal(await echoed(socket, "near"), "near");
      const distant = serve(family, { ttl: 64 });
      t.after(distant.close);
      await assert.rejects(connectTcp({ ...to(distant), minTtl: 255 }), coded("ETIMEDOUT"));
    });

    test(`${family}: an accepted connection from afar is silent once its peer is known to be near`, async (t) => {
      const server = serve(family, { ttl: 255 });
      t.after(server.close);
      const socket = await connectTcp({ ...to(server), ttl: 64 });
      t.after(() => socket.destroy());
      const remote = await until("the connection to be accepted", () => server.accepted[0]);
      assert.equal(await echoed(socket, "unjudged"), "unjudged");
      setHopLimits(remote.socket, { minTtl: 255 });
      socket.write("too far");
      const answer = once(socket, "data", { signal: AbortSignal.timeout(NEVER_MS) });
      await assert.rejects(answer, { name: "AbortError" });
    });
  }

  test("what the peer has taken is known, and that it takes nothing more though the kernel still does", async (t) => {
    const server = serve("IPv4");
    t.after(server.close);
    const base = { family: "IPv4", address: "127.0.0.1", port: server.port, timeoutMs: WAIT_MS } as const;
    const socket = await connectTcp(base);
    t.after(() => socket.destroy());
    const remote = await until("the connection to be accepted", () => server.accepted[0]);
    const before = acknowledgedBytes(socket);
    assert.equal(await echoed(socket, "0123456789"), "0123456789");
    assert.equal(acknowledgedBytes(socket) - before, 10);
    remote.socket.pause();
    while (socket.writableLength === 0) socket.write(Buffer.alloc(65_536));
    let last = -1;
    const isStill = (): boolean => {
      const [was, now] = [last, acknowledgedBytes(socket)];
      last = now;
      return was === now;
    };
    await until("the peer's buffers to be full", isStill, { everyMs: 100 });
    const full = acknowledgedBytes(socket);
    assert.ok(full < socket.bytesWritten - socket.writableLength, "the kernel has taken more than the peer");
    // A few bytes still fit in somewhere, as KEEPALIVEs do for hours.
    socket.write("more");
    assert.equal(acknowledgedBytes(socket), full);
    remote.socket.resume();
    await until("the peer to take more", () => acknowledgedBytes(socket) > full);
    socket.destroy();
    assert.throws(() => acknowledgedBytes(socket), coded("EBADF"));
  });

  test("a process without descriptors left says so now and then, and takes who waits when it has some again", async () => {
    // In a process of its own: the limit is the whole process's.
    const script = `
    import { openSync, closeSync } from "node:fs";
    import { connectTcp, listenTcp } from ${JSON.stringify(new URL("tcp.ts", import.meta.url).href)};
    let [errors, accepted] = [0, 0];
    const codes = new Set();
    const listener = listenTcp({ family: "IPv4", address: "127.0.0.1", port: 0,
      onConnection: ({ socket }) => { accepted += 1; socket.destroy(); },
      onError: (error) => { errors += 1; codes.add(error.code); } });
    const options = { family: "IPv4", address: "127.0.0.1", port: listener.port, timeoutMs: 5000 };
    const taken = [];
    const attempt = connectTcp(options);
    try { for (;;) taken.push(openSync("/dev/null")); } catch {}
    const socket = await attempt;
    socket.on("error", () => {});
    const began = performance.now();
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    while (errors === 0 || performance.now() - began < 1500) await pause(20);
    const before = [errors, accepted, performance.now() - began];
    for (const one of taken) closeSync(one);
    while (accepted === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(JSON.stringify({ before, codes: [...codes], accepted }));
    process.exit(0);
  `;
    const command = `ulimit -n 60; exec "${process.execPath}" --input-type=module -e "$SCRIPT"`;
    const env = { ...process.env, SCRIPT: script };
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { env, timeout: 90_000 });
    const { before, codes, accepted } = JSON.parse(stdout);
    assert.ok(before[0] <= 1 + before[2] / 700, `${before[0]} errors in ${before[2]} ms`);
    assert.deepEqual([before[1], codes, accepted], [0, ["EMFILE"], 1]);
  });

  test("failures say in words what was tried and what became of it", async (t) => {
    const closed = serve("IPv4");
    closed.close();
    const base = { family: "IPv4", address: "127.0.0.1", port: closed.port, timeoutMs: WAIT_MS } as const;
    const wordsOf = (options: Partial<Parameters<typeof connectTcp>[0]>): Promise<string> =>
      connectTcp({ ...base, ...options }).then(() => "connected", errorText);
    const mute = serve("IPv4", { minTtl: 255 });
    t.after(mute.close);
    assert.equal(await wordsOf({}), "connect: ECONNREFUSED (Connection refused)");
    const late = `connect: no answer from 127.0.0.1 port ${mute.port} in 50 ms`;
    assert.equal(await wordsOf({ port: mute.port, timeoutMs: 50, ttl: 1 }), late);
    assert.match(await wordsOf({ sourceAddress: "192.0.2.77" }), /^bind: EADDRNOTAVAIL \(/);
    assert.match(await wordsOf({ link: "no-such-link" }), /^setsockopt: ENODEV \(/);
  });

  test("the peer's end and its reset reach the socket as with any other", async (t) => {
    const server = serve("IPv4");
    t.after(server.close);
    const base = { family: "IPv4", address: "127.0.0.1", port: server.port, timeoutMs: WAIT_MS } as const;
    const ended = await connectTcp(base);
    const first = await until("the connection to be accepted", () => server.accepted.shift());
    first.socket.end();
    await once(ended.resume(), "end");
    ended.destroy();
    const reset = await connectTcp(base);
    const second = await until("the connection to be accepted", () => server.accepted.shift());
    second.socket.resetAndDestroy();
    const [error] = await once(reset.resume(), "error");
    assert.equal(error.code, "ECONNRESET");
  });

  test("over a link: link-local addresses with their scope, signed, bound to the device", async (t) => {
    const [left, right] = [`gkt${process.pid}a`, `gkt${process.pid}b`];
    ip(`link add ${left} type veth peer name ${right}
    link set ${left} up
    link set ${right} up
    addr add fe80::a/64 dev ${left} nodad
    addr add fe80::b/64 dev ${right} nodad`);
    t.after(() => ip(`link del ${left}`));
    const server = serve("IPv6", { address: "fe80::b", link: right });
    t.after(server.close);
    server.sign({ family: "IPv6", address: "fe80::a", link: right }, { password: new Password("scoped") });
    const base = { family: "IPv6", address: "fe80::b", port: server.port, link: left } as const;
    const socket = await connectTcp({
      ...base,
      key: { password: new Password("scoped") },
      sourceAddress: "fe80::a",
      timeoutMs: WAIT_MS,
    });
    t.after(() => socket.destroy());
    assert.equal(await echoed(socket, "near"), "near");
    assert.equal(server.accepted[0]?.address, "fe80::a");
    assert.equal(server.accepted[0]?.link, right);
    await assert.rejects(
      connectTcp({
        ...base,
        key: { password: new Password("other") },
        sourceAddress: "fe80::a",
        timeoutMs: NEVER_MS,
      }),
      coded("ETIMEDOUT"),
    );
  });
});

/** Counts what the whole process has open. */
test("failures have their codes and leave no descriptor behind", async (t) => {
  const server = serve("IPv4");
  t.after(server.close);
  const closed = serve("IPv4");
  closed.close();
  const base = { family: "IPv4", address: "127.0.0.1", port: server.port, timeoutMs: WAIT_MS } as const;
  (await connectTcp(base)).destroy();
  await until("the accepted socket", () => server.accepted.shift()?.socket.destroy());
  const before = descriptors();
  for (let round = 0; round < 20; round++) {
    await assert.rejects(connectTcp({ ...base, port: closed.port }), coded("ECONNREFUSED"));
    await assert.rejects(connectTcp({ ...base, sourceAddress: "192.0.2.77" }), coded("EADDRNOTAVAIL"));
    await assert.rejects(connectTcp({ ...base, link: "no-such-link" }), coded("ENODEV"));
    await assert.rejects(
      connectTcp({ ...base, key: { password: new Password("x".repeat(81)) } }),
      coded("EINVAL"),
    );
    await assert.rejects(connectTcp({ ...base, family: "IPv6" }), coded("EAFNOSUPPORT"));
    await assert.rejects(
      connectTcp({ ...base, address: "192.0.2.1", key: { password: new Password("k") }, timeoutMs: 5 }),
    );
    await assert.rejects(connectTcp({ ...base, signal: AbortSignal.abort() }), coded("ECANCELED"));
    const socket = await connectTcp({ ...base, sourceAddress: "127.0.0.9" });
    const peer = await until("the connection to be accepted", () =>
      server.accepted.find(({ port }) => port === socket.localPort),
    );
    assert.equal(peer.address, "127.0.0.9");
    socket.end();
    // The kernel had also accepted those that were given up.
    for (const one of server.accepted.splice(0)) one.socket.destroy();
    await once(socket.resume(), "close");
    assert.throws(
      () => setMd5(socket, { family: "IPv4", address: "127.0.0.1" }, new Password("late")),
      coded("EBADF"),
    );
  }
  await until("no descriptor more than before", () => descriptors() <= before);
  assert.throws(() => listenTcp({ ...base, onConnection: () => {}, onError: () => {} }), coded("EADDRINUSE"));
  server.close();
  t.diagnostic(`${before} descriptors`);
});
