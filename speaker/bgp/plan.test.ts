/** Addresses, pools and peers -> who is told what, from this node. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AdvertisementView, PeerView, PoolView, ProfileView } from "#speaker/known/view.ts";
import { Password } from "../known/password.ts";
import { type BgpPlan, type BgpPlanInput, planBgp } from "./plan.ts";

const node = (labels: Record<string, string> = {}): BgpPlanInput["node"] => ({
  name: "n1",
  labels,
  addresses: { IPv4: "172.30.0.1", IPv6: "fd30::1" },
  own: [],
});
const peer = (more: Partial<PeerView> = {}): PeerView => ({
  name: "tor",
  address: more.name === undefined ? "172.30.0.253" : `172.30.0.${more.name.charCodeAt(0)}`,
  port: 179,
  localAsn: 64_512,
  peerAsn: 64_513,
  nodeSelectors: [],
  isMultihop: false,
  gracefulRestart: false,
  isDualStack: false,
  ...more,
});
const advertisement = (more: Partial<AdvertisementView> = {}): AdvertisementView => ({
  aggregation: { IPv4: 32, IPv6: 128 },
  communities: [],
  largeCommunities: [],
  peers: [],
  nodeSelectors: [],
  serviceSelectors: [],
  ...more,
});
const pool = (...advertisements: AdvertisementView[]): PoolView => ({
  name: "web",
  addresses: [],
  protocol: "bgp",
  nodeSelectors: [],
  interfaces: [],
  advertisements,
});
const profile: ProfileView = {
  name: "fast",
  receiveIntervalMs: 50,
  transmitIntervalMs: 50,
  detectMultiplier: 3,
  echoMode: false,
  echoIntervalMs: 50,
  passive: false,
};

const VIPS = ["198.51.100.1", "198.51.100.2", "2001:db8::1"];
const addressOf = (vip: string) => ({ vip, pool: "web", services: [`default/${vip}`] });
const plan = (more: Partial<BgpPlanInput> = {}): BgpPlan =>
  planBgp({
    node: node(),
    addresses: VIPS.map(addressOf),
    labelsOf: () => undefined,
    pools: new Map([["web", pool()]]),
    peers: [peer()],
    profiles: new Map([["fast", profile]]),
    password: () => undefined,
    ...more,
  });
const told = (planned: BgpPlan, name = "tor") => planned.sessions.get(name)?.advertisements ?? [];
const prefixes = (planned: BgpPlan, name = "tor"): string[] =>
  told(planned, name).map(({ prefix }) => prefix);
const withPool = (...advertisements: AdvertisementView[]): BgpPlan =>
  plan({ pools: new Map([["web", pool(...advertisements)]]), peers: [peer({ isDualStack: true })] });

describe("prefixes", () => {
  const cases: readonly [what: string, planned: BgpPlan, expected: string[]][] = [
    ["without advertisements each address as it is", plan(), ["198.51.100.1/32", "198.51.100.2/32"]],
    ["over IPv6 the IPv6 ones", plan({ peers: [peer({ address: "fd30::fd" })] }), ["2001:db8::1/128"]],
    [
      "both families where that is asked for",
      plan({ peers: [peer({ isDualStack: true })] }),
      ["198.51.100.1/32", "198.51.100.2/32", "2001:db8::1/128"],
    ],
    [
      "aggregated, each once",
      withPool(advertisement({ aggregation: { IPv4: 24, IPv6: 64 } })),
      ["198.51.100.0/24", "2001:db8::/64"],
    ],
    [
      "several advertisements side by side",
      withPool(advertisement(), advertisement({ aggregation: { IPv4: 24, IPv6: 64 } })),
      ["198.51.100.0/24", "198.51.100.1/32", "198.51.100.2/32", "2001:db8::/64", "2001:db8::1/128"],
    ],
    ["an advertisement to other peers", withPool(advertisement({ peers: ["spine"] })), []],
    [
      "an advertisement from other nodes",
      withPool(advertisement({ nodeSelectors: [{ matchLabels: { rack: "b" } }] })),
      [],
    ],
    [
      "a pool that is gone advertises its addresses as they are",
      plan({ pools: new Map() }),
      ["198.51.100.1/32", "198.51.100.2/32"],
    ],
    ["no address, no prefix, but a session", plan({ addresses: [] }), []],
  ];
  for (const [what, planned, expected] of cases) {
    test(what, () => {
      assert.deepEqual(prefixes(planned), expected);
      assert.ok(planned.sessions.has("tor"));
    });
  }
});

describe("an advertisement for some Services", () => {
  const expose = (to: string) => advertisement({ serviceSelectors: [{ matchLabels: { expose: to } }] });
  const shared = { ...addressOf("198.51.100.1"), services: ["default/a", "default/b"] };
  const own = { ...addressOf("198.51.100.2"), services: ["default/c"] };
  const labels = new Map([
    ["default/a", { expose: "internet" }],
    ["default/b", {}],
    ["default/c", { expose: "constructor" }],
  ]);
  const exposed = (...advertisements: AdvertisementView[]): string[] =>
    prefixes(
      plan({
        addresses: [shared, own],
        labelsOf: (service) => labels.get(service),
        pools: new Map([["web", pool(...advertisements)]]),
      }),
    );

  test("is heard for the address that one of them has", () => {
    assert.deepEqual(exposed(expose("internet")), ["198.51.100.1/32"]);
    assert.deepEqual(exposed(expose("intranet")), []);
    assert.deepEqual(exposed(expose("intranet"), advertisement()), ["198.51.100.1/32", "198.51.100.2/32"]);
  });

  test("follows their labels, though it was asked before", () => {
    const view = expose("internet");
    assert.deepEqual(exposed(view), ["198.51.100.1/32"]);
    labels.set("default/a", {}).set("default/c", { expose: "internet" });
    assert.deepEqual(exposed(view), ["198.51.100.2/32"]);
    labels.delete("default/c");
    assert.deepEqual(exposed(view), [], "a Service that is gone");
  });
});

test("two advertisements of one prefix add up their communities, and the higher preference counts", () => {
  const planned = withPool(
    advertisement({ communities: [1, 2], localPref: 50 }),
    advertisement({ communities: [2, 3], localPref: 200, largeCommunities: [[1, 2, 3]] }),
  );
  assert.deepEqual(told(planned)[0], {
    prefix: "198.51.100.1/32",
    communities: [1, 2, 3],
    localPref: 200,
    largeCommunities: [[1, 2, 3]],
  });
});

test("peers that hear the same share one list, and one address more leaves the others' as they are", () => {
  const addresses = VIPS.map(addressOf);
  const [own, other] = [advertisement({ communities: [7] }), advertisement({ peers: ["c"] })];
  const pools = new Map([["web", pool(own, other)]]);
  const peers = ["a", "b", "c"].map((name) => peer({ name, address: `172.30.0.${name.charCodeAt(0)}` }));
  const first = plan({ addresses, pools, peers });
  assert.equal(told(first, "a"), told(first, "b"));
  assert.notEqual(told(first, "a"), told(first, "c"));
  const more = plan({ addresses: [...addresses, addressOf("198.51.100.3")], pools, peers });
  assert.deepEqual(prefixes(more, "a"), ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"]);
  for (const [at, one] of told(first, "a").entries()) assert.equal(told(more, "a")[at], one);
  // An advertisement that changes is another one.
  const changed = plan({ addresses, pools: new Map([["web", pool({ ...own, communities: [8] })]]), peers });
  assert.deepEqual(told(changed, "a")[0]?.communities, [8]);
});

test("sessions only with the peers that select this node", () => {
  const peers = [
    peer({ name: "a", nodeSelectors: [{ matchLabels: { rack: "a" } }] }),
    peer({ name: "b", nodeSelectors: [{ matchLabels: { rack: "b" } }] }),
  ];
  assert.deepEqual([...plan({ peers, node: node({ rack: "a" }) }).sessions.keys()], ["a"]);
});

describe("what a session is asked for", () => {
  const settings = (more: Partial<PeerView>, rest: Partial<BgpPlanInput> = {}) =>
    plan({ peers: [peer(more)], ...rest }).sessions.get("tor")?.settings;

  test("defaults", () => {
    assert.deepEqual(settings({}), {
      name: "tor",
      address: "172.30.0.253",
      port: 179,
      localAsn: 64_512,
      peerAsn: 64_513,
      routerId: "172.30.0.1",
      holdTimeMs: 90_000,
      connectTimeMs: 10_000,
      ttl: { kind: "direct" },
      gracefulRestart: false,
      families: ["IPv4"],
      nextHops: { IPv4: "172.30.0.1", IPv6: "fd30::1" },
    });
  });

  test("next hops that the BGPPeer says: an address, or each node's own, which it may not have", () => {
    const nextHop = { IPv4: { address: "10.9.0.1" }, IPv6: "InternalIP" } as const;
    assert.deepEqual(settings({ nextHop })?.chosenNextHops, { IPv4: "10.9.0.1", IPv6: "fd30::1" });
    // In a VRF, too: only what is found by itself is of its links alone.
    assert.deepEqual(settings({ nextHop, vrf: "red" })?.chosenNextHops?.IPv6, "fd30::1");
    const bare = { ...node(), addresses: { IPv4: "172.30.0.1" } };
    assert.equal(settings({ nextHop }, { node: bare })?.chosenNextHops?.IPv6, null);
  });

  test("nothing else with a bfdProfile: whoever adds or changes it resets no session", () => {
    assert.deepEqual(settings({ bfdProfile: "fast" }), settings({}));
  });

  test("a restart time of its own, and a limit", () => {
    const { restartTimeMs, maximumPrefixes } = settings({ restartTimeMs: 60_000, maximumPrefixes: 7 }) ?? {};
    assert.deepEqual([restartTimeMs, maximumPrefixes], [60_000, 7]);
  });

  const hops: readonly [what: string, more: Partial<PeerView>, expected: object][] = [
    ["eBGP is direct", {}, { kind: "direct" }],
    ["multihop", { isMultihop: true }, { kind: "multihop" }],
    ["iBGP crosses routers", { peerAsn: 64_512 }, { kind: "multihop" }],
    ["so does a dynamic internal one", { peerAsn: "internal" }, { kind: "multihop" }],
    ["a hop limit", { ttlSecurityHops: 2 }, { kind: "gtsm", hops: 2 }],
  ];
  for (const [what, more, expected] of hops) {
    test(`hops: ${what}`, () => assert.deepEqual(settings(more)?.ttl, expected));
  }

  test("a password of its own, or of a Secret", () => {
    assert.equal(settings({ password: new Password("a") })?.password?.reveal(), "a");
    const password = (name: string) => (name === "tor" ? new Password("b") : undefined);
    assert.equal(settings({ passwordSecret: "tor" }, { password })?.password?.reveal(), "b");
    const tcpAo = { sendId: 1, receiveId: 2, algorithm: "HMAC-SHA-1-96" } as const;
    assert.deepEqual(settings({ passwordSecret: "tor", tcpAo }, { password })?.tcpAo, tcpAo);
  });
});

test("of two entries for one prefix the better preference counts, of those that say one", () => {
  const own = pool(
    advertisement({ prepend: 3, med: 10, localPref: 50 }),
    advertisement({ prepend: 2, med: 20 }),
    advertisement(),
  );
  const [first] = plan({ pools: new Map([["web", own]]) }).sessions.get("tor")?.advertisements ?? [];
  assert.deepEqual([first?.prepend, first?.med, first?.localPref], [2, 10, 50]);
});

test("how many pods are behind a route is told where an entry asks for it, and of single addresses alone", () => {
  const addresses = [{ ...addressOf("198.51.100.1"), localPods: 2 }, addressOf("198.51.100.2")];
  const podsOf = (...entries: AdvertisementView[]) =>
    plan({ addresses, pools: new Map([["web", pool(...entries)]]) })
      .sessions.get("tor")
      ?.advertisements.map(({ prefix, pods }) => `${prefix} ${pods}`);
  const [one, other] = ["198.51.100.1/32", "198.51.100.2/32"];
  const weighing = advertisement({ weighsPods: true });
  assert.deepEqual(podsOf(advertisement()), [`${one} undefined`, `${other} undefined`]);
  assert.deepEqual(podsOf(weighing), [`${one} 2`, `${other} undefined`]);
  assert.deepEqual(podsOf(advertisement(), weighing), [`${one} 2`, `${other} undefined`]);
  assert.deepEqual(podsOf(weighing, advertisement({ med: 5 })), [`${one} 2`, `${other} undefined`]);
  const wide = advertisement({ weighsPods: true, aggregation: { IPv4: 24, IPv6: 128 } });
  assert.deepEqual(podsOf(wide), ["198.51.100.0/24 undefined"]);
});

test("an entry for some nodes alone: the standby site has the longer path", () => {
  const site = (name: string) => [{ matchLabels: { site: name } }];
  const own = pool(
    advertisement({ nodeSelectors: site("a") }),
    advertisement({ nodeSelectors: site("b"), prepend: 3 }),
  );
  const prependAt = (name: string) =>
    plan({ pools: new Map([["web", own]]), node: node({ site: name }) })
      .sessions.get("tor")
      ?.advertisements.map(({ prepend }) => prepend);
  assert.deepEqual(prependAt("a"), [undefined, undefined]);
  assert.deepEqual(prependAt("b"), [3, 3]);
  assert.deepEqual(prependAt("c"), []);
});

test("a node that goes away says so of all that it advertises, in one list for peers that hear the same (RFC 8326)", () => {
  const own = advertisement({ communities: [7], localPref: 300 });
  const pools = new Map([["web", pool(own)]]);
  const peers = [peer({ name: "a" }), peer({ name: "b" })];
  const { sessions } = plan({ pools, peers, node: { ...node(), departure: "Cordoned" } });
  const [first] = sessions.get("a")?.advertisements ?? [];
  assert.deepEqual([first?.communities, first?.localPref], [[7, 0xffff0000], 0]);
  assert.equal(sessions.get("a")?.advertisements, sessions.get("b")?.advertisements);
});

describe("a session that cannot be tried", () => {
  const noIpv4 = { ...node(), addresses: { IPv6: "fd30::1" } };
  const cases: readonly [
    reason: string,
    more: Partial<PeerView>,
    message: RegExp,
    rest?: Partial<BgpPlanInput>,
  ][] = [
    ["SecretMissing", { passwordSecret: "gone" }, /Secret gone/],
    ["ProfileMissing", { bfdProfile: "gone" }, /BFDProfile gone/],
    [
      "RouterTaken",
      { address: "172.30.0.111" },
      /the router 172\.30\.0\.111 is that of BGPPeer other on this node/,
    ],
    ["NoRouterId", {}, /spec\.routerID/, { node: noIpv4 }],
  ];
  for (const [reason, more, message, rest] of cases) {
    test(`${reason} keeps that one down, and the others up`, () => {
      const planned = plan({ peers: [peer(more), peer({ name: "other", routerId: "1.1.1.1" })], ...rest });
      assert.deepEqual([...planned.sessions.keys()], ["other"]);
      const [{ peer: of, reason: why, message: words } = {}] = planned.withheld;
      assert.deepEqual([of, why], ["tor", reason]);
      assert.match(words ?? "", message);
    });
  }
});

test("a default gateway, a range, a VRF: what is known of where routers are, and the families of sessions", () => {
  const settingsOf = ({ address: _, ...rest }: PeerView) =>
    plan({ peers: [rest] }).sessions.get("tor")?.settings;
  const gateway = settingsOf(peer({ gateway: "IPv6" }));
  assert.deepEqual([gateway?.gateway, gateway?.families, gateway?.address], ["IPv6", ["IPv6"], undefined]);
  const range = settingsOf(peer({ range: "10.0.0.0/24" }));
  assert.deepEqual([range?.range, range?.maximumSessions, range?.families], ["10.0.0.0/24", 16, ["IPv4"]]);
  // What the node has in the main table is no next hop in a VRF.
  const inVrf = plan({ peers: [peer({ vrf: "red" })] }).sessions.get("tor")?.settings;
  assert.deepEqual([inVrf?.vrf, inVrf?.nextHops], ["red", {}]);
});

test("one address in two VRFs is two routers; one default gateway is one", () => {
  const { address: _, ...rest } = peer();
  const gateway = { ...rest, gateway: "IPv4" } as const;
  const both = plan({ peers: [peer({ vrf: "red" }), peer({ name: "b", vrf: "blue" })] });
  assert.deepEqual([both.sessions.size, both.withheld.length], [2, 0]);
  const one = plan({ peers: [gateway, { ...gateway, name: "b" }] });
  assert.match(one.withheld[0]?.message ?? "", /the router of the IPv4 default route is that of BGPPeer b/);
});

test("BFD over several hops or one, where the BGPPeer says so", () => {
  const far = (more: Partial<PeerView>) =>
    plan({ peers: [peer({ bfdProfile: "fast", ...more })] }).bfd[0]?.multihop;
  assert.equal(far({ bfdMultihop: true }), true);
  assert.equal(far({ bfdMultihop: false, peerAsn: "internal" }), false);
  assert.equal(far({ peerAsn: "internal" }), "unlessConnected");
});

test("BFD runs beside sessions with a profile, over as many hops as they", () => {
  const peers = [
    peer({ bfdProfile: "fast" }),
    peer({ name: "far", bfdProfile: "fast", isMultihop: true }),
    peer({ name: "inner", bfdProfile: "fast", peerAsn: "internal" }),
  ];
  const { name: _, ...timers } = profile;
  assert.deepEqual(plan({ peers }).bfd, [
    { key: "far", address: "172.30.0.102", multihop: true, profile: timers },
    { key: "inner", address: "172.30.0.105", multihop: "unlessConnected", profile: timers },
    { key: "tor", address: "172.30.0.253", multihop: false, profile: timers },
  ]);
});
