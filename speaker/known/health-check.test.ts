/** What a tenant may write, and what becomes of what is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOTATION_HEALTH_CHECK as CHECK, ANNOTATION_OF_HEALTH_CHECK as OF } from "#api/names.ts";
import { CHECK as DEFAULTS } from "#test/fakes/speaker-view.ts";
import { healthCheckOf } from "./health-check.ts";
import { projectService } from "./project.ts";
import type { ServicePort } from "./view.ts";

const TCP: readonly ServicePort[] = [{ name: "", protocol: "TCP", port: 80 }];
const UDP: readonly ServicePort[] = [{ name: "", protocol: "UDP", port: 53 }];

test("no annotation asks for no check", () => {
  assert.equal(healthCheckOf({ "genkan.dev/address-pool": "a" }, TCP), undefined);
});

test("one that says no more than its kind has the defaults", () => {
  assert.deepEqual(healthCheckOf({ [CHECK]: "http" }, TCP), DEFAULTS);
  assert.equal(healthCheckOf({ [CHECK]: "udp" }, UDP)?.kind, "udp");
});

test("all that can be said is heard", () => {
  const said = {
    ...{ [CHECK]: "http", [OF.port]: "9000", [OF.path]: "/healthz?full=1", [OF.host]: "a.example:80" },
    ...{ [OF.status]: "204", [OF.interval]: "1s", [OF.timeout]: "1s", [OF.rise]: "1", [OF.fall]: "10" },
  };
  assert.deepEqual(healthCheckOf(said, UDP), {
    ...{ kind: "http", port: 9000, path: "/healthz?full=1", host: "a.example:80", status: [204, 204] },
    ...{ grpcService: "", intervalMs: 1_000, timeoutMs: 1_000, rise: 1, fall: 10 },
  });
  assert.equal(healthCheckOf({ [CHECK]: "grpc", [OF.service]: "a.B" }, TCP)?.grpcService, "a.B");
  assert.equal(healthCheckOf({ [CHECK]: "tcp", [OF.interval]: "200ms" }, TCP)?.timeoutMs, 200);
});

const wrong: readonly [annotations: Record<string, unknown>, says: RegExp, ports?: readonly ServicePort[]][] =
  [
    [{ [CHECK]: "icmp" }, /has to be one of tcp, http, grpc, udp/],
    [{ [OF.path]: "/" }, /health-check"\] is absent/],
    [{ [CHECK]: "http", [`${CHECK}-pth`]: "/" }, /health-check-pth/],
    [{ [CHECK]: "http", [OF.port]: "0" }, /health-check-port.* an integer from 1 to 65535/],
    [{ [CHECK]: "http", [OF.port]: "8e1" }, /health-check-port/],
    [{ [CHECK]: "http", [OF.path]: "/ HTTP/1.1\r\nX: y" }, /health-check-path/],
    [{ [CHECK]: "http", [OF.path]: "healthz" }, /health-check-path/],
    [{ [CHECK]: "http", [OF.path]: `/${"x".repeat(2_000)}` }, /health-check-path/],
    [{ [CHECK]: "http", [OF.host]: "a b" }, /health-check-host/],
    [{ [CHECK]: "http", [OF.host]: "a\r\nX:y" }, /health-check-host/],
    [{ [CHECK]: "http", [OF.status]: "399-200" }, /health-check-status/],
    [{ [CHECK]: "http", [OF.status]: "ok" }, /health-check-status/],
    [{ [CHECK]: "tcp", [OF.interval]: "1ms" }, /health-check-interval.* from 100ms/],
    [{ [CHECK]: "tcp", [OF.interval]: "often" }, /health-check-interval/],
    [{ [CHECK]: "tcp", [OF.timeout]: "501ms" }, /health-check-timeout.* to 500ms/],
    [{ [CHECK]: "tcp", [OF.rise]: "0" }, /health-check-rise/],
    [{ [CHECK]: "tcp", [OF.fall]: "11" }, /health-check-fall/],
    [{ [CHECK]: "tcp", [OF.path]: "/" }, /absent with a check of tcp/],
    [{ [CHECK]: "http", [OF.service]: "a" }, /absent with a check of http/],
    [{ [CHECK]: "tcp" }, /health-check-port.* no port is of TCP/, UDP],
    [{ [CHECK]: 5 }, /has to be one of/],
  ];
for (const [annotations, says, ports = TCP] of wrong) {
  test(`refused: ${JSON.stringify(annotations).slice(0, 100)}`, () => {
    assert.throws(() => healthCheckOf(annotations, ports), says);
  });
}

test("a wrong annotation costs the check, and not the Service", () => {
  const projected = (annotations: unknown) =>
    projectService({
      metadata: {
        name: "web",
        namespace: "a",
        uid: "u",
        resourceVersion: "1",
        annotations: annotations as Record<string, string>,
      },
      spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
      status: {
        loadBalancer: { ingress: [{ ip: "192.0.2.1" }] },
        conditions: [
          {
            type: "genkan.dev/ForwardingIds",
            status: "True",
            reason: "Given",
            message: "",
            lastTransitionTime: "",
          },
        ],
      },
    } as unknown as Parameters<typeof projectService>[0]);
  assert.deepEqual(projected({ [CHECK]: "tcp" })?.check?.kind, "tcp");
  for (const annotations of [{ [CHECK]: "no" }, "none", ["x"]]) {
    const service = projected(annotations);
    assert.deepEqual(service?.vips, ["192.0.2.1"]);
    assert.deepEqual([service?.check, service?.faults?.length], [undefined, 1]);
  }
  assert.deepEqual(projected(undefined)?.faults, undefined);
});
