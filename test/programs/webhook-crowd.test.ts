/** What strangers can make the webhook hold and do: a server in a process of its own, so that its memory can be read. */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { systemClock } from "#common/clock.ts";
import { SILENCE_MS } from "#common/http-limits.ts";
import { silentLogger } from "#common/log.ts";
import { startWebhook } from "#controller/webhook/server.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { watchBars } from "#test/bar.ts";
import { until } from "#test/until.ts";

const SERVER = "server";
const MIB = 2 ** 20;
const API_SERVER_WAITS_MS = 5_000;

if (process.argv[2] === SERVER) await serve();
else declareTests();

async function serve(): Promise<void> {
  const authority = await createAuthority("test");
  const { certificate, key } = await authority.issue({ commonName: "webhook", names: ["127.0.0.1"] });
  const webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => ({ cert: certificate, key }),
    view: () => emptyView("genkan-system"),
    clock: systemClock,
    log: silentLogger,
  });
  process.on("message", () => process.send?.(process.memoryUsage.rss()));
  process.send?.(webhook.port);
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
}

function declareTests(): void {
  let child: ChildProcess;
  let port: number;
  const sockets = new Set<TLSSocket>();

  before(async () => {
    child = fork(import.meta.filename, [SERVER]);
    [port] = (await once(child, "message")) as [number];
    await ask(review({ addresses: ["10.0.0.0/24"] }));
  });
  after(() => void child.kill());

  async function residentMib(): Promise<number> {
    child.send("resident");
    const [bytes] = (await once(child, "message")) as [number];
    return bytes / MIB;
  }

  function ask(body: string): Promise<Answer> {
    const began = performance.now();
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/validate", method: "POST", agent: false } as const;
      const request = httpsRequest({ ...options, rejectUnauthorized: false }, (response) => {
        response.setEncoding("utf8");
        let text = "";
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: text, tookMs: performance.now() - began }),
        );
        response.on("error", reject);
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  const review = (spec: object, metadata: object = {}): string =>
    JSON.stringify({
      kind: "AdmissionReview",
      request: {
        uid: "u",
        operation: "CREATE",
        kind: { kind: "AddressPool" },
        object: {
          kind: "AddressPool",
          metadata: { name: "x", namespace: "genkan-system", ...metadata },
          spec: { protocol: "layer2", ...spec },
        },
      },
    });
  const honest = review({ addresses: ["10.0.0.0/24"] });

  /** Connections that send `says` and then nothing more. */
  async function hold(count: number, says: readonly (string | Buffer)[]): Promise<{ closed: number }> {
    const state = { closed: 0, sent: 0 };
    for (let at = 0; at < count; at += 1) {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
        for (const part of says) socket.write(part);
        state.sent += 1;
      });
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        state.closed += 1;
        sockets.delete(socket);
      });
      socket.resume();
    }
    await until("all of them to have come", () => state.sent + state.closed >= count, { deadlineMs: 30_000 });
    return state;
  }

  function leave(): void {
    for (const socket of sockets) socket.destroy();
  }

  test("200 reviews that never end keep little memory, and an honest one is answered meanwhile", async (t) => {
    const bars = await watchBars();
    const before = await residentMib();
    const head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n";
    const state = await hold(200, [head, Buffer.alloc(4 * MIB - 1, 97)]);
    await until("those to be closed that are beyond the bounds", () => state.closed >= 72);
    const answer = await ask(honest);
    assert.equal(JSON.parse(answer.body).response.allowed, true);
    const grown = (await residentMib()) - before;
    t.diagnostic(`grown by ${Math.round(grown)} MiB, ${state.closed} closed, honest in ${answer.tookMs} ms`);
    assert.ok(grown < 200, `${grown} MiB`);
    await bars.hold("an honest review", answer.tookMs, API_SERVER_WAITS_MS);
    leave();
  });

  test("500 connections that say nothing: an honest review is answered, and the oldest are closed", async () => {
    const state = await hold(500, []);
    assert.equal(JSON.parse((await ask(honest)).body).response.allowed, true);
    await until("the others to be closed", () => state.closed >= 372);
    leave();
  });

  const HOSTILE: readonly [what: string, body: () => string, status: number][] = [
    ["1,300,000 numbers for addresses", () => review({ addresses: Array(1_300_000).fill(1) }), 400],
    ["30,000 texts that are no addresses", () => review({ addresses: Array(30_000).fill("a") }), 200],
    ["500,000 levels", () => `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`, 400],
    ["a key of 2.5 MiB", () => review({ ["k".repeat(2.5 * MIB)]: 1, addresses: [] }), 200],
    ["a name of 2.5 MiB", () => review({ addresses: [] }, { name: "n".repeat(2.5 * MIB) }), 200],
    ["2.5 MiB of quotes in one address", () => review({ addresses: ['"'.repeat(1.25 * MIB)] }), 200],
  ];
  for (const [what, body, status] of HOSTILE) {
    test(`${what}: judged soon, answered shortly`, async (t) => {
      const bars = await watchBars();
      const answer = await ask(body());
      t.diagnostic(`${Math.round(answer.tookMs)} ms, ${answer.body.length} bytes`);
      assert.equal(answer.status, status, answer.body.slice(0, 500));
      await bars.hold("the answer", answer.tookMs, 1_000);
      assert.ok(answer.body.length < 200_000, `${answer.body.length} bytes`);
      if (status === 200) assert.equal(JSON.parse(answer.body).response.allowed, false);
    });
  }

  test("an honest review does not wait for the large ones before it", async (t) => {
    const large = review({ addresses: Array(30_000).fill("a") });
    const bars = await watchBars();
    const began = performance.now();
    // On a starved machine the last ones may wait so long that the server closes them: no API server would wait any more.
    const closed = (error: Error): Pick<Answer, "status"> => {
      if (performance.now() - began < SILENCE_MS) throw error;
      return { status: 200 };
    };
    const others = Promise.all(Array.from({ length: 20 }, () => ask(large).catch(closed)));
    const answer = await ask(honest);
    t.diagnostic(`honest in ${Math.round(answer.tookMs)} ms`);
    await bars.hold("an honest review", answer.tookMs, API_SERVER_WAITS_MS);
    assert.ok((await others).every(({ status }) => status === 200));
  });
}
