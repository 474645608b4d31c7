import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import { corefile, DNS_PORT, dnsObjects } from "#hack/lab/dns-files.ts";
import { CLUSTER_DNS, layoutOf, SERVICE_RANGES } from "#hack/lab/layout.ts";

const layout = layoutOf(3);

test("the server listens on the lab's bridge alone, and has nobody to ask", () => {
  const text = corefile(layout, "/x/kubeconfig");
  assert.match(text, /^\s+bind 172\.30\.3\.254 fd30:3::fe$/m);
  assert.match(text, /^\s+kubeconfig \/x\/kubeconfig$/m);
  assert.doesNotMatch(text, /forward|resolv\.conf/);
});

test("its addresses in the cluster are of the ranges that Services have", () => {
  const ranges = new BlockList();
  for (const range of SERVICE_RANGES) {
    const [network = "", length] = range.split("/");
    ranges.addSubnet(network, Number(length), network.includes(":") ? "ipv6" : "ipv4");
  }
  assert.ok(ranges.check(CLUSTER_DNS.v4, "ipv4"));
  assert.ok(ranges.check(CLUSTER_DNS.v6, "ipv6"));
});

test("the Service leads to it, by both families and both protocols", () => {
  const { items } = JSON.parse(JSON.stringify(dnsObjects(layout)));
  const service = items.find(({ kind }: { kind: string }) => kind === "Service");
  const slices = items.filter(({ kind }: { kind: string }) => kind === "EndpointSlice");
  assert.deepEqual(service.spec.clusterIPs, [CLUSTER_DNS.v4, CLUSTER_DNS.v6]);
  assert.deepEqual(
    slices.map((slice: { endpoints: Array<{ addresses: string[] }> }) => slice.endpoints[0]?.addresses),
    [[layout.host.v4], [layout.host.v6]],
  );
  for (const slice of slices) {
    assert.equal(slice.metadata.labels["kubernetes.io/service-name"], service.metadata.name);
    // kube-proxy finds a port by its name.
    assert.deepEqual(
      slice.ports,
      service.spec.ports.map(({ name, protocol }: { name: string; protocol: string }) => ({
        name,
        protocol,
        port: DNS_PORT,
      })),
    );
  }
});
