/**
 * A Service's way from the watch event to the announcement as traces: a real API server, a controller, three speakers,
 * and a collector that is a real server. It is asked for, changed and taken back while all of them run.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { services } from "#common/kube/resource.ts";
import { ControllerProcess } from "#test/integration/controller-process.ts";
import { BRIDGE_ADDRESS } from "#test/network/bridge.ts";
import { until } from "#test/until.ts";
import { NAMES, podsOn, SpeakerNodes } from "./speaker-nodes.ts";

const LONG = { deadlineMs: 60_000, everyMs: 100 };

interface Sent {
  readonly process: string;
  readonly trace: string;
  readonly parent: string | undefined;
  readonly id: string;
  readonly name: string;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, string>>;
}

const sent: Sent[] = [];
const faults: string[] = [];
const collector = createServer((request, response) => {
  let body = "";
  request.on("data", (data) => {
    body += data;
  });
  request.on("end", () => {
    try {
      assert.equal(`${request.method} ${request.url}`, "POST /v1/traces");
      assert.equal(request.headers["content-type"], "application/json");
      sent.push(...spansOf(JSON.parse(body)));
    } catch (error) {
      faults.push(String(error));
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
});

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}
interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status?: unknown;
}
interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly WireSpan[];
    }[];
  }[];
}

const textsOf = (list: readonly Attribute[]): Record<string, string> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue]));

/** As strictly as a collector reads OTLP's JSON. */
function spansOf({ resourceSpans }: Body): Sent[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) => {
      assert.equal(scope.name, "genkan");
      return spans.map((span): Sent => {
        assert.match(span.traceId, /^[0-9a-f]{32}$/);
        assert.match(span.spanId, /^[0-9a-f]{16}$/);
        for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) assert.match(time, /^\d{19}$/);
        assert.equal(span.status, undefined);
        return {
          process: textsOf(resource.attributes)["service.name"] ?? "",
          trace: span.traceId,
          parent: span.parentSpanId,
          id: span.spanId,
          name: span.name,
          ms: Number((BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1_000_000n),
          attributes: textsOf(span.attributes),
        };
      });
    }),
  );
}

let nodes: SpeakerNodes;
let controller: ControllerProcess;
before(async () => {
  nodes = await SpeakerNodes.start();
  controller = new ControllerProcess("traces", nodes.cluster.plane.kubeconfig);
  await controller.started();
  await until("the controller to lead", () => controller.leads, LONG);
  await new Promise<void>((resolve) => collector.listen(0, BRIDGE_ADDRESS, resolve));
});
after(async () => {
  await controller?.[Symbol.asyncDispose]();
  await nodes?.[Symbol.asyncDispose]();
  collector.closeAllConnections();
  collector.close();
});

const ask = (endpoint: string | null): Promise<void> =>
  nodes.cluster.patchLoadBalancer({ spec: { tracing: endpoint === null ? null : { endpoint } } });

async function add(name: string): Promise<void> {
  await nodes.cluster.kube.create(services, {
    metadata: { name, namespace: "default" },
    spec: { type: "LoadBalancer", ports: [{ port: 80, targetPort: 8080 }] },
  });
  await nodes.cluster.setPods(name, podsOn(NAMES));
}

test("one trace has what the controller and each speaker did, and how long it took", {
  timeout: 180_000,
}, async () => {
  await ask(`http://${BRIDGE_ADDRESS}:${(collector.address() as AddressInfo).port}`);
  for (const name of NAMES)
    await until(
      `${name} to trace`,
      () => nodes.speaker(name).logs.some(({ msg, endpoint }) => msg === "traces" && endpoint !== "off"),
      LONG,
    );
  await until("the controller to trace", () => controller.logs.some(({ msg }) => msg === "traces"), LONG);
  await add("traced");
  const of = (name: string): Sent[] =>
    sent.filter((span) => span.name === name && span.attributes["genkan.service.name"] === "traced");
  await until(
    "all spans",
    () =>
      of("service change").length === 1 &&
      of("speaker plan").length === NAMES.length &&
      of("announced").length === 1,
    LONG,
  );
  const [root] = of("service change");
  assert.ok(root !== undefined);
  assert.deepEqual([root.parent, root.process], [undefined, "genkan-controller"]);
  const children = [...of("allocate"), ...of("status written"), ...of("speaker plan"), ...of("announced")];
  assert.equal(children.length, 2 + NAMES.length + 1);
  for (const { trace, parent, name } of children)
    assert.deepEqual([trace, parent], [root.trace, root.id], name);
  const planned = of("speaker plan").map(({ attributes }) => attributes["k8s.node.name"]);
  assert.deepEqual(planned.sort(), NAMES);
  assert.ok(root.ms >= Math.max(...of("allocate").map(({ ms }) => ms)));
  assert.deepEqual(faults, []);
});

test("a collector that is away costs nothing: Services are served, and it is told once", async () => {
  await ask(`http://${BRIDGE_ADDRESS}:9`);
  const given = async (name: string): Promise<boolean> =>
    ((await nodes.cluster.kube.get(services, name, "default"))?.status?.loadBalancer?.ingress ?? []).length >
    0;
  await until(
    "the controller to take it up",
    () => controller.logs.some(({ endpoint }) => String(endpoint).endsWith(":9")),
    LONG,
  );
  await add("untraced");
  await until("an address", () => given("untraced"), LONG);
  const told = (): number =>
    controller.logs.filter(({ msg }) => msg.startsWith("traces are not taken")).length;
  await until("the controller to say so", () => told() === 1, LONG);
  await ask(null);
  await until(
    "it to be off",
    () =>
      controller.logs.at(-1)?.endpoint === "off" ||
      controller.logs.some(({ endpoint }) => endpoint === "off"),
    LONG,
  );
  assert.equal(sent.filter(({ attributes }) => attributes["genkan.service.name"] === "untraced").length, 0);
});
