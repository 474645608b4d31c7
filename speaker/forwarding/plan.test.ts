import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FAMILIES, parseRange } from "#api/address.ts";
import { addressKey, admittedSet, markValue, named, portKey, tagValue } from "./elements.ts";
import { markOf, NO_TAG, tagOf, tierOf } from "./mark.ts";
import { planForwarding } from "./plan.ts";
import { tagOfAddress } from "./tags.ts";
import {
  DEFAULT_SETTINGS,
  type ForwardedEndpoint,
  type ForwardedPort,
  type ForwardingPlan,
  PROTOCOLS,
} from "./types.ts";

const VIP = "192.0.2.1";
const KEY = portKey(VIP, "TCP", 80);

const endpoint = (address: string, more: Partial<ForwardedEndpoint> = {}): ForwardedEndpoint => ({
  address,
  port: 8080,
  isLocal: false,
  isServing: true,
  returnPath: "direct",
  ...more,
});
const port = (endpoints: readonly ForwardedEndpoint[], more: Partial<ForwardedPort> = {}): ForwardedPort => ({
  id: 1,
  family: "IPv4",
  vip: VIP,
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints,
  ...more,
});
const plan = (...ports: ForwardedPort[]): ForwardingPlan =>
  planForwarding({ nodeAddresses: { IPv4: "10.0.0.1" }, ports, vips: [VIP] });
const weights = (wanted: ForwardingPlan, mark: number): string[] =>
  (wanted.virtualServers.find((server) => server.mark === mark)?.realServers ?? []).map(
    (real) => `${real.address} ${real.forwarding} ${real.weight}`,
  );

const local = endpoint("10.1.0.9", { isLocal: true });
const remote = endpoint("10.1.0.10");
const draining = endpoint("10.1.0.11", { isServing: false });
const far = endpoint("10.1.0.12", { returnPath: "snat" });
const drainingLocal = { ...local, isServing: false };

/** Each list of tier 2, by its mark: its tag, its scheduler, and its real servers as `weights` says them. */
const secondTier = ({ virtualServers }: ForwardingPlan): [tag: number, scheduler: string, ...string[]][] =>
  virtualServers
    .filter(({ mark }) => tierOf(mark) === 2)
    .map(({ mark, scheduler, realServers }) => [
      tagOf(mark),
      scheduler,
      ...realServers.map(({ address, forwarding, weight }) => `${address} ${forwarding} ${weight}`),
    ]);

interface Case {
  readonly what: string;
  readonly ports: ForwardedPort;
  readonly tier1: readonly string[];
  /** Of lists for one pod. */
  readonly tier2: readonly string[];
}
const CASES: readonly Case[] = [
  {
    what: "a remote pod alone: a tunnel, and no second tier",
    ports: port([remote]),
    tier1: ["10.1.0.10 tunnel 1"],
    tier2: [],
  },
  {
    what: "a pod here: the second tier ends at it; the first one has all in one order",
    ports: port([draining, remote, local]),
    tier1: ["10.1.0.9 masquerade 1", "10.1.0.10 tunnel 1", "10.1.0.11 tunnel 0"],
    tier2: ["10.1.0.9 masquerade 1"],
  },
  {
    what: "prefer local: others keep their flows and get no new ones",
    ports: port([local, remote], { preferLocal: true }),
    tier1: ["10.1.0.9 masquerade 1", "10.1.0.10 tunnel 0"],
    tier2: ["10.1.0.9 masquerade 1"],
  },
  {
    what: "prefer local, the one here drains: others serve, and it gets what was sent to it",
    ports: port([drainingLocal, remote], { preferLocal: true }),
    tier1: ["10.1.0.9 masquerade 0", "10.1.0.10 tunnel 1"],
    tier2: ["10.1.0.9 masquerade 1"],
  },
  {
    what: "one of two here drains, or fails its checks: each gets what was sent to it",
    ports: port([{ ...drainingLocal, isFailing: true }, endpoint("10.1.0.8", { isLocal: true }), remote]),
    tier1: ["10.1.0.8 masquerade 1", "10.1.0.9 masquerade 0", "10.1.0.10 tunnel 1"],
    tier2: ["10.1.0.8 masquerade 1", "10.1.0.9 masquerade 1"],
  },
  {
    what: "one that cannot answer the client is masqueraded",
    ports: port([far]),
    tier1: ["10.1.0.12 masquerade 1"],
    tier2: [],
  },
];
for (const { what, ports, tier1, tier2 } of CASES) {
  test(what, () => {
    const wanted = plan(ports);
    assert.deepEqual(weights(wanted, 0x1001), tier1);
    assert.deepEqual(
      secondTier(wanted),
      tier2.map((words) => [tagOfAddress(words.split(" ")[0] ?? ""), "rr", words]),
    );
  });
}

test("a packet that was handed on is marked for the pod that it was sent to", () => {
  const second = endpoint("10.1.0.8", { isLocal: true });
  const { elements } = plan(port([local, second, remote]));
  const tags = [local, second].map(({ address }) => tagOfAddress(address));
  const places = tags.map((tag) => [KEY + tagValue(tag), markValue(markOf(1, 2, 0x1000, tag))]).sort();
  for (const map of ["handed4", "handed_error4"])
    assert.deepEqual(
      elements[map]?.map(({ key, value }) => [key, value]),
      places,
    );
  assert.deepEqual(
    elements.tags4?.map(({ value }) => value),
    tags.map(tagValue).sort(),
  );
});

test("pods that have one tag share a list, and what comes for two of one node is spread by the table of all", () => {
  const twin = endpoint("10.1.2.9", { isLocal: true });
  const list = ["10.1.0.9 masquerade 1", "10.1.0.10 tunnel 0", "10.1.2.9 masquerade 1"];
  const tag = tagOfAddress(twin.address);
  const both = plan(port([local, twin, remote]));
  assert.deepEqual(secondTier(both), [
    [NO_TAG, "mh", ...list],
    [tag, "rr", "10.1.0.9 masquerade 1", "10.1.2.9 masquerade 1"],
  ]);
  assert.deepEqual(both.elements.handed4, [
    { key: KEY + tagValue(tag), value: markValue(markOf(1, 2, 0x1000)) },
  ]);
  const one = plan(port([local, { ...twin, isLocal: false, node: "n2" }]));
  assert.deepEqual(secondTier(one), [[tag, "rr", "10.1.0.9 masquerade 1", "10.1.2.9 tunnel 0"]]);
  assert.deepEqual(one.elements.handed4, [
    { key: KEY + tagValue(tag), value: markValue(markOf(1, 2, 0x1000, tag)) },
  ]);
});

test("a node without a pod of the port has no second tier, whatever tags the pods have", () => {
  const wanted = plan(port([remote, { ...remote, address: "10.1.2.10" }]));
  assert.deepEqual(secondTier(wanted), []);
});

const NO_TUNNEL: readonly [what: string, endpoints: readonly ForwardedEndpoint[], list: readonly string[]][] =
  [
    ["it ends at a pod of this node", [local, remote], ["10.1.0.9 masquerade 1", "10.1.0.10 tunnel 0"]],
    [
      "one of two here drains: what comes new ends at the other",
      [drainingLocal, endpoint("10.1.0.8", { isLocal: true })],
      ["10.1.0.8 masquerade 1", "10.1.0.9 masquerade 0"],
    ],
    [
      "the only one here fails its checks: who has heard of it sends nothing, and who has not is not turned away",
      [{ ...drainingLocal, isFailing: true }, remote],
      ["10.1.0.9 masquerade 1", "10.1.0.10 tunnel 0"],
    ],
    [
      "one of two here fails its checks: what comes new ends at the other",
      [{ ...drainingLocal, isFailing: true }, endpoint("10.1.0.8", { isLocal: true })],
      ["10.1.0.8 masquerade 1", "10.1.0.9 masquerade 0"],
    ],
  ];
for (const [what, endpoints, list] of NO_TUNNEL) {
  test(`without a tunnel no packet says for which pod it is: ${what}`, () => {
    const wanted = planForwarding({
      nodeAddresses: { IPv4: "10.0.0.1" },
      ports: [port(endpoints)],
      vips: [VIP],
      tunnel: "none",
    });
    assert.deepEqual(secondTier(wanted)[0], [NO_TAG, "mh", ...list]);
    assert.ok(
      wanted.elements.handed4?.some(
        ({ key, value }) => key === KEY + tagValue(NO_TAG) && value === markValue(markOf(1, 2, 0x1000)),
      ),
    );
  });
}

test("weights are those of new connections; who has 0 keeps the place of its other weight", () => {
  const ports = port([
    { ...endpoint("10.1.0.8", { isLocal: true }), weight: 3 },
    { ...remote, weight: 2 },
    { ...draining, weight: 5 },
  ]);
  const servers = plan(ports).virtualServers.map(({ realServers }) =>
    realServers.map(({ weight, lastWeight }) => [weight, lastWeight]),
  );
  assert.deepEqual(servers, [
    [
      [3, undefined],
      [2, undefined],
      [0, 5],
    ],
    [[1, undefined]],
  ]);
});

test("where connections are shared, lists of tier 2 are there for pods of other nodes, and give no new connection", () => {
  const settings = { ...DEFAULT_SETTINGS, sharesConnections: true };
  const shared = planForwarding({
    nodeAddresses: {},
    ports: [port([remote, draining])],
    vips: [VIP],
    settings,
  });
  assert.deepEqual(
    secondTier(shared).map(([, ...rest]) => rest),
    [
      ["none", "10.1.0.10 tunnel 0"],
      ["none", "10.1.0.11 tunnel 0"],
    ],
  );
  assert.deepEqual([shared.elements.handed4, shared.elements.marks?.length], [[], 3]);
  assert.deepEqual(
    planForwarding({ nodeAddresses: { IPv4: "10.0.0.1" }, ports: [port([local])], vips: [VIP], settings }),
    { ...plan(port([local])), settings },
  );
});

test("affinity leaves the client's port out of the hash; another scheduler has no flags", () => {
  const flags = (more: Partial<ForwardedPort>): number | undefined =>
    plan(port([remote], more)).virtualServers[0]?.flags;
  assert.deepEqual([flags({}), flags({ affinity: true }), flags({ scheduler: "rr" })], [0x18, 0x8, 0]);
});

test("a port without endpoints is as one that no Service has", () => {
  const { elements, virtualServers } = plan(port([]));
  assert.deepEqual(virtualServers, []);
  assert.deepEqual(elements.vips4, [{ key: addressKey(VIP) }]);
  assert.deepEqual([elements.ports4, elements.marks], [[], []]);
});

test("source ranges are joined, those of another family or of none admit nobody", () => {
  const sourceRanges = ["10.0.0.0/25", "10.0.0.128/25", "fd00::/8", "nonsense"];
  const { elements } = plan(port([remote], { sourceRanges }));
  assert.deepEqual(elements.restricted4, [{ key: KEY }]);
  const before = "c0000201" + "00500000";
  assert.deepEqual(elements.admitted_tcp4, [{ key: `${before}0a000000`, keyEnd: `${before}0a0000ff` }]);
  assert.deepEqual(plan(port([remote], { sourceRanges: [] })).elements.admitted_tcp4, []);
  assert.deepEqual(plan(port([remote])).elements.restricted4, []);
});

test("a source range admits to its own protocol and family alone", () => {
  const sourceRanges = ["10.0.0.0/8", "fd00::/8"];
  for (const protocol of PROTOCOLS) {
    for (const family of FAMILIES) {
      const vip = family === "IPv4" ? VIP : "2001:db8::1";
      const { elements } = plan(port([remote], { protocol, family, vip, sourceRanges }));
      const filled = Object.keys(elements).filter(
        (set) => /^admitted_(?!ping)/.test(set) && elements[set]?.length !== 0,
      );
      assert.deepEqual(filled, [named(admittedSet(protocol), family)]);
    }
  }
});

test("who translates a pod's source is asked by port of a Service: another Service that names the pod is not", () => {
  const other = port([{ ...far, address: local.address }], { id: 2, port: 81 });
  const { elements } = plan(port([local]), other);
  assert.deepEqual(elements.translated4, [{ key: `${portKey(VIP, "TCP", 81)}0a010009` }]);
});

for (const [what, bad] of [
  ["an id that is none", { id: 0 }],
  ["a port that is none", { port: 65_536 }],
  ["an address that is none", { vip: "nonsense" }],
  ["an endpoint that is none", { endpoints: [endpoint("nonsense", { isLocal: true })] }],
] as const) {
  test(`${what} costs its own port alone`, () => {
    const sound = port([local, remote], { id: 2, port: 81 });
    const { leftOut, ...found } = plan(port([remote], bad), sound);
    const { leftOut: _, ...alone } = plan(sound);
    assert.deepEqual(found, alone);
    assert.deepEqual(
      leftOut.map(({ code, what: thing }) => [code, thing]),
      [["Unplanned", "the port"]],
    );
  });
}

test("of two ports that claim one id, or one address and port, the later one is left out whole", () => {
  const victim = port([local], { service: "bank/web" });
  const other = { service: "tenant/evil", endpoints: [remote] };
  const alone = plan(victim);
  for (const [claim, words] of [
    [{ port: 81 }, "forwarding id 1 is of bank/web already"],
    [{ id: 2 }, `${VIP} TCP/80 is of bank/web already`],
    [{}, "forwarding id 1 is of bank/web already"],
  ] as const) {
    const { leftOut, ...found } = plan(victim, { ...victim, ...other, ...claim });
    const told = leftOut.map((one) => [one.service, one.what, one.words]);
    assert.deepEqual(told, [["tenant/evil", "the port", words]]);
    assert.deepEqual({ ...found, leftOut: [] }, alone);
  }
});

test("an endpoint that is an address of Services is left out: its packets would go round", () => {
  const { leftOut, elements } = plan(
    port([endpoint(VIP), remote]),
    port([endpoint(VIP)], { id: 2, port: 81 }),
  );
  assert.equal(leftOut.length, 2);
  assert.deepEqual(elements.ports4, [{ key: portKey(VIP, "TCP", 80) }]);
  assert.deepEqual(weights(plan(port([endpoint(VIP), remote])), 0x1001), ["10.1.0.10 tunnel 1"]);
});

test("the order of ports and endpoints does not matter", () => {
  const ports = [1, 2, 3].map((id) => port([local, remote, draining, far], { id, port: id }));
  const wanted = plan(...ports);
  const shuffled = (list: readonly ForwardedEndpoint[]): fc.Arbitrary<ForwardedEndpoint[]> =>
    fc.shuffledSubarray([...list], { minLength: list.length });
  fc.assert(
    fc.property(
      fc.shuffledSubarray(ports, { minLength: 3 }),
      shuffled([local, remote, draining, far]),
      (some, endpoints) => {
        const shuffledPlan = plan(...some.map((one) => ({ ...one, endpoints })));
        assert.deepEqual(shuffledPlan, wanted);
      },
    ),
    { verbose: 1 },
  );
});

const PINGS: readonly [
  what: string,
  ranges: readonly (readonly string[] | undefined)[],
  admitted: string[],
][] = [
  ["no ranges: nobody is asked", [undefined], []],
  ["one port for everybody opens the address", [["10.0.0.0/8"], undefined], []],
  [
    "whom any port admits",
    [["10.0.0.0/8"], ["10.0.0.0/24", "192.0.2.0/32"]],
    ["0a000000-0affffff", "c0000200-c0000200"],
  ],
  ["a list that admits nobody", [[]], []],
];
for (const [what, ranges, admitted] of PINGS) {
  test(`who may ping an address: ${what}`, () => {
    const ports = ranges.map((sourceRanges, at) =>
      port([local], { id: at + 1, port: 80 + at, ...(sourceRanges && { sourceRanges }) }),
    );
    const { elements } = plan(...ports);
    const isOpen = ranges.includes(undefined);
    assert.deepEqual(elements.guarded4, isOpen ? [] : [{ key: addressKey(VIP) }]);
    assert.deepEqual(
      elements.admitted_ping4?.map(({ key, keyEnd }) => `${key.slice(8)}-${keyEnd?.slice(8)}`),
      admitted,
    );
  });
}

test("members and routed ranges are in the sets of their families, ranges joined", () => {
  const { elements, knowsMembers } = planForwarding({
    nodeAddresses: {},
    ports: [],
    vips: [],
    members: ["10.0.0.2", "fd00::2"],
    routed: ["198.51.100.0-198.51.100.127", "198.51.100.128-198.51.100.255", "2001:db8::-2001:db8::f"].map(
      parseRange,
    ),
  });
  assert.equal(knowsMembers, true);
  assert.equal(plan().knowsMembers, false);
  assert.deepEqual(elements.members4, [{ key: addressKey("10.0.0.2") }]);
  assert.deepEqual(elements.members6, [{ key: addressKey("fd00::2") }]);
  assert.deepEqual(elements.routed4, [{ key: "c633640000000000", keyEnd: "c63364ffffffffff" }]);
  assert.equal(elements.routed6?.length, 1);
});
