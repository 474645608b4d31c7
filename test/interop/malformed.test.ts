/** What a real speaker's malformed attributes cost, sent by ExaBGP as GoBGP's own scenarios of malformed messages do. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Exabgp } from "./exabgp.ts";
import { workDirectory } from "./router.ts";
import { sessionNamed } from "./session.ts";

/** An attribute as ExaBGP writes it unseen (type, flags, value), and whether the route counts. */
const CASES: readonly [what: string, attribute: string, isKept: boolean][] = [
  [
    "RFC 7606 section 3 (c): MP_REACH_NLRI of another family, with wrong flags",
    "0x0e 0x60 0x11223344",
    false,
  ],
  ["RFC 7606 section 3 (c): MP_UNREACH_NLRI of another family", "0x0f 0x60 0x11223344", false],
  ["RFC 7606 section 3 (c): AS_PATH with wrong flags", "0x02 0x60 0x11223344", false],
  ["RFC 7606 section 3 (c): AS4_PATH with wrong flags", "0x11 0x60 0x11223344", false],
  ["RFC 7606 section 3 (c): MP_REACH_NLRI of yet another family", "0x0e 0x60 0x010110ffffff0000", false],
  [
    "RFC 7606 section 3 (c): IPv6 and no route",
    "0x0e 0x60 0x0002011020010db800000000000000000000000100",
    false,
  ],
  ["RFC 7606 section 7.2: AS_PATH cut short", "0x02 0x40 0x0202ffdc", false],
  ["RFC 7606 section 7.1: ORIGIN 4", "0x01 0x40 0x04", false],
  ["RFC 7606 section 7.7: AGGREGATOR of five octets", "0x07 0xc0 0x0000006400", true],
  ["a right MULTI_EXIT_DISC", "0x04 0x80 0x00000064", true],
  ["RFC 7606 section 7.4: MULTI_EXIT_DISC of five octets", "0x04 0x80 0x0000000064", false],
  ["RFC 7606 section 7.9: ORIGINATOR_ID of two octets over eBGP", "0x09 0x80 0x0000", true],
  ["RFC 7606 section 7.8: COMMUNITIES of three octets", "0x08 0xc0 0x000000", false],
  ["RFC 7606 section 3 (c): COMMUNITIES that are well-known", "0x08 0x40 0x00000001", false],
  ["RFC 7606 section 7.14: EXTENDED COMMUNITIES of seven octets", "0x10 0xc0 0x00020000000001", false],
  ["RFC 4271 section 9: an optional attribute that nobody knows", "0x63 0xc0 0x0001", true],
];

test("malformed attributes of ExaBGP cost their routes at most, and never the session (RFC 7606)", {
  timeout: 200_000,
}, async (t) => {
  const session = sessionNamed("exabgp-eBGP-IPv4-plain");
  const topology = new Topology("gkm");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("malformed");
  t.after(() => rmSync(directory, { recursive: true }));
  const namespace = topology.addRouter("exabgp", [session]);
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const wanted = planOf([peerView(session)]).get(session.name);
  assert.ok(wanted);
  await device.reconcile(new Map([[session.name, wanted]]));
  const routes = CASES.map(
    ([, attribute], at) => `198.51.100.${at}/32 next-hop ${session.peer.address} attribute [ ${attribute} ]`,
  );
  // The last one shows that everything before it was read.
  const last = `198.51.100.255/32 next-hop ${session.peer.address}`;
  const nobodys = "198.51.100.254/32 next-hop 127.0.0.1";
  const router = await Exabgp.start({
    namespace,
    sessions: [session],
    directory,
    routes: [...routes, nobodys, last],
  });
  t.after(() => router.stop());
  const kept = CASES.filter(([, , isKept]) => isKept).length + 1;
  await until(
    `${kept} routes`,
    async () => {
      const [report] = await device.sessions();
      if (report?.prefixesReceived === kept && report.messagesIn >= CASES.length + 4) return true;
      throw new Error(JSON.stringify(report));
    },
    { deadlineMs: 20_000, everyMs: 200 },
  );
  const [report] = await device.sessions();
  assert.deepEqual([report?.state, report?.losses], ["Established", 0]);
  const broken = () => device.log().match(/a broken UPDATE was taken as a withdrawal/g)?.length ?? 0;
  // What it says comes by another way than its answers.
  await until("its word of each", () => broken() >= CASES.length + 2 - kept);
  assert.equal(broken(), CASES.length + 2 - kept);
});
