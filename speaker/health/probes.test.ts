/** One check each, against real sockets on loopback. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server } from "node:net";
import { after, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { freePorts } from "#hack/common/ports.ts";
import { CHECK } from "#test/fakes/speaker-view.ts";
import { createProbe, type ProbeTarget } from "./probes.ts";

const probe = createProbe(systemClock);
const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

async function listening(server: Server, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A long time to answer, so that a busy machine fails nothing, unless the answer is not to come. */
function check(
  port: number,
  how: Partial<ProbeTarget["check"]> = {},
  address = "127.0.0.1",
): Promise<string | undefined> {
  return new Promise((resolve) => {
    probe({ address, port, check: { ...CHECK, timeoutMs: 30_000, ...how } }, resolve);
  });
}

/** Accepts and says this to each, then keeps the connection. */
function saying(answer: string, isEnded = false): Promise<number> {
  const server = createServer((socket) => {
    ends.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", () => (isEnded ? socket.end(answer) : socket.write(answer)));
  });
  return listening(server);
}

const SOON = { timeoutMs: 50 };

test("tcp: who accepts is well, though it says nothing; who refuses is not", async () => {
  assert.equal(await check(await saying(""), { kind: "tcp" }), undefined);
  const [port = 0] = await freePorts(1);
  assert.equal(await check(port, { kind: "tcp" }), "the connection is refused");
});

test("http: the status decides; path and host are those of the check", async () => {
  const asked: string[] = [];
  const server = createHttp((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.writeHead(request.url === "/down" ? 503 : 204).end();
  });
  const port = await listening(server);
  assert.equal(await check(port, { path: "/up?x=1", host: "a.example" }), undefined);
  assert.equal(await check(port, { path: "/down" }), "HTTP status 503");
  assert.equal(await check(port, { path: "/down", status: [503, 503] }), undefined);
  assert.deepEqual(asked.slice(0, 2), ["GET /up?x=1 a.example", `GET /down 127.0.0.1:${port}`]);
});

test("http over IPv6", async () => {
  const server = createHttp((_request, response) => void response.end());
  assert.equal(await check(await listening(server, "::1"), {}, "::1"), undefined);
});

test("http: who accepts and does not answer, as a stopped process does, fails when the time is over", async () => {
  assert.equal(await check(await saying(""), SOON), "no answer within 50 ms");
});

const odd: readonly [answer: string, isEnded: boolean, failure: string | undefined][] = [
  ["HTTP/1.0 200\r\n", false, undefined],
  ["SSH-2.0-x\r\n", false, "the answer is not HTTP"],
  [`HTTP/1.1 200 ${"x".repeat(4_000)}`, false, "the answer is not HTTP"],
  ["HTTP/1.1 20", true, "the connection ended without an answer"],
  ["HTTP/1.1 999 x\r\n", false, "HTTP status 999"],
];
for (const [answer, isEnded, failure] of odd) {
  test(`http: an answer ${JSON.stringify(answer.slice(0, 20))}`, async () => {
    assert.equal(await check(await saying(answer, isEnded)), failure);
  });
}

test("grpc: the health service says whether it serves, as a whole or a service of its", async () => {
  const answers = new Map([
    ["", Buffer.of(0, 0, 0, 0, 2, 8, 1)],
    ["down", Buffer.of(0, 0, 0, 0, 2, 8, 2)],
    ["long", Buffer.alloc(5_000)],
  ]);
  const server = createHttp2();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    assert.equal(headers[":path"], "/grpc.health.v1.Health/Check");
    const parts: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => parts.push(chunk));
    stream.on("end", () => {
      const answer = answers.get(Buffer.concat(parts).subarray(7).toString());
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          ...(answer === undefined && { "grpc-status": "5" }),
        },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () =>
        stream.sendTrailers({ "grpc-status": answer === undefined ? "5" : "0" }),
      );
      stream.end(answer);
    });
  });
  const port = await listening(server as unknown as Server);
  const ask = (grpcService: string) => check(port, { kind: "grpc", grpcService });
  assert.equal(await ask(""), undefined);
  assert.equal(await ask("down"), "its health service says that it does not serve");
  assert.equal(await ask("none"), "its health service refuses the question");
  assert.equal(await ask("long"), "the answer is too long");
});

test("grpc: who is no server of it fails", async () => {
  const [port = 0] = await freePorts(1);
  assert.equal(await check(port, { kind: "grpc" }), "the connection is refused");
  assert.equal(await check(await saying(""), { kind: "grpc", ...SOON }), "no answer within 50 ms");
  assert.notEqual(await check(await saying("HTTP/1.1 400 x\r\n\r\n", true), { kind: "grpc" }), undefined);
});

test("udp: who has the port is well, though it says nothing; where nobody has it, the host says so", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  ends.push(() => socket.close());
  const { port } = socket.address();
  assert.equal(await check(port, { kind: "udp", ...SOON }), undefined);
  const other = createSocket("udp4");
  await new Promise<void>((resolve) => other.bind(0, "127.0.0.1", resolve));
  const free = other.address().port;
  await new Promise<void>((resolve) => other.close(() => resolve()));
  assert.equal(await check(free, { kind: "udp" }), "the connection is refused");
});

test("what is given up is not heard of", async () => {
  const port = await saying("HTTP/1.1 200 x\r\n");
  for (const kind of ["tcp", "http", "grpc", "udp"] as const) {
    const cancel = probe({ address: "127.0.0.1", port, check: { ...CHECK, kind, ...SOON } }, () =>
      assert.fail("it was given up"),
    );
    cancel();
  }
  // The last of several that begin behind them has ended.
  assert.equal(await check(await saying(""), SOON), "no answer within 50 ms");
});

test("a timer that comes too late, because this process did not run, waits once more", async () => {
  let now = 0;
  const timers: (() => void)[] = [];
  const stalled = createProbe({
    now: () => now,
    after: (_ms, fn) => {
      timers.push(fn);
      return () => undefined;
    },
  });
  const failures: (string | undefined)[] = [];
  const port = await saying("");
  const cancel = stalled({ address: "127.0.0.1", port, check: CHECK }, (failure) => failures.push(failure));
  now = 900;
  timers[0]?.();
  assert.deepEqual([failures, timers.length], [[], 2]);
  now = 2_000;
  timers[1]?.();
  assert.deepEqual(failures, ["no answer within 300 ms"]);
  cancel();
});
