/** Spans to a collector that takes them, that refuses them, and that is away; and when nobody asked. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { TraceExporter } from "./exporter.ts";
import { traceIdsOf } from "./ids.ts";
import { encodeSpans } from "./otlp.ts";

const SPAN = {
  trace: "a".repeat(32),
  parent: "b".repeat(16),
  name: "allocate",
  start: 1_000.4,
  end: 1_250,
  attributes: { "genkan.service.name": "web" },
};

async function collector(
  answer: () => number,
): Promise<{ endpoint: string; bodies: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const bodies: string[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => {
      body += data;
    });
    request.on("end", () => {
      bodies.push(`${request.method} ${request.url} ${request.headers["content-type"]} ${body}`);
      response.writeHead(answer()).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bodies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function exporter() {
  const clock = new FakeClock();
  const counts = { sent: 0, dropped: 0 };
  const traces = new TraceExporter({
    clock,
    random: { bytes: (length) => new Uint8Array(length).fill(7) },
    log: silentLogger,
    metrics: {
      count: (_name, labels, by = 1) => {
        counts[(labels as { result: "sent" | "dropped" }).result] += by;
      },
    },
    resource: { "service.name": "genkan-speaker" },
    version: "v1.2.3",
  });
  return { clock, counts, traces };
}

test("a span in the words of OTLP: ids in hex, nanoseconds as text, kind and status as numbers", () => {
  const text = encodeSpans({ "service.name": "genkan-speaker" }, { name: "genkan", version: "v1.2.3" }, [
    { ...SPAN, id: "c".repeat(16), error: "late" },
  ]);
  assert.deepEqual(JSON.parse(text), {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "genkan-speaker" } }] },
        scopeSpans: [
          {
            scope: { name: "genkan", version: "v1.2.3" },
            spans: [
              {
                traceId: "a".repeat(32),
                spanId: "c".repeat(16),
                parentSpanId: "b".repeat(16),
                name: "allocate",
                kind: 1,
                startTimeUnixNano: "1000000000",
                endTimeUnixNano: "1250000000",
                attributes: [{ key: "genkan.service.name", value: { stringValue: "web" } }],
                status: { code: 2, message: "late" },
              },
            ],
          },
        ],
      },
    ],
  });
});

test("controller and speakers come to the same ids, and another change has others", () => {
  const given = { uid: "u", vips: ["192.0.2.1", "fd30::1"], ids: { "IPv4/TCP/80": 1, "IPv6/TCP/80": 2 } };
  const { trace, root } = traceIdsOf(given);
  assert.match(`${trace} ${root}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
  assert.deepEqual(traceIdsOf({ ...given, vips: [...given.vips].reverse() }), { trace, root });
  for (const other of [{ uid: "v" }, { vips: ["192.0.2.2"] }, { ids: { "IPv4/TCP/80": 3 } }])
    assert.notEqual(traceIdsOf({ ...given, ...other }).trace, trace);
});

test("what comes within a second is one request", async () => {
  await using server = await collector(() => 200);
  const { clock, counts, traces } = exporter();
  traces.add(SPAN);
  assert.deepEqual([traces.isOn, clock.pending], [false, 0]);
  traces.setEndpoint(server.endpoint);
  for (let at = 0; at < 3; at += 1) traces.add(SPAN);
  await clock.advance(1_000);
  await until("the request", () => counts.sent === 3);
  assert.equal(server.bodies.length, 1);
  assert.match(server.bodies[0] ?? "", /^POST \/v1\/traces application\/json \{"resourceSpans":/);
});

test("a collector that refuses is left alone for half a minute, and what comes meanwhile is dropped", async () => {
  let status = 503;
  await using server = await collector(() => status);
  const { clock, counts, traces } = exporter();
  traces.setEndpoint(server.endpoint);
  traces.add(SPAN);
  await clock.advance(1_000);
  await until("the refusal", () => counts.dropped === 1);
  traces.add(SPAN);
  assert.deepEqual([counts.dropped, clock.pending], [2, 0]);
  status = 200;
  await clock.advance(30_000);
  traces.add(SPAN);
  await clock.advance(1_000);
  await until("the request", () => counts.sent === 1);
  assert.equal(server.bodies.length, 2);
});

test("where nobody listens the list stays short and nothing waits", async () => {
  const { clock, counts, traces } = exporter();
  traces.setEndpoint("http://127.0.0.1:1");
  for (let at = 0; at < 5_000; at += 1) traces.add(SPAN);
  assert.equal(counts.dropped, 4_000);
  await clock.advance(1_000);
  await until("it to be given up", () => counts.dropped === 5_000);
  traces.setEndpoint(undefined);
  traces.add(SPAN);
  assert.deepEqual([counts.dropped, clock.pending], [5_000, 0]);
});
