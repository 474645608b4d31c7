/** Routers whose addresses no BGPPeer names: the node's default gateway, and whoever connects from a prefix. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { PeerView } from "#speaker/known/view.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Frr } from "./frr.ts";
import { Lab, plain } from "./frr-pair.ts";
import { workDirectory } from "./router.ts";
import { asnOf, mainAddress, numberOf, sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX = "198.18.0.1/32";

/** What a speaker plans for a BGPPeer that is like that of the session, but names no address. */
function wantedElsewhere(session: string, more: Partial<PeerView>) {
  const { address: _address, sourceAddress: _source, ...rest } = peerView(sessionNamed(session));
  const wanted = planOf([{ ...rest, ...more }]).get(session);
  assert.ok(wanted);
  return new Map([[session, { ...wanted, advertisements: [plain(PREFIX)] }]]);
}

for (const name of ["frr-eBGP-IPv4-plain", "frr-iBGP-IPv4-md5"]) {
  test(
    `${name}: FRR connects from an address of the BGPPeer's listenRange, and is told what all are`,
    TIMEOUT,
    async () => {
      await using lab = await Lab.start("gkp", sessionNamed(name));
      const range = `${lab.session.peer.address}/32`.replace(/\.\d+\/32$/, ".0/24");
      await lab.device.reconcile(wantedElsewhere(name, { range, maximumSessions: 1 }));
      await lab.established();
      await lab.shows([PREFIX]);
      const [report, ...more] = await lab.device.sessions();
      assert.deepEqual([report?.address, report?.state, more], [lab.session.peer.address, "Established", []]);
      await lab.device.reconcile(new Map());
      await lab.shows([]);
    },
  );
}

test("the default gateway is the peer, and another one is when the route has changed", TIMEOUT, async (t) => {
  const topology = new Topology("gkg");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("gateway");
  t.after(() => rmSync(directory, { recursive: true }));
  const node = mainAddress.IPv4(0);
  const routers: { readonly frr: Frr; readonly address: string }[] = [];
  for (const kind of ["frr", "bird"] as const) {
    // Of either name it is FRR: the namespaces are what differs.
    const own = join(directory, kind);
    mkdirSync(own);
    const namespace = topology.addRouter(kind, []);
    const lines = [
      `neighbor ${node} remote-as ${sessionNamed("frr-eBGP-IPv4-plain").device.asn}`,
      `neighbor ${node} timers connect 1`,
      "address-family ipv4 unicast",
      `neighbor ${node} activate`,
      "exit-address-family",
    ];
    const frr = await Frr.start({ namespace, sessions: [], directory: own, globalLines: lines });
    t.after(() => frr.stop());
    routers.push({ frr, address: mainAddress.IPv4(numberOf(kind)) });
  }
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const name = "frr-eBGP-IPv4-plain";
  await device.reconcile(wantedElsewhere(name, { gateway: "IPv4", peerAsn: asnOf("frr") }));
  for (const [at, { frr, address }] of routers.entries()) {
    ip(`-n ${topology.device} route ${at === 0 ? "add" : "replace"} default via ${address}`);
    const hasPrefix = async (): Promise<boolean> => {
      const [report] = await device.sessions();
      if (report?.address !== address || report.state !== "Established")
        throw new Error(JSON.stringify(report));
      return (await frr.routes("IPv4")).get(node)?.[0]?.prefix === PREFIX;
    };
    await until(`the route at ${address}`, hasPrefix, { deadlineMs: 20_000, everyMs: 200 });
  }
  const atFirst = async () => (await routers[0]?.frr.routes("IPv4"))?.get(node) ?? [];
  await until("nothing at the first one", async () => (await atFirst()).length === 0, { deadlineMs: 20_000 });
  // A route that is written anew may be away for a moment.
  ip(`-n ${topology.device} route del default`);
  ip(`-n ${topology.device} route add default via ${routers[1]?.address}`);
  const [report] = await device.sessions();
  assert.deepEqual([report?.address, report?.state, report?.losses], [routers[1]?.address, "Established", 0]);
});
