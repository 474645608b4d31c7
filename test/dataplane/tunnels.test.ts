/**
 * Flows between three nodes by each tunnel, and over each change from one to another: none is lost, whatever moment a
 * node hears of it. With all ICMP filtered, so that only the segment size keeps large segments going.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { GuestOptions } from "#hack/guest/guest.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import type { Tunnel } from "#speaker/forwarding/encapsulation.ts";
import { BareNodes } from "#test/dataplane/bare-nodes.ts";
import type { FlowSummary } from "#test/dataplane/flows.ts";
import { isLong } from "#test/network/inside.ts";
import { script } from "#test/network/machine.ts";

const COUNT = 6;
/** Several segments of the largest size. */
const CHUNK_BYTES = 6_000;
const KINDS: readonly Tunnel[] = ["ipip", "gre", "gue", "none"];
/** To each of them, and from each. */
const CHANGES: readonly (readonly [from: Tunnel, to: Tunnel])[] = [
  ["ipip", "gre"],
  ["gre", "gue"],
  ["gue", "none"],
  ["none", "ipip"],
  ["ipip", "none"],
];
/** Where all is emulated it takes minutes: `make test-long` alone does so. */
const WORLDS: readonly {
  readonly what: string;
  readonly options: GuestOptions;
}[] = hasIpvs()
  ? [{ what: "this kernel", options: {} }]
  : [
      { what: "a guest of the default kind", options: {} },
      ...(isLong ? [{ what: "a guest under qemu", options: { kernel: "qemu" } as const }] : []),
    ];

let nodes: BareNodes;

/** What came to a node by each tunnel since it was last asked. */
const WITNESS = `nft -f - <<'END'
table inet witness {
  counter ipip { }
  counter gre { }
  counter gue { }
  counter none { }
  set nodes { type ether_addr; }
  chain early { type filter hook prerouting priority -500;
    iifname "eth0" meta l4proto { 4, 41 } counter name ipip
    iifname "eth0" meta l4proto 47 counter name gre
    iifname "eth0" udp dport 7476 counter name gue
    iifname "eth0" tcp dport 80 ether saddr @nodes counter name none
  }
}
END`;

async function begin(options: GuestOptions): Promise<void> {
  nodes = await BareNodes.start(options);
  const { machine, topology } = nodes;
  const filter =
    "nft 'add table inet filtered; add chain inet filtered c { type filter hook input priority 0; }; add rule inet filtered c meta l4proto { 1 } drop; add rule inet filtered c icmpv6 type { 1, 2, 3 } drop'";
  for (const netns of [topology.client.netns, ...topology.pods.map((pod) => pod.netns)])
    await script(machine, filter, { netns });
  for (const name of nodes.names()) await nodes.on(name, WITNESS);
  const hardware: string[] = [];
  for (const name of nodes.names())
    hardware.push(/link\/ether (\S+)/.exec(await nodes.on(name, "ip -o link show eth0"))?.[1] ?? "");
  for (const name of nodes.names())
    await nodes.on(name, `nft add element inet witness nodes { ${hardware.join(", ")} }`);
}

async function came(): Promise<Record<string, boolean>> {
  const seen: Record<string, boolean> = { ipip: false, gre: false, gue: false, none: false };
  for (const name of nodes.names()) {
    const text = await nodes.on(name, "nft reset counters table inet witness");
    for (const [, kind = "", packets] of text.matchAll(/counter (\w+) \{\s*packets (\d+)/g))
      if (Number(packets) > 0) seen[kind] = true;
  }
  return seen;
}

function whole({ flows, broken, stalled, wrongBytes, moved, pods, clients }: FlowSummary): void {
  // Where all is emulated, two seconds without an echo say nothing. That all flows have had echoes was waited for.
  const silent = nodes.machine.isEmulated ? 0 : stalled;
  assert.deepEqual(
    { broken, stalled: silent, wrongBytes, moved },
    { broken: 0, stalled: 0, wrongBytes: 0, moved: 0 },
  );
  assert.equal(flows, 2 * COUNT);
  assert.ok(Object.keys(pods).length >= 3, JSON.stringify(pods));
  const { client } = nodes.topology;
  assert.deepEqual(clients, [client.IPv4, client.IPv6].sort());
}

const flows = () => nodes.flows({ count: COUNT, chunkBytes: CHUNK_BYTES });

for (const { what, options } of WORLDS) {
  describe(`tunnels, ${what}`, { concurrency: false }, () => {
    before(() => begin(options));
    after(async () => nodes?.[Symbol.asyncDispose]());

    for (const tunnel of KINDS) {
      test(`${tunnel}: large transfers in both families, by it alone; pods see the client`, async () => {
        await nodes.tellAll({ tunnel });
        await nodes.reachBy("n1");
        await came();
        const running = await flows();
        await running.progress(5);
        whole(await running.stop());
        const expected = { ipip: false, gre: false, gue: false, none: false };
        assert.deepEqual(await came(), { ...expected, [tunnel]: true });
      });
    }

    for (const [from, to] of CHANGES) {
      test(`from ${from} to ${to}, node by node, under traffic by all nodes: no flow is lost`, async () => {
        await nodes.tellAll({ tunnel: from });
        await nodes.reachBy(...nodes.names());
        const running = await flows();
        // Nodes hear of it one after the other, and send by it once all others take it.
        for (const name of nodes.names()) {
          await nodes.tell(name, { tunnel: to, sends: from === "none" ? "ipip" : from });
          await running.progress(2);
        }
        for (const name of nodes.names()) {
          await nodes.tell(name, { tunnel: to });
          await running.progress(2);
        }
        // And they may come by any node after that.
        await nodes.reachBy("n3");
        await running.progress(3);
        whole(await running.stop());
      });
    }

    test("nothing is left of any of them", async () => {
      for (const name of nodes.names()) {
        await nodes.remove(name);
        assert.doesNotMatch(
          await nodes.on(name, "ip -br link; ip fou show 2>/dev/null || true"),
          /genkan|7476/,
        );
      }
    });
  });
}
