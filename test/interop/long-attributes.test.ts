/** Attributes that are longer than a message to a router may be, with a router that takes no long messages: GoBGP. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import type { Advertisement } from "#speaker/bgp/types.ts";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { plain } from "./frr-pair.ts";
import { Gobgp } from "./gobgp.ts";
import { workDirectory } from "./router.ts";
import { sessionNamed } from "./session.ts";

/** 4,608 octets of communities, as six entries of bgpAdvertisements with 64 each make them. */
const TOO_LONG: Advertisement["largeCommunities"] = Array.from({ length: 384 }, (_, at) => [
  65_000,
  at >> 6,
  at & 63,
]);

test("a route with too long attributes is kept back from GoBGP, and all others are told (RFC 8654 section 4)", {
  timeout: 200_000,
}, async (t) => {
  const session = sessionNamed("gobgp-eBGP-IPv4-plain");
  const topology = new Topology("gkl");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("long-attributes");
  t.after(() => rmSync(directory, { recursive: true }));
  const namespace = topology.addRouter("gobgp", [session]);
  const router = await Gobgp.start({ namespace, sessions: [session], directory });
  t.after(() => router.stop());
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const wanted = planOf([peerView(session)]).get(session.name);
  assert.ok(wanted);
  const want = (advertisements: readonly Advertisement[]) =>
    device.reconcile(new Map([[session.name, { ...wanted, advertisements }]]));
  const shows = async (expected: readonly string[]): Promise<void> => {
    await until(
      `GoBGP to show ${expected.join() || "nothing"}`,
      async () => {
        const routes = (await router.routes("IPv4")).get(session.device.address) ?? [];
        const prefixes = routes.map(({ prefix }) => prefix).sort();
        return prefixes.join() === expected.join();
      },
      { deadlineMs: 30_000, everyMs: 100 },
    );
  };
  await want(["198.18.0.1/32", "198.18.0.2/32"].map(plain));
  await shows(["198.18.0.1/32", "198.18.0.2/32"]);
  const long = { ...plain("198.18.0.1/32"), largeCommunities: TOO_LONG };
  await want([long, plain("198.18.0.2/32"), plain("198.18.0.3/32")]);
  await shows(["198.18.0.2/32", "198.18.0.3/32"]);
  const before = (await device.sessions())[0];
  assert.deepEqual([before?.prefixesKeptBack, before?.losses], [1, 0]);
  // Nothing more is said of it: one more prefix is one more UPDATE.
  await want([long, ...["198.18.0.2/32", "198.18.0.3/32", "198.18.0.4/32"].map(plain)]);
  await shows(["198.18.0.2/32", "198.18.0.3/32", "198.18.0.4/32"]);
  assert.equal((await device.sessions())[0]?.updatesOut, (before?.updatesOut ?? 0) + 1);
});
