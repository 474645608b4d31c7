/** What routers see of a longer AS path and of MULTI_EXIT_DISC: FRR over eBGP and iBGP, and BIRD. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { Bird } from "./bird.ts";
import { peerView, planOf } from "./cells.ts";
import { Lab, plain } from "./frr-pair.ts";
import { workDirectory } from "./router.ts";
import { sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX = "198.18.0.1/32";
const STANDBY = { ...plain(PREFIX), prepend: 3, med: 100 };

test(
  "FRR sees our AS number four times over eBGP and never over iBGP, and the MED of both",
  TIMEOUT,
  async () => {
    for (const name of ["frr-eBGP-IPv4-plain", "frr-iBGP-IPv4-plain"]) {
      const session = sessionNamed(name);
      await using lab = await Lab.start("gkp", session);
      await lab.want([STANDBY]);
      await lab.established();
      await lab.shows([PREFIX]);
      const { paths } = await lab.frr.json<{
        paths: { aspath: { segments: { list: number[] }[] }; metric: number }[];
      }>(`show bgp ipv4 unicast ${PREFIX} json`);
      const asns = paths.flatMap(({ aspath }) => aspath.segments.flatMap(({ list }) => list));
      const { asn } = session.device;
      assert.deepEqual(asns, session.relation === "eBGP" ? [asn, asn, asn, asn] : []);
      assert.deepEqual(
        paths.map(({ metric }) => metric),
        [100],
      );
      // Back to an active site's route: one UPDATE, no reset.
      await lab.want([plain(PREFIX)]);
      await until("FRR to see the short path", async () => {
        const [route] = (await lab.frr.routes("IPv4")).get(session.device.address) ?? [];
        return route?.asPath.length === (session.relation === "eBGP" ? 1 : 0);
      });
      assert.equal((await lab.neighbor()).connectionsDropped, 0);
    }
  },
);

test("BIRD sees our AS number four times, and the MED", TIMEOUT, async (t) => {
  const session = sessionNamed("bird-eBGP-IPv4-plain");
  const topology = new Topology("gkq");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("preferences");
  t.after(() => rmSync(directory, { recursive: true }));
  const namespace = topology.addRouter("bird", [session]);
  const bird = await Bird.start({ namespace, sessions: [session], directory, routerNumber: 2 });
  t.after(() => bird.stop());
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const wanted = planOf([peerView(session)]).get(session.name);
  assert.ok(wanted);
  await device.reconcile(new Map([[session.name, { ...wanted, advertisements: [STANDBY] }]]));
  const shown = async (): Promise<string | undefined> => {
    const text = await bird.shell(`show route for ${PREFIX} all`);
    return text.includes("BGP.med") ? text : undefined;
  };
  const text = await until("BIRD to have the route", shown, { deadlineMs: 30_000, everyMs: 200 });
  const { asn } = session.device;
  assert.match(text, new RegExp(`BGP\\.as_path: ${[asn, asn, asn, asn].join(" ")}\\n`));
  assert.match(text, /BGP\.med: 100/);
});
