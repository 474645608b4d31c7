/**
 * A BGP daemon on the node, as a CNI has one, that holds the session with the router alone: the speaker is its neighbor on
 * the node itself. The recipes are those of docs/bgp.md.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { WantedSession } from "#speaker/bgp/types.ts";
import type { PeerView } from "#speaker/known/view.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Frr } from "./frr.ts";
import { plain } from "./frr-pair.ts";
import { Daemon, output } from "./process.ts";
import { workDirectory } from "./router.ts";
import { asnOf, mainAddress, sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX = "198.18.0.1/32";
const NODE_ASN = 65_010;
const SPEAKER_ASN = 64_512;

/** A session with the node's daemon, as a BGPPeer with `peerAddress: 127.0.0.1`, and with `more`, has it. */
function wantedOnLoopback(prefixes: readonly string[], more: Partial<PeerView>): Map<string, WantedSession> {
  const { sourceAddress: _, ...view } = peerView(sessionNamed("bird-eBGP-IPv4-plain"));
  const here = { name: "on-node", address: "127.0.0.1", localAsn: SPEAKER_ASN, peerAsn: NODE_ASN };
  const own = { ...view, ...here, ...more };
  const wanted = planOf([own]).get("on-node");
  assert.ok(wanted);
  return new Map([["on-node", { ...wanted, advertisements: prefixes.map(plain) }]]);
}

/** A router in a namespace of its own, whose only neighbor is the node's daemon. */
async function world(t: TestContext) {
  const topology = new Topology("gkc");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("on-node");
  t.after(() => rmSync(directory, { recursive: true }));
  const router = join(directory, "router");
  mkdirSync(router);
  const namespace = topology.addRouter("frr", []);
  const node = mainAddress.IPv4(0);
  const frr = await Frr.start({
    namespace,
    sessions: [],
    directory: router,
    globalLines: [
      `neighbor ${node} remote-as ${NODE_ASN}`,
      `neighbor ${node} timers connect 1`,
      "address-family ipv4 unicast",
      `neighbor ${node} activate`,
      "exit-address-family",
    ],
  });
  t.after(() => frr.stop());
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const want = async (prefixes: readonly string[], more: Partial<PeerView>): Promise<void> => {
    await device.reconcile(wantedOnLoopback(prefixes, more));
  };
  const shows = async (prefixes: readonly string[]): Promise<void> => {
    await until(
      `the router to show ${prefixes.join() || "nothing"}`,
      async () => {
        const routes = (await frr.routes("IPv4")).get(node) ?? [];
        if (routes.map(({ prefix }) => prefix).join() !== prefixes.join()) {
          throw new Error(JSON.stringify([routes, await device.sessions()]));
        }
        for (const { nextHop, asPath } of routes) {
          assert.deepEqual([nextHop, asPath], [node, [NODE_ASN, SPEAKER_ASN]]);
        }
        return true;
      },
      { deadlineMs: 30_000, everyMs: 200 },
    );
  };
  return { topology, directory, node, router: mainAddress.IPv4(1), want, shows };
}

test("BIRD on the node tells the router what the speaker tells it on loopback", TIMEOUT, async (t) => {
  const { topology, directory, node, router, want, shows } = await world(t);
  writeFileSync(
    join(directory, "bird.conf"),
    `router id ${node};
protocol device {}
protocol direct { ipv4; }
protocol bgp genkan {
  local 127.0.0.1 port 1790 as ${NODE_ASN};
  neighbor 127.0.0.1 as ${SPEAKER_ASN};
  multihop;
  passive;
  ipv4 { import all; export none; gateway recursive; };
}
protocol bgp upstream {
  local ${node} as ${NODE_ASN};
  neighbor ${router} as ${asnOf("frr")};
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 { import all; export where proto = "genkan"; next hop self; };
}
`,
  );
  const command = ["bird", "-f", "-c", join(directory, "bird.conf"), "-s", join(directory, "ctl")] as const;
  const bird = new Daemon({
    namespace: topology.device,
    command: [...command],
    logFile: join(directory, "bird.log"),
  });
  t.after(() => bird.stop());
  await want([PREFIX], { port: 1790 });
  await shows([PREFIX]);
  await want([], { port: 1790 });
  await shows([]);
});

test(
  "FRR on the node does so, too, on a network of its own: by a listen range, with a next hop that is not FRR's",
  TIMEOUT,
  async (t) => {
    const { topology, directory, node, router, want, shows } = await world(t);
    const own = join(directory, "on-node");
    mkdirSync(own);
    // A link that ends on the node, as a dummy, which not every kernel has.
    ip(`-n ${topology.device} link add genkan type veth peer name genkan-end
    -n ${topology.device} addr add 169.254.179.1/30 dev genkan
    -n ${topology.device} link set genkan-end up
    -n ${topology.device} link set genkan up`);
    const frr = await Frr.start({
      namespace: topology.device,
      sessions: [],
      directory: own,
      asn: NODE_ASN,
      zebraLines: [
        "ip prefix-list GENKAN-HOP seq 10 permit 169.254.179.2/32",
        "route-map KERNEL deny 10",
        " match ip next-hop prefix-list GENKAN-HOP",
        "exit",
        "route-map KERNEL permit 20",
        "exit",
        "ip protocol bgp route-map KERNEL",
      ],
      globalLines: [
        `bgp router-id ${node}`,
        "neighbor GENKAN peer-group",
        `neighbor GENKAN remote-as ${SPEAKER_ASN}`,
        "neighbor GENKAN ebgp-multihop 2",
        "bgp listen range 169.254.179.1/32 peer-group GENKAN",
        `neighbor ${router} remote-as ${asnOf("frr")}`,
        `neighbor ${router} timers connect 1`,
        "address-family ipv4 unicast",
        "neighbor GENKAN activate",
        `neighbor ${router} activate`,
        `neighbor ${router} next-hop-self`,
        "exit-address-family",
      ],
    });
    t.after(() => frr.stop());
    const place = { address: "169.254.179.1", nextHop: { IPv4: { address: "169.254.179.2" } } };
    await want([PREFIX], place);
    await shows([PREFIX]);
    assert.equal(
      await output(topology.device, "ip", "route", "show", PREFIX),
      "",
      "not in the node's kernel",
    );
    await want([], place);
    await shows([]);
  },
);
