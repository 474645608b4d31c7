import assert from "node:assert/strict";
import { test } from "node:test";
import { type Judged, judge } from "#api/v1beta1/admission/judge.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";

const NAMESPACE = "genkan-system";

const pool = (name: string, spec: object, namespace = NAMESPACE): AddressPool =>
  ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: { name, namespace },
    spec: { protocol: "layer2", ...spec },
  }) as AddressPool;
const balancer = (name: string, spec: object): Judged =>
  ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "LoadBalancer",
    metadata: { name, namespace: NAMESPACE },
    spec,
  }) as Judged;
const of = (...addresses: string[]) => pool("office", { addresses });
const bgp = (addresses: string[], ...bgpAdvertisements: object[]) =>
  pool("office", { protocol: "bgp", addresses, bgpAdvertisements });

const web = pool("web", { addresses: ["192.168.10.128/25", "fd00:1::/120"] });

/** name, object, the refusals' messages (none: admitted). Beside web, which is always there. */
const CASES: readonly (readonly [string, Judged, readonly string[]])[] = [
  ["a prefix", of("192.168.1.0/24"), []],
  ["host bits are masked", of("192.168.1.77/24"), []],
  ["a range with spaces", of("192.168.1.5 - 192.168.1.9"), []],
  ["a range of one", of("192.168.1.5-192.168.1.5"), []],
  ["both families", of("192.168.1.0/24", "fd00::/64"), []],
  ["next to web, just below", of("192.168.10.0-192.168.10.127"), []],
  [
    "one address into web",
    of("192.168.10.0-192.168.10.128"),
    ['spec.addresses[0]: 192.168.10.0-192.168.10.128 overlaps 192.168.10.128/25 of AddressPool "web"'],
  ],
  [
    "around web",
    of("10.0.0.0/24", "192.168.10.0/24"),
    ['spec.addresses[1]: 192.168.10.0/24 overlaps 192.168.10.128/25 of AddressPool "web"'],
  ],
  [
    "IPv6 into web",
    of("fd00:1::ff-fd00:1::100"),
    ['spec.addresses[0]: fd00:1::ff-fd00:1::100 overlaps fd00:1::/120 of AddressPool "web"'],
  ],
  ["IPv6 just behind web", of("fd00:1::100/120"), []],
  ["web itself, changed", pool("web", { addresses: ["192.168.10.0/24"] }), []],
  [
    "twice in itself",
    of("10.0.0.0/24", "10.0.0.128-10.0.1.1"),
    ["spec.addresses[1]: 10.0.0.128-10.0.1.1 overlaps 10.0.0.0/24 of spec.addresses[0]"],
  ],
  [
    "reversed",
    of("10.0.0.9-10.0.0.5"),
    ["spec.addresses[0]: 10.0.0.9-10.0.0.5 is reversed: its last address is before its first"],
  ],
  [
    "mixed families",
    of("::5-1.1.1.1"),
    ["spec.addresses[0]: ::5-1.1.1.1 mixes families: IPv6 first, IPv4 last"],
  ],
  [
    "a bare address",
    of("10.0.0.5"),
    ["spec.addresses[0]: 10.0.0.5 is a bare address: write 10.0.0.5/32 for this one address"],
  ],
  [
    "a short range",
    of("10.0.0.5-9"),
    ['spec.addresses[0]: 10.0.0.5-9 is not understood: "9" is not an address'],
  ],
  [
    "length 33",
    of("10.0.0.0/33"),
    ["spec.addresses[0]: 10.0.0.0/33 has no prefix length of IPv4 (0 to 32) after the slash"],
  ],
  ["length 32", of("10.0.0.7/32"), []],
  ["no address at all", of(), ["spec.addresses: [] must have at least 1 entry"]],
  [
    "another protocol",
    pool("office", { addresses: ["10.0.0.0/24"], protocol: "arp" }),
    ['spec.protocol: "arp" must be one of layer2, bgp'],
  ],
  [
    "advertisements with layer2",
    pool("office", { addresses: ["10.0.0.0/24"], bgpAdvertisements: [{}] }),
    ["spec.bgpAdvertisements: 1 given, but spec.protocol is layer2: only bgp has them"],
  ],
  ["aggregation as wide as the prefix", bgp(["10.0.0.0/24"], { aggregationLength: 24 }), []],
  [
    "aggregation wider than the prefix",
    bgp(["10.0.0.0/24"], { aggregationLength: 23 }),
    ["spec.bgpAdvertisements[0].aggregationLength: 23 is wider than 10.0.0.0/24: at least 24"],
  ],
  [
    "aggregation and a range",
    bgp(["10.0.0.0-10.0.1.3"], {}, { aggregationLength: 23 }),
    ["spec.bgpAdvertisements[1].aggregationLength: 23 is wider than 10.0.0.0-10.0.1.3: at least 24"],
  ],
  [
    "IPv6 aggregation wider than the prefix",
    bgp(["fd00::/64"], { aggregationLengthV6: 63 }),
    ["spec.bgpAdvertisements[0].aggregationLengthV6: 63 is wider than fd00::/64: at least 64"],
  ],
  ["a community of 16 bits", bgp(["10.0.0.0/24"], { communities: ["65535:65535"] }), []],
  [
    "a community above 16 bits",
    bgp(["10.0.0.0/24"], { communities: ["65536:1"] }),
    ['spec.bgpAdvertisements[0].communities[0]: "65536:1" has a number above 65535'],
  ],
  [
    "a community twice",
    bgp(["10.0.0.0/24"], { communities: ["1:1", "no-export", "1:1"] }),
    ['spec.bgpAdvertisements[0].communities[2]: "1:1" is already spec.bgpAdvertisements[0].communities[0]'],
  ],
  [
    "a selector twice, its keys in another order",
    pool("office", {
      addresses: ["10.0.0.0/24"],
      nodeSelectors: [{ matchLabels: { a: "1", b: "2" } }, { matchLabels: { b: "2", a: "1" } }],
    }),
    ['spec.nodeSelectors[1]: {"matchLabels":{"a":"1","b":"2"}} is already spec.nodeSelectors[0]'],
  ],
  [
    "a quota",
    pool("office", { addresses: ["10.0.0.0/24"], quotas: [{ namespace: "a", addresses: 1 }] }),
    [
      'spec.quotas: [{"namespace":"a","addresses":1}] is not supported yet: a quota per namespace has not landed',
    ],
  ],
  [
    "another namespace",
    pool("office", { addresses: ["10.0.0.0/24"] }, "default"),
    ['metadata.namespace: "default": objects of kind AddressPool belong in "genkan-system"'],
  ],
  ["the LoadBalancer", balancer("loadbalancer", {}), []],
  [
    "another LoadBalancer",
    balancer("other", {}),
    ['metadata.name: "other": the only LoadBalancer is named "loadbalancer"'],
  ],
  [
    "no replicas",
    balancer("loadbalancer", { controllerReplicas: 0 }),
    ["spec.controllerReplicas: 0 must be at least 1"],
  ],
  [
    "an unknown scheduler",
    balancer("loadbalancer", { forwarding: { scheduler: "nq" } }),
    ['spec.forwarding.scheduler: "nq" must be one of mh, sh, rr, wrr, lc, wlc'],
  ],
  [
    "a tunnel that is not there yet",
    balancer("loadbalancer", { forwarding: { tunnel: "gue" } }),
    ['spec.forwarding.tunnel: "gue" is not supported yet: a tunnel other than ipip has not landed'],
  ],
  ["connection sync off", balancer("loadbalancer", { forwarding: { connectionSync: false } }), []],
  [
    "connection sync on",
    balancer("loadbalancer", { forwarding: { connectionSync: true } }),
    ["spec.forwarding.connectionSync: true is not supported yet: connection sync has not landed"],
  ],
  [
    "a kind that is not ours",
    { ...balancer("x", {}), kind: "Gateway" },
    ['kind: "Gateway" is not a kind of ours'],
  ],
];

for (const [name, object, expected] of CASES) {
  test(`admission: ${name}`, () => {
    const view = { ...emptyView(NAMESPACE), pools: [web] };
    const verdict = judge({ operation: "CREATE", kind: object.kind, object, oldObject: undefined }, view);
    assert.deepEqual(
      verdict.refusals.map((refusal) => refusal.message),
      expected,
    );
  });
}

test("deleting and shrinking a pool in use is admitted with a warning that names the Services", () => {
  const view = {
    ...emptyView(NAMESPACE),
    pools: [web],
    services: [
      { key: "shop/front", addresses: ["192.168.10.200"] },
      { key: "shop/back", addresses: ["10.9.9.9"] },
    ],
  };
  const smaller = pool("web", { addresses: ["192.168.10.128/26"] });
  const words = (what: string) => [
    `AddressPool "web" is ${what} while in use: these Services get other addresses: shop/front (192.168.10.200)`,
  ];
  assert.deepEqual(
    judge({ operation: "DELETE", kind: "AddressPool", object: undefined, oldObject: web }, view),
    { refusals: [], warnings: words("deleted") },
  );
  assert.deepEqual(
    judge({ operation: "UPDATE", kind: "AddressPool", object: smaller, oldObject: web }, view),
    { refusals: [], warnings: words("shrunk") },
  );
});

test("what is being deleted may be updated, valid or not", () => {
  const object = {
    ...of("nonsense"),
    metadata: { name: "office", namespace: NAMESPACE, deletionTimestamp: "2026-01-01T00:00:00Z" },
  };
  assert.deepEqual(
    judge({ operation: "UPDATE", kind: "AddressPool", object, oldObject: object }, emptyView(NAMESPACE))
      .refusals,
    [],
  );
});
