/** What a Service waits for on one node, as spans; and that nothing is kept where nobody asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span } from "#common/trace/otlp.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import type { ServiceView } from "../known/view.ts";
import { type PassResult, ServiceTraces } from "./service-traces.ts";

const VIP = "192.0.2.1";
const service = (vip: string): ServiceView =>
  ({ uid: "u", vips: [vip], ids: { "IPv4/TCP/80": 1 } }) as unknown as ServiceView;

function world() {
  const clock = new FakeClock();
  const told: Omit<Span, "id">[] = [];
  const services = new Map<string, ServiceView>();
  const spans = { isOn: true, add: (span: Omit<Span, "id">) => void told.push(span) };
  const traces = new ServiceTraces({ node: "n1", clock, spans, services });
  const pass = async (result: Partial<PassResult> = {}, planMs = 10): Promise<void> => {
    await clock.advance(planMs);
    traces.planned();
    await clock.advance(20);
    traces.passed(() => ({
      mode: "IPVS",
      forwarded: new Set(),
      attracts: () => true,
      tells: () => true,
      ...result,
    }));
  };
  const put = (vip: string): void => {
    services.set("default/web", service(vip));
    traces.seen("default/web");
  };
  const took = (): string[] => told.map(({ name, start, end }) => `${name} ${end - start}`);
  return { clock, told, spans, traces, services, pass, put, took };
}

test("from the watch event to the plan, to the kernel, to the announcement", async () => {
  const { pass, put, took, told } = world();
  await pass();
  put(VIP);
  await pass({ forwarded: new Set(), tells: () => false });
  assert.deepEqual(took(), []);
  await pass({ forwarded: new Set([VIP]), tells: () => false });
  await pass({ forwarded: new Set([VIP]) });
  assert.deepEqual(took(), ["speaker plan 10", "forwarding read back 50", "announced 30"]);
  assert.equal(new Set(told.map(({ trace, parent }) => `${trace} ${parent}`)).size, 1);
  assert.deepEqual(told[0]?.attributes, {
    "genkan.service.namespace": "default",
    "genkan.service.name": "web",
    "genkan.addresses": VIP,
    "k8s.node.name": "n1",
  });
  await pass({ forwarded: new Set([VIP]) });
  assert.equal(told.length, 3);
});

test("a node that attracts nothing announces nothing, and kube-proxy is not waited for", async () => {
  const { pass, put, took } = world();
  await pass();
  put(VIP);
  await pass({ mode: "KubeProxy", attracts: () => false });
  assert.deepEqual(took(), ["speaker plan 10"]);
});

test("what was there before, and what changes nothing, is no change; another address is", async () => {
  const { pass, put, told } = world();
  put(VIP);
  await pass({ forwarded: new Set([VIP]) });
  put(VIP);
  await pass({ forwarded: new Set([VIP]) });
  assert.equal(told.length, 0);
  put("192.0.2.2");
  await pass({ forwarded: new Set(["192.0.2.2"]) });
  assert.equal(told.length, 3);
});

test("what does not come to its end is told after a minute, with an error", async () => {
  const { clock, pass, put, told } = world();
  await pass();
  put(VIP);
  await pass({ tells: () => false });
  await clock.advance(60_000);
  await pass({ tells: () => false });
  assert.deepEqual(new Set(told.map(({ error }) => error)), new Set(["not done after 60 s"]));
});

test("where nobody asked nothing is kept, and no result is worked out", async () => {
  const { spans, traces, services, put, told, pass } = world();
  spans.isOn = false;
  traces.planned();
  put(VIP);
  traces.passed(() => assert.fail());
  spans.isOn = true;
  await pass({ forwarded: new Set([VIP]) });
  assert.equal(told.length, 0, "it was there when traces began");
  put("192.0.2.2");
  services.delete("default/web");
  traces.seen("default/web");
  traces.passed(() => assert.fail());
});
