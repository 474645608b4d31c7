/**
 * Other programs' rules and settings on the nodes, as they leave them there: flows begin, go on over a move of the address
 * to another node, and pods see the client. Nothing of theirs is changed.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BareNodes, type Told } from "#test/dataplane/bare-nodes.ts";
import { script } from "#test/network/machine.ts";

const COUNT = 10;
/** Several segments of the largest size. */
const CHUNK_BYTES = 6_000;

let nodes: BareNodes;

before(async () => {
  nodes = await BareNodes.start();
});
after(async () => nodes?.[Symbol.asyncDispose]());

const onAll = async (text: (name: string) => string): Promise<string[]> => {
  const said: string[] = [];
  for (const name of nodes.names()) said.push(await nodes.on(name, text(name)));
  return said;
};

/** Flows by one node, then by another, then by all. */
async function goesOn(told: Told = {}, seenAs?: readonly string[]): Promise<void> {
  await nodes.tellAll(told);
  await nodes.reachBy("n1");
  const flows = await nodes.flows({ count: COUNT, chunkBytes: CHUNK_BYTES });
  for (const by of [["n2"], ["n3"], nodes.names()]) {
    await nodes.reachBy(...by);
    await flows.progress(3, 60_000);
  }
  const { broken, stalled, wrongBytes, moved, pods, clients } = await flows.stop();
  assert.deepEqual(
    { broken, stalled, wrongBytes, moved },
    { broken: 0, stalled: 0, wrongBytes: 0, moved: 0 },
  );
  assert.ok(Object.keys(pods).length >= 3, JSON.stringify(pods));
  const { client } = nodes.topology;
  assert.deepEqual(clients, seenAs ?? [client.IPv4, client.IPv6].sort());
}

/** What others have put on all nodes stays as it is while ours works. */
async function beside(names: string, made: (name: string) => string, removed: string): Promise<void> {
  await onAll(made);
  const before = await onAll(() => names);
  await goesOn();
  assert.deepEqual(await onAll(() => names), before);
  await onAll(() => removed);
}

describe("what others have on the nodes", { concurrency: false }, () => {
  for (const value of [0, 1, 2]) {
    test(`rp_filter ${value}`, async () => {
      const set = (to: number): Promise<unknown> =>
        onAll(
          () =>
            `sysctl -qw net.ipv4.conf.all.rp_filter=${to} net.ipv4.conf.eth0.rp_filter=${to} net.ipv4.conf.cni0.rp_filter=${to}`,
        );
      await set(value);
      await goesOn();
      assert.deepEqual(
        await onAll(() => "sysctl -n net.ipv4.conf.all.rp_filter"),
        nodes.names().map(() => `${value}\n`),
      );
      await set(2);
    });
  }

  test("docker's masquerade of all that pods send elsewhere", async () => {
    const { topology } = nodes;
    const cidrs = (name: string) => topology.nodes.find((node) => node.name === name)?.podCidr;
    await beside(
      "nft -s list table inet docker",
      (name) => `nft -f - <<'END'
table inet docker {
  chain post { type nat hook postrouting priority srcnat;
    ip saddr ${cidrs(name)?.IPv4} oifname != "cni0" masquerade
    ip6 saddr ${cidrs(name)?.IPv6} oifname != "cni0" masquerade
  }
}
END`,
      "nft delete table inet docker",
    );
  });

  test("an agent that saves marks in connections and puts them back", async () => {
    await onAll(
      () => `nft -f - <<'END'
table inet agent {
  counter ours { }
  chain pre { type filter hook prerouting priority mangle; ct mark != 0 meta mark set ct mark; meta mark set meta mark | 0x10000; ct mark set meta mark; }
  chain out { type filter hook output priority mangle - 5; meta mark set ct mark; }
  chain post { type filter hook postrouting priority mangle + 5; meta mark & 0x1000 == 0x1000 counter name ours; ct mark set meta mark; }
}
END`,
    );
    await goesOn();
    for (const text of await onAll(() => "nft list counter inet agent ours"))
      assert.match(text, /packets 0 /, "a mark of ours was left to somebody else");
    await onAll(() => "nft delete table inet agent");
  });

  test("kube-proxy in its IPVS mode: it has the address on its link, and a virtual server for it", async () => {
    const { IPv4, IPv6 } = nodes.vip;
    const pods = nodes.topology.pods;
    const reals = pods.map(
      (pod) =>
        `ipvsadm -a -t ${IPv4}:80 -r ${pod.IPv4}:8080 -m; ipvsadm -a -t [${IPv6}]:80 -r [${pod.IPv6}]:8080 -m`,
    );
    await beside(
      `ipvsadm -Sn | grep -v -e ' -f ' | sort; ip -br addr show kube-ipvs0`,
      () => `ip link add kube-ipvs0 type dummy
ip addr add ${IPv4}/32 dev kube-ipvs0
ip -6 addr add ${IPv6}/128 dev kube-ipvs0 nodad
sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv4.vs.conntrack=1
ipvsadm -A -t ${IPv4}:80 -s rr
ipvsadm -A -t [${IPv6}]:80 -s rr
${reals.join("\n")}`,
      `ipvsadm -D -t ${IPv4}:80; ipvsadm -D -t [${IPv6}]:80; ip link del kube-ipvs0; sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0`,
    );
  });

  test("returnPath SNAT: pods see nodes, by whichever they came", async () => {
    await nodes.tellAll({ returnPath: "snat" });
    const { client, nodes: places, pods } = nodes.topology;
    for (const name of nodes.names()) {
      await nodes.reachBy(name);
      const flows = await nodes.flows({ count: COUNT, chunkBytes: CHUNK_BYTES });
      await flows.progress(3, 60_000);
      const report = await flows.report();
      await flows.stop();
      const place = places.find((node) => node.name === name);
      for (const { pods: by, clients, failure } of report.flows) {
        assert.equal(failure, undefined);
        const pod = pods.find((one) => one.name === by[0]);
        const expected = pod?.node === name ? [client.IPv4, client.IPv6] : [place?.IPv4, place?.IPv6];
        assert.ok(expected.includes(clients[0]), `${name}, ${by[0]}: ${clients[0]}`);
      }
      assert.ok(new Set(report.flows.map(({ pods: by }) => by[0])).size >= 3);
    }
  });

  test("a node that starts anew with nothing, and with a list that is old", async () => {
    const [old, ...present] = nodes.topology.pods;
    await nodes.tellAll({ pods: present });
    await nodes.reachBy("n1");
    const flows = await nodes.flows({ count: COUNT });
    await nodes.end("n3");
    // As after a restart of the machine: nothing of ours is in the kernel, but what its files say may be.
    await nodes.on(
      "n3",
      `nft delete table inet genkan; ipvsadm -C; ip link del genkan4; ip link del genkan6
for family in -4 -6; do ip $family rule del pref 100; ip $family route flush table 7077; done; sysctl -qw net.ipv4.vs.sloppy_tcp=0`,
    );
    nodes.begin("n3");
    await nodes.tell("n3", { pods: [old, ...present].filter((pod) => pod !== undefined) });
    await flows.progress(2, 60_000);
    await nodes.tell("n3", { pods: present });
    await nodes.reachBy("n3");
    await flows.progress(3, 60_000);
    const { broken, stalled } = await flows.stop();
    // Of n3's own pod the connections had no entry any more: sloppy_tcp takes them up.
    assert.deepEqual({ broken, stalled }, { broken: 0, stalled: 0 });
  });

  describe("an overlay with a smaller MTU, as flannel's vxlan, with all ICMP filtered", () => {
    const PORT = 8472;
    before(async () => {
      const { machine, topology } = nodes;
      for (const netns of [topology.client.netns, ...topology.pods.map((pod) => pod.netns)])
        await script(
          machine,
          "nft 'add table inet filtered; add chain inet filtered c { type filter hook input priority 0; }; add rule inet filtered c meta l4proto { 1 } drop; add rule inet filtered c icmpv6 type { 1, 2, 3 } drop'",
          { netns },
        );
      const hardware = (at: number): string => `02:00:00:00:01:0${at}`;
      for (const [at, node] of topology.nodes.entries()) {
        const own = [node.podCidr.IPv4.replace("/24", "/32"), node.podCidr.IPv6.replace("/64", "/128")];
        const lines = [
          `ip link add flannel.1 address ${hardware(at)} type vxlan id 1 dstport ${PORT} local ${node.IPv4} dev eth0 nolearning`,
          `ip link set flannel.1 mtu 1450 up`,
          `ip addr add ${own[0]} dev flannel.1`,
          `ip -6 addr add ${own[1]} dev flannel.1 nodad`,
          "ip link set cni0 mtu 1450",
        ];
        for (const [other, { podCidr, IPv4, name }] of topology.nodes.entries()) {
          if (name === node.name) continue;
          const via = { IPv4: podCidr.IPv4.replace("/24", ""), IPv6: podCidr.IPv6.replace("/64", "") };
          lines.push(
            `bridge fdb append ${hardware(other)} dev flannel.1 dst ${IPv4}`,
            `ip neigh replace ${via.IPv4} lladdr ${hardware(other)} dev flannel.1 nud permanent`,
            `ip -6 neigh replace ${via.IPv6} lladdr ${hardware(other)} dev flannel.1 nud permanent`,
            `ip route replace ${podCidr.IPv4} via ${via.IPv4} dev flannel.1 onlink`,
            `ip -6 route replace ${podCidr.IPv6} via ${via.IPv6} dev flannel.1 onlink`,
          );
        }
        await nodes.on(node.name, lines.join("\n"));
      }
      for (const pod of topology.pods)
        await script(machine, "ip link set eth0 mtu 1450", { netns: pod.netns });
    });

    const sources = (): string[] =>
      nodes.topology.nodes.flatMap(({ podCidr }) => [
        podCidr.IPv4.replace("/24", ""),
        podCidr.IPv6.replace("/64", ""),
      ]);
    for (const tunnel of ["ipip", "none"] as const)
      test(tunnel, () => goesOn({ tunnel, sources: sources() }));
  });
});
