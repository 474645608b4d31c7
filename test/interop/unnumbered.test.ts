import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Frr } from "./frr.ts";
import { plain } from "./frr-pair.ts";
import { output } from "./process.ts";
import { workDirectory } from "./router.ts";
import { asnOf, LINK, sessionNamed } from "./session.ts";

const CONFIGURATION = [
  "no bgp ebgp-requires-policy",
  "no bgp default ipv4-unicast",
  `neighbor ${LINK} interface remote-as external`,
  `neighbor ${LINK} timers connect 2`,
  "address-family ipv4 unicast",
  `neighbor ${LINK} activate`,
  "exit-address-family",
  "address-family ipv6 unicast",
  `neighbor ${LINK} activate`,
];

interface Entry {
  readonly paths: readonly {
    readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
  }[];
}

test("FRR and this speaker find each other by link-local addresses, for both families (RFC 2545, RFC 8950)", {
  timeout: 400_000,
}, async (t) => {
  const topology = new Topology("gku");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("unnumbered");
  t.after(() => rmSync(directory, { recursive: true }));
  const namespace = topology.addRouter("frr", []);
  const frr = await Frr.start({ namespace, sessions: [], directory });
  t.after(() => frr.stop());
  // Nodes forward, and a forwarding host hears no router by default.
  await output(topology.device, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
  await frr.shell("conf t", `router bgp ${asnOf("frr")}`, ...CONFIGURATION);
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const session = sessionNamed("frr-eBGP-IPv6-plain");
  const wanted = planOf([peerView(session)]).get(session.name);
  assert.ok(wanted);
  const { address: _address, sourceAddress: _source, ...settings } = wanted.settings;
  await device.reconcile(
    new Map([
      [
        "unnumbered",
        {
          settings: {
            ...settings,
            name: "unnumbered",
            link: LINK,
            peerAsn: "external",
            families: ["IPv4", "IPv6"],
          },
          advertisements: ["198.18.0.1/32", "2001:db8:1::/64"].map(plain),
        },
      ],
    ]),
  );
  const isUp = async (): Promise<boolean> => {
    const [report] = await device.sessions();
    if (report?.state === "Established") return true;
    throw new Error(JSON.stringify(report));
  };
  await until("the session", isUp, { deadlineMs: 40_000, everyMs: 200 });
  for (const [family, prefix] of [
    ["ipv4", "198.18.0.1/32"],
    ["ipv6", "2001:db8:1::/64"],
  ] as const) {
    const entry = await until(`${prefix} at FRR`, async () => {
      const found = await frr.json<Partial<Entry>>(`show bgp ${family} unicast ${prefix} json`);
      return found.paths === undefined ? undefined : (found as Entry);
    });
    const hops = entry.paths.flatMap(({ nexthops }) => nexthops.map(({ ip }) => ip));
    t.diagnostic(`${prefix} by ${hops.join()}`);
    // RFC 8950: an IPv6 next hop for either family.
    assert.ok(
      hops.some((hop) => hop.startsWith("fe80:")),
      hops.join(),
    );
  }
});
