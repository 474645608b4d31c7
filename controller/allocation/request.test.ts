import assert from "node:assert/strict";
import { test } from "node:test";
import { formatForwarding, MAX_FORWARDING_ID } from "#api/forwarding-ids.ts";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { isOurs, MAX_PORTS, readRequest } from "#controller/allocation/request.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { DUAL, record } from "#controller/testing/records.ts";

const [ours, metallb, old] = ANNOTATION_ADDRESSES;

const GOOD: readonly (readonly [string, Partial<ServiceRecord>, readonly string[]])[] = [
  ["nothing asked for", {}, []],
  ["spec.loadBalancerIP", { loadBalancerIp: "10.0.0.1" }, ["10.0.0.1"]],
  ["our annotation", { annotations: { [ours]: " 10.0.0.1 " } }, ["10.0.0.1"]],
  ["MetalLB's annotation", { annotations: { [metallb]: "10.0.0.1" } }, ["10.0.0.1"]],
  ["MetalLB's old annotation", { annotations: { [old]: "10.0.0.1" } }, ["10.0.0.1"]],
  ["two spellings that agree", { annotations: { [ours]: "10.0.0.1", [old]: "10.0.0.1" } }, ["10.0.0.1"]],
  [
    "one of each family",
    { families: DUAL, annotations: { [ours]: "FD00::0:1, 10.0.0.1" } },
    ["fd00::1", "10.0.0.1"],
  ],
  ["an empty annotation", { loadBalancerIp: "10.0.0.1", annotations: { [ours]: "" } }, ["10.0.0.1"]],
];

for (const [name, more, wanted] of GOOD) {
  test(`${name}: understood`, () => {
    const { request, refusal } = readRequest(record("s", more));
    assert.equal(refusal, undefined);
    assert.deepEqual(
      request.addresses.map((address) => address.text),
      wanted,
    );
  });
}

const ports = (count: number): string[] => Array.from({ length: count }, (_, at) => `TCP/${at + 1}`);

test("as many ports as one Service may have are understood, and their ids fit into a condition", () => {
  assert.equal(readRequest(record("s", { ports: ports(MAX_PORTS) })).refusal, undefined);
  const keys = ports(MAX_PORTS).flatMap((port) => [`IPv4/${port}`, `IPv6/SCTP/65535${port}`]);
  const ids = Object.fromEntries(keys.map((key) => [key, MAX_FORWARDING_ID]));
  // The API's own limit of a condition's message.
  assert.ok(formatForwarding(["p".repeat(253), "q".repeat(253)], ids).length <= 32_768);
});

const BAD: readonly (readonly [string, Partial<ServiceRecord>, string, RegExp])[] = [
  [
    "one port too many",
    { ports: ports(MAX_PORTS + 1) },
    "TooManyPorts",
    /^spec\.ports: 257 ports: one Service may have 256 at most$/,
  ],
  [
    "field and annotation at once, even when equal",
    { loadBalancerIp: "10.0.0.1", annotations: { [metallb]: "10.0.0.1" } },
    "ConflictingRequest",
    /^spec\.loadBalancerIP is "10\.0\.0\.1" and annotation metallb\.io\/loadBalancerIPs is "10\.0\.0\.1": only one/,
  ],
  [
    "two spellings that differ",
    { annotations: { [ours]: "10.0.0.1", [metallb]: "10.0.0.2" } },
    "ConflictingRequest",
    /genkan\.dev\/loadBalancerIPs is "10\.0\.0\.1" and annotation metallb\.io\/loadBalancerIPs is "10\.0\.0\.2"/,
  ],
  [
    "pool spellings that differ",
    { annotations: { [ANNOTATION_POOL[0]]: "a", [ANNOTATION_POOL[2]]: "b" } },
    "ConflictingRequest",
    /address-pool is "a"/,
  ],
  ["no address", { loadBalancerIp: "10.0.0" }, "InvalidAddress", /^spec\.loadBalancerIP: "10\.0\.0" is not/],
  ["a prefix", { loadBalancerIp: "10.0.0.0/24" }, "InvalidAddress", /"10\.0\.0\.0\/24"/],
  [
    "an empty entry",
    { annotations: { [ours]: "10.0.0.1," } },
    "InvalidAddress",
    /^annotation genkan\.dev\/loadBalancerIPs: "" is not/,
  ],
  [
    "a family it has not",
    { loadBalancerIp: "fd00::1" },
    "FamilyMismatch",
    /fd00::1 is IPv6, the Service's spec\.ipFamilies are IPv4/,
  ],
  [
    "two of one family",
    { families: DUAL, annotations: { [ours]: "10.0.0.1,10.0.0.2" } },
    "FamilyMismatch",
    /10\.0\.0\.1 and 10\.0\.0\.2 are both IPv4/,
  ],
];

for (const [name, more, reason, message] of BAD) {
  test(`${name}: refused as ${reason}`, () => {
    const { refusal } = readRequest(record("s", more));
    assert.equal(refusal?.reason, reason);
    assert.match(refusal?.message ?? "", message);
  });
}

for (const [policy, families, wanted] of [
  ["PreferDualStack", ["IPv4"], "SingleStack"],
  ["PreferDualStack", DUAL, "PreferDualStack"],
  ["RequireDualStack", DUAL, "RequireDualStack"],
  ["SingleStack", ["IPv6"], "SingleStack"],
] as const) {
  test(`${policy} with ${families.join("+")} is ${wanted}`, () => {
    const { request } = readRequest(record("s", { familyPolicy: policy, families }));
    assert.equal(request.policy, wanted);
  });
}

test("with policy Local the selector, in any order, is what sharers must agree on; with Cluster nothing", () => {
  const annotations = { [ANNOTATION_SHARING_KEY[1]]: "k" };
  const sharing = (more: Partial<ServiceRecord>) =>
    readRequest(record("s", { annotations, ...more })).request.sharing;
  const local = sharing({ isLocal: true, selector: { a: "1", b: "2" } });
  assert.deepEqual(local, sharing({ isLocal: true, selector: { b: "2", a: "1" } }));
  assert.notDeepEqual(local, sharing({ isLocal: true, selector: { a: "1" } }));
  assert.deepEqual(sharing({ selector: { a: "1" } }), { key: "k", backend: "" });
  assert.equal(readRequest(record("s")).request.sharing, undefined);
});

for (const [type, mine, configured, wanted] of [
  ["LoadBalancer", undefined, undefined, true],
  ["LoadBalancer", "x/y", "x/y", true],
  ["LoadBalancer", "x/y", undefined, false],
  ["LoadBalancer", undefined, "x/y", false],
  ["ClusterIP", undefined, undefined, false],
] as const) {
  test(`type ${type}, class ${mine}, configured ${configured}: ${wanted ? "ours" : "not ours"}`, () => {
    assert.equal(isOurs({ type, loadBalancerClass: mine }, configured), wanted);
  });
}
