/** What a change would do, with the planners that would do it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesOf } from "#cli/list/owners.ts";
import { plan } from "#cli/plan/command.ts";
import type { Difference } from "#cli/plan/difference.ts";
import type { Risk } from "#cli/plan/risk.ts";
import { lease, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";
import { worldOf } from "#cli/world.ts";

const NOTHING = { manifests: [], drained: [], withoutPools: [] };
const parts = {
  services: [service("web", "172.30.0.100", 7), service("mail", "172.30.0.101", 8)],
  slices: [
    slice("web", { "10.244.1.1": "n1", "10.244.2.1": "n2" }),
    slice("mail", { "10.244.2.2": "n2", "10.244.3.2": "n3" }),
  ],
};
const manifest = (kind: string, name: string, spec: object, metadata: object = {}) => ({
  apiVersion: kind === "Service" ? "v1" : "genkan.dev/v1beta1",
  kind,
  metadata: { name, ...metadata },
  spec,
});

function planned(
  change: Partial<typeof NOTHING>,
  more: object = {},
): Difference & { refused: string[]; code: number } {
  const { value, exitCode } = plan(snapshot({ ...parts, ...more }), { ...NOTHING, ...change } as never);
  return { ...(value as Difference & { refused: string[] }), code: exitCode };
}

test("no change, and one that changes nothing: nothing moves", () => {
  assert.equal(planned({}).code, 0);
  const same = manifest("AddressPool", "office", {
    protocol: "layer2",
    addresses: ["172.30.0.100-172.30.0.101"],
  });
  const { services, moves, prefixes, code } = planned({ manifests: [same] as never });
  assert.deepEqual([services, moves, prefixes, code], [[], [], [], 0]);
});

test("a pool that shrinks takes an address away, and says why nothing comes for it", () => {
  const shrunk = manifest("AddressPool", "office", {
    protocol: "layer2",
    addresses: ["172.30.0.100-172.30.0.100"],
  });
  const { services, code } = planned({ manifests: [shrunk] as never });
  assert.equal(services.length, 1);
  assert.deepEqual(services[0]?.lost, ["172.30.0.101"]);
  assert.match(services[0]?.refusal ?? "", /^PoolExhausted: /);
  assert.equal(code, 2);
});

test("without its pool a Service gets an address of another one", () => {
  const pools = [
    pool("office", { addresses: ["172.30.0.100-172.30.0.101"] }),
    pool("spare", { addresses: ["172.30.0.120-172.30.0.125"], serviceAllocation: { priority: 200 } }),
  ];
  const { services, moves } = planned({ withoutPools: ["office"] as never }, { pools });
  assert.deepEqual(
    services.map(({ service: key, lost, given }) => [key, lost, given]),
    [
      ["default/mail", ["172.30.0.101"], ["172.30.0.120"]],
      ["default/web", ["172.30.0.100"], ["172.30.0.121"]],
    ],
  );
  assert.deepEqual(moves, []);
});

test("a new Service gets what is left, or is refused", () => {
  const one = manifest("Service", "new", { type: "LoadBalancer", ports: [{ port: 80 }] });
  assert.match(planned({ manifests: [one] as never }).services[0]?.refusal ?? "", /^PoolExhausted/);
  const { services } = planned({ manifests: [one] as never }, { services: parts.services.slice(0, 1) });
  assert.deepEqual(services, [{ service: "default/new", given: ["172.30.0.101"], lost: [] }]);
});

test("drained: exactly the node's addresses move, to where speakers will elect", () => {
  const before = addressesOf(worldOf(snapshot(parts)));
  for (const node of ["n1", "n2", "n3"]) {
    const { moves } = planned({ drained: [node] as never });
    const own = before.filter(({ owner }) => owner === node).map(({ vip }) => vip);
    assert.deepEqual(
      moves.map(({ address, from }) => [address, from]),
      own.map((vip) => [vip, [node]]),
    );
    const leases = [1, 2, 3].filter((number) => `n${number}` !== node).map((number) => lease(number));
    const after = new Map(
      addressesOf(worldOf(snapshot({ ...parts, leases }))).map((one) => [one.vip, one.owner]),
    );
    for (const { address, to } of moves) assert.deepEqual(to, [after.get(address)]);
  }
});

test("with Sticky addresses are with the nodes that report them, if all speakers hear claims", () => {
  const loadBalancers = [
    {
      metadata: { name: "loadbalancer", namespace: "genkan-system", uid: "l", resourceVersion: "1" },
      spec: { layer2: { stickiness: "Sticky" } },
    },
  ];
  const leases = [1, 2, 3].map((number) => lease(number, { hearsClaims: true }));
  const owners = (more: object): (string | undefined)[] =>
    addressesOf(worldOf(snapshot({ ...parts, loadBalancers, leases, ...more }))).map(({ owner }) => owner);
  const elected = owners({});
  for (const name of ["n1", "n2", "n3"]) {
    const addresses = [{ address: "172.30.0.100" }, { address: "172.30.0.101" }];
    const speakers = [{ metadata: { name, namespace: "genkan-system" }, status: { addresses } }];
    assert.deepEqual(owners({ speakers }), [name, name]);
    assert.deepEqual(owners({ speakers, leases: [lease(1), ...leases.slice(1)] }), elected);
    const { moves } = planned({ drained: [name] as never }, { loadBalancers, leases, speakers });
    assert.deepEqual(
      moves.map(({ from }) => from),
      [[name], [name]],
    );
  }
});

test("BGP: what routers hear no more, node by node", () => {
  const peer = {
    metadata: { name: "tor", namespace: "genkan-system", uid: "p", resourceVersion: "1" },
    spec: { myASN: 64_512, peerASN: 64_513, peerAddress: "172.30.0.250" },
  };
  const pools = [pool("office", { protocol: "bgp", addresses: ["172.30.0.100-172.30.0.101"] })];
  const { prefixes, moves } = planned({ drained: ["n3"] as never }, { peers: [peer], pools });
  assert.deepEqual(prefixes, [
    { node: "n3", peer: "tor", advertised: [], withdrawn: ["172.30.0.100/32", "172.30.0.101/32"] },
  ]);
  assert.equal(moves.length, 2);
  const selected = manifest("BGPPeer", "tor", { ...peer.spec, nodeSelectors: [{ matchLabels: { a: "b" } }] });
  const all = planned({ manifests: [selected] as never }, { peers: [peer], pools });
  assert.deepEqual(
    all.prefixes.map(({ node }) => node),
    ["n1", "n2", "n3"],
  );
  assert.deepEqual(all.moves, []);
});

test("what the cluster would not take is said, and does nothing", () => {
  const overlapping = manifest("AddressPool", "other", { protocol: "layer2", addresses: ["172.30.0.0/24"] });
  const { refused, code, services } = planned({
    manifests: [overlapping] as never,
    withoutPools: ["none"] as never,
  });
  assert.equal(refused.length, 2);
  assert.match(refused[1] ?? "", /^AddressPool other: spec\.addresses\[0\]: .* overlaps /);
  assert.deepEqual([services, code], [[], 1]);
});

test("flows at risk: of a drained node the share of its pods; of a moved address all, where nodes do not agree", () => {
  const risks = (change: Partial<typeof NOTHING>, more: object = {}) =>
    (planned(change, more) as unknown as { flowsAtRisk: Risk[] }).flowsAtRisk.map(
      ({ service: key, share, why }) => [...[key, share, why.length]],
    );
  assert.deepEqual(risks({}), []);
  // n1 has one of the two pods of web, and none of mail.
  assert.deepEqual(risks({ drained: ["n1"] as never }), [["default/web", 0.5, 1]]);
  const balancer = {
    metadata: { name: "loadbalancer", namespace: "genkan-system", uid: "l", resourceVersion: "1" },
    spec: { forwarding: { mode: "IPVS", scheduler: "rr" } },
  };
  const owner = planned({ drained: ["n2"] as never }).moves[0];
  assert.ok(owner !== undefined);
  assert.deepEqual(
    risks({ drained: [owner.from[0]] as never }, { loadBalancers: [balancer] })
      .filter(([, share]) => share === 1)
      .map(([key]) => key),
    planned({ drained: [owner.from[0]] as never })
      .moves.map(({ address }) => (address === "172.30.0.100" ? "default/web" : "default/mail"))
      .sort(),
  );
  const pools = [pool("other", { addresses: ["172.30.0.120-172.30.0.125"] })];
  assert.deepEqual(
    risks(
      { withoutPools: ["office"] as never },
      { pools: [pool("office", { addresses: ["172.30.0.100-172.30.0.101"] }), ...pools] },
    ),
    [
      ["default/mail", 1, 1],
      ["default/web", 1, 1],
    ],
  );
});
