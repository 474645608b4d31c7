import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { forwardingCondition } from "#api/forwarding-ids.ts";
import type { EndpointSlice, LoadBalancer, Node, Service } from "#common/kube/resource.ts";
import { OptionsError, readOptions } from "../options.ts";
import { roleOf } from "../plan/role.ts";
import { parseState, projectLoadBalancer, projectNode, projectService, projectSlice } from "./project.ts";

const metadata = {
  name: "web",
  namespace: "default",
  uid: "u",
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
};

function serviceOf(changes: { spec?: object; status?: object; annotations?: object }): Service {
  const spec = { type: "LoadBalancer", ports: [{ port: 80, name: "http" }], ...changes.spec };
  const status = {
    loadBalancer: { ingress: [{ ip: "FD30:0::200" }, { ip: "172.30.0.200" }] },
    conditions: [forwardingCondition(["pool"], { "IPv4/TCP/80": 7, x: -1 })],
    ...changes.status,
  };
  return {
    metadata: { ...metadata, annotations: changes.annotations ?? {}, labels: { tier: "web" } },
    spec,
    status,
  } as unknown as Service;
}

describe("Services", () => {
  test("ours with addresses: canonical and sorted, wrong ids left out", () => {
    const found = projectService(
      serviceOf({ spec: { externalTrafficPolicy: "Local", sessionAffinity: "ClientIP" } }),
    );
    assert.deepEqual(found?.vips, ["172.30.0.200", "fd30::200"]);
    assert.deepEqual(found?.ids, { "IPv4/TCP/80": 7 });
    assert.deepEqual(found?.ports, [{ name: "http", protocol: "TCP", port: 80 }]);
    assert.deepEqual([found?.isLocal, found?.hasAffinity], [true, true]);
    assert.deepEqual(found?.labels, { tier: "web" });
  });

  test("others are not kept", () => {
    assert.equal(projectService(serviceOf({ spec: { type: "ClusterIP" } })), undefined);
    assert.equal(projectService(serviceOf({ status: { loadBalancer: {} } })), undefined);
  });

  test("only the controller's word in the status counts: whoever edits Services writes annotations, too", () => {
    const annotations = {
      "genkan.dev/forwarding-ids": '{"IPv4/TCP/80":1}',
      "genkan.dev/ip-allocated-from-pool": "other",
    };
    assert.deepEqual(projectService(serviceOf({ annotations }))?.ids, { "IPv4/TCP/80": 7 });
    assert.equal(projectService(serviceOf({ annotations, status: { conditions: [] } })), undefined);
  });
});

test("slices: absent conditions mean ready (EndpointSlice's API), names instead of addresses are not kept", () => {
  const labels = { "kubernetes.io/service-name": "web" };
  const raw = {
    metadata: { ...metadata, labels },
    addressType: "IPv6",
    ports: [{ port: 8080, name: "http" }, { name: "all ports" }],
    endpoints: [
      { addresses: ["FD44::0001", "fd44::2"], nodeName: "n1" },
      { addresses: ["fd44::3"], conditions: { ready: false, serving: true, terminating: true } },
    ],
  } as unknown as EndpointSlice;
  assert.deepEqual(projectSlice(raw), {
    family: "IPv6",
    service: "default/web",
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    endpoints: [
      { address: "fd44::1", node: "n1", isReady: true, isServing: true, isTerminating: false },
      { address: "fd44::3", node: "", isReady: false, isServing: true, isTerminating: true },
    ],
  });
  assert.equal(projectSlice({ ...raw, addressType: "FQDN" }), undefined);
  assert.equal(projectSlice({ ...raw, metadata }), undefined);
});

describe("endpoints that no node can forward to are left out alone, and named", () => {
  const CASES: readonly [family: "IPv4" | "IPv6", address: string, why: RegExp][] = [
    ["IPv4", "0.0.0.0", /0\.0\.0\.0\/8/],
    ["IPv4", "127.0.0.1", /loopback/],
    ["IPv4", "169.254.169.254", /link-local/],
    ["IPv4", "239.1.1.1", /multicast/],
    ["IPv4", "255.255.255.255", /broadcast/],
    ["IPv4", "fd00::1", /no IPv4 address/],
    ["IPv4", "010.0.0.1", /no address/],
    ["IPv6", "::", /unspecified/],
    ["IPv6", "::1", /loopback/],
    ["IPv6", "fe80::1", /link-local/],
    ["IPv6", "ff0e::1", /multicast/],
    ["IPv6", "::ffff:10.0.0.1", /no address/],
    ["IPv6", "10.0.0.1", /no IPv6 address/],
  ];
  for (const [addressType, bad, why] of CASES) {
    test(`${addressType} ${bad}`, () => {
      const good = addressType === "IPv4" ? "10.0.0.7" : "fd00::7";
      const endpoints = [{ addresses: [bad] }, { addresses: [good] }];
      const labels = { "kubernetes.io/service-name": "web" };
      const raw = { metadata: { ...metadata, labels }, addressType, endpoints } as EndpointSlice;
      const found = projectSlice(raw);
      assert.deepEqual(
        found?.endpoints.map(({ address }) => address),
        [good],
      );
      assert.equal(found?.unusable?.[0]?.address, bad);
      assert.match(found?.unusable?.[0]?.why ?? "", why);
    });
  }

  test("a port that is none is left out", () => {
    const labels = { "kubernetes.io/service-name": "web" };
    const ports = [0, 65_536, 1.5, "80", 80].map((port) => ({ port }));
    const raw = { metadata: { ...metadata, labels }, addressType: "IPv4", ports, endpoints: [] };
    assert.deepEqual(projectSlice(raw as unknown as EndpointSlice)?.ports, [
      { name: "", protocol: "TCP", port: 80 },
    ]);
  });
});

test("nodes: the first InternalIP of each family", () => {
  const addresses = [
    { type: "ExternalIP", address: "198.51.100.1" },
    { type: "InternalIP", address: "172.30.0.1" },
    { type: "InternalIP", address: "172.30.0.2" },
    { type: "InternalIP", address: "FD30::1" },
  ];
  const raw = { metadata: { ...metadata, labels: { a: "b" } }, status: { addresses } } as unknown as Node;
  const { addresses: found, own, labels } = projectNode(raw);
  assert.deepEqual([found, labels], [{ IPv4: "172.30.0.1", IPv6: "fd30::1" }, { a: "b" }]);
  assert.deepEqual(own, ["198.51.100.1", "172.30.0.1", "172.30.0.2", "fd30::1"]);
});

test("nodes: from which addresses their pod network sends what they tunnel", () => {
  const annotations = {
    "projectcalico.org/IPv4IPIPTunnelAddr": "10.9.3.7",
    "projectcalico.org/IPv4Address": "172.30.0.1/24",
    "network.cilium.io/ipv6-cilium-host": "no address",
    other: "10.9.9.9",
  };
  const spec = { podCIDRs: ["10.244.3.0/24", "fd44:3::/64", "nonsense"] };
  const raw = { metadata: { ...metadata, annotations }, spec } as unknown as Node;
  assert.deepEqual(projectNode(raw).tunnelSources, [
    "172.30.0.1",
    "10.9.3.7",
    "10.244.3.0",
    "10.244.3.1",
    "fd44:3::",
    "fd44:3::1",
  ]);
  assert.deepEqual(projectNode({ metadata } as unknown as Node).tunnelSources, []);
});

test("the LoadBalancer's defaults, and what a node has to do", () => {
  const raw = {
    metadata: { ...metadata, generation: 3 },
    spec: { nodeSelector: { a: "b" } },
  } as unknown as LoadBalancer;
  const view = projectLoadBalancer(raw);
  assert.deepEqual([view.mode, view.scheduler, view.generation], ["IPVS", "mh", 3]);
  const node = (labels: Record<string, string>) => ({ name: "n", labels, addresses: {}, own: [] });
  assert.equal(roleOf(view, node({ a: "b" })), "Active");
  assert.equal(roleOf(view, undefined), "Active");
  assert.equal(roleOf(view, node({})), "NodeNotSelected");
  assert.equal(roleOf({ ...view, isDeleting: true }, node({ a: "b" })), "LoadBalancerDeleted");
  assert.equal(roleOf(undefined, node({ a: "b" })), "LoadBalancerAbsent");
});

test("another speaker's state is read with care", () => {
  const good = { isReady: true, links: [{ name: "eth0", prefixes: ["172.30.0.1/24"] }] };
  assert.deepEqual(parseState(JSON.stringify(good)), good);
  const withHardware = { isReady: true, links: [{ name: "eth0", prefixes: [], hardware: "020000000001" }] };
  assert.deepEqual(parseState(JSON.stringify(withHardware)), withHardware);
  for (const bad of [undefined, "", "{", "3", "null", "[]", '{"isReady":1,"links":[]}', '{"isReady":true}']) {
    assert.equal(parseState(bad), undefined, String(bad));
  }
  const link = (changes: object): string =>
    JSON.stringify({ ...good, links: [...good.links, { name: "y", prefixes: [], ...changes }] });
  assert.equal(parseState(link({}))?.links.length, 2);
  for (const bad of [
    ...[{ name: 1 }, { name: "x".repeat(2_000) }, { prefixes: 3 }, { prefixes: [1] }, { hardware: "x" }],
    ...["172.30.0.1/x", "172.30.0.1/33", "172.30.0.1", "/24", "1/1e400", "fd30::1/-1"].map((one) => ({
      prefixes: [one],
    })),
    { prefixes: Array(256).fill("172.30.0.1/24") },
  ]) {
    assert.equal(parseState(link(bad)), undefined, JSON.stringify(bad).slice(0, 100));
  }
  assert.equal(parseState(JSON.stringify({ ...good, links: Array(65).fill(good.links[0]) })), undefined);
  assert.equal(parseState(JSON.stringify({ ...good, more: "x".repeat(70_000) })), undefined);
});

test("options name the variable, its value and the rule", () => {
  assert.deepEqual(readOptions({ NODE_NAME: "n1" }).identity, "n1");
  const bad: readonly [env: Record<string, string>, words: RegExp][] = [
    [{}, /NODE_NAME/],
    [{ NODE_NAME: "n1", LOG_LEVEL: "loud" }, /LOG_LEVEL is "loud".*info/],
    [{ NODE_NAME: "n1", HTTP_PORT: "70000" }, /HTTP_PORT is "70000"/],
    [{ NODE_NAME: "n1", HTTP_PORT: "x" }, /HTTP_PORT is "x"/],
  ];
  for (const [env, words] of bad) {
    assert.throws(
      () => readOptions(env),
      (error) => error instanceof OptionsError && words.test(error.message),
    );
  }
});

const balancer = (spec: object): LoadBalancer =>
  ({ metadata: { name: "loadbalancer", namespace: "ns" }, spec }) as LoadBalancer;

test("whether traffic of Services is measured", () => {
  const measures = (spec: object): unknown => projectLoadBalancer(balancer(spec)).measuresTraffic;
  assert.deepEqual(
    [measures({}), measures({ serviceTraffic: "Off" }), measures({ serviceTraffic: "Measured" })],
    [undefined, undefined, true],
  );
  assert.throws(() => measures({ serviceTraffic: "Some" }), /spec\.serviceTraffic/);
});

test("whether nodes share connections: unless it says otherwise, where tunnels say for which pod a packet is", () => {
  const shares = (forwarding: object): boolean =>
    projectLoadBalancer(balancer({ forwarding })).connectionSync;
  assert.deepEqual(
    [shares({}), shares({ tunnel: "gue" }), shares({ tunnel: "none" }), shares({ connectionSync: false })],
    [true, true, false, false],
  );
  assert.equal(shares({ tunnel: "none", connectionSync: true }), true);
});

test("a node's own pods come first only where connections are shared", () => {
  const prefers = (forwarding: object): true | undefined =>
    projectLoadBalancer(balancer({ forwarding })).prefersLocal;
  const asked = { preferLocal: true };
  assert.deepEqual(
    [
      prefers({}),
      prefers(asked),
      prefers({ ...asked, connectionSync: false }),
      prefers({ ...asked, tunnel: "none" }),
    ],
    [undefined, true, undefined, undefined],
  );
  assert.equal(prefers({ ...asked, tunnel: "none", connectionSync: true }), true);
});

test("a LoadBalancer's log level; one that is none is named", () => {
  assert.equal(projectLoadBalancer(balancer({ logLevel: "debug" })).logLevel, "debug");
  assert.equal("logLevel" in projectLoadBalancer(balancer({ logLevel: "info" })), false);
  assert.throws(() => projectLoadBalancer(balancer({ logLevel: "loud" })), /spec\.logLevel/);
});
