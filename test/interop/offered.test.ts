/** What routers offer that no speaker here has (ADD-PATH, long-lived graceful restart), and roles, which a field may ask for. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Lab, plain } from "./frr-pair.ts";
import { Daemon, output } from "./process.ts";
import { workDirectory } from "./router.ts";
import { sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX = "198.18.0.1/32";

test(
  "FRR with ADD-PATH, LLGR and a role has the session and the routes (RFC 7911, RFC 9494, RFC 9234)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    const { address } = session.device;
    await using lab = await Lab.start("gko", session, {
      globalLines: ["bgp long-lived-graceful-restart stale-time 60", "no bgp network import-check"],
      familyLines: () => [`neighbor ${address} addpath-tx-all-paths`, "network 203.0.113.0/24"],
    });
    await lab.configure(`neighbor ${address} local-role provider`);
    await lab.want([plain(PREFIX)], { gracefulRestart: true });
    await lab.established();
    await lab.shows([PREFIX]);
    // Without ADD-PATH agreed on, its routes come without path identifiers, and are read so.
    await until(
      "FRR's own route to be counted",
      async () => (await lab.device.sessions())[0]?.prefixesReceived === 1,
    );
    const neighbor = await lab.neighbor();
    assert.equal(neighbor.connectionsDropped, 0);
    const capabilities = JSON.stringify(neighbor.neighborCapabilities);
    assert.match(capabilities, /addPath/, "FRR offers it");
  },
);

test(
  "a role that FRR insists on ends the session with words that name it (RFC 9234 section 4.2)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    await using lab = await Lab.start("gko", session);
    await lab.configure(`neighbor ${session.device.address} local-role provider strict-mode`);
    await lab.want([plain(PREFIX)]);
    const words = async (): Promise<boolean> => {
      const error = (await lab.device.sessions())[0]?.lastError ?? "";
      if (error.includes("the peer said: OPEN error (roleMismatch)")) return true;
      throw new Error(error);
    };
    await until("the refusal's name", words, { deadlineMs: 30_000, everyMs: 200 });
  },
);

test(
  "roles that fit have the session, and routes to a customer are marked (RFC 9234 sections 4 and 5)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    const { address } = session.device;
    await using lab = await Lab.start("gkr", session);
    await lab.configure(`neighbor ${address} local-role customer strict-mode`);
    await lab.want([plain(PREFIX)], { role: "Provider" });
    await lab.established();
    await lab.shows([PREFIX]);
    const { paths = [] } = await lab.frr.json<{ paths?: { otc?: number }[] }>(
      `show bgp ipv4 unicast ${PREFIX} json`,
    );
    assert.deepEqual(
      paths.map(({ otc }) => otc),
      [session.device.asn],
    );
    await lab.want([plain(PREFIX)], { role: "Customer" });
    const words = async (): Promise<boolean> => {
      const error = (await lab.device.sessions())[0]?.lastError ?? "";
      if (error.includes("roleMismatch")) return true;
      throw new Error(error);
    };
    await until("the mismatch to be named", words, { deadlineMs: 30_000, everyMs: 200 });
  },
);

test(
  "FRR of a confederation has the session as the AS that it shows; taking us for a member costs routes alone (RFC 5065)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    const CONFEDERATION = 64_999;
    await using lab = await Lab.start("gko", session, {
      globalLines: [`bgp confederation identifier ${CONFEDERATION}`, "no bgp network import-check"],
      familyLines: () => ["network 203.0.113.0/24"],
    });
    await lab.want([plain(PREFIX)], { peerAsn: CONFEDERATION });
    await lab.established();
    await lab.shows([PREFIX]);
    const isCounted = async (): Promise<boolean> => (await lab.device.sessions())[0]?.prefixesReceived === 1;
    await until("FRR's own route to be counted", isCounted);
    // It takes us for a member: what either side says is malformed to the other (RFC 5065 section 5), and costs routes alone.
    await lab.configure(`bgp confederation peers ${session.device.asn}`);
    await lab.want([plain(PREFIX)], { peerAsn: session.peer.asn });
    await lab.established();
    await until("our last word", async () => (await lab.device.sessions())[0]?.prefixesAdvertised === 1);
    await lab.shows([]);
    const [report] = await lab.device.sessions();
    assert.deepEqual([report?.state, report?.prefixesReceived], ["Established", 0]);
  },
);

test("BIRD with ADD-PATH, LLGR and a role has the session and the routes", TIMEOUT, async (t) => {
  const session = sessionNamed("bird-eBGP-IPv4-plain");
  const { device: own, peer } = session;
  const topology = new Topology("gkv");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("offered");
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(directory, { recursive: true });
  const namespace = topology.addRouter("bird", [session]);
  writeFileSync(
    join(directory, "bird.conf"),
    `router id ${peer.address};
protocol device {}
protocol static own { ipv4; route 203.0.113.0/24 blackhole; }
protocol bgp node {
  local ${peer.address} as ${peer.asn};
  neighbor ${own.address} as ${own.asn};
  local role provider;
  graceful restart on; long lived graceful restart on;
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 { import all; export where proto = "own"; add paths on; };
}
`,
  );
  const control = join(directory, "ctl");
  const bird = new Daemon({
    namespace,
    command: ["bird", "-f", "-c", join(directory, "bird.conf"), "-s", control],
    logFile: join(directory, "log"),
  });
  t.after(() => bird.stop());
  const device = new Device(topology.device);
  t.after(() => device.kill());
  const wanted = planOf([peerView(session)]).get(session.name);
  assert.ok(wanted);
  await device.reconcile(new Map([[session.name, { ...wanted, advertisements: [plain(PREFIX)] }]]));
  const received = async (): Promise<boolean> => {
    const [report] = await device.sessions();
    if (report?.prefixesReceived === 1 && report.losses === 0) return true;
    throw new Error(`${JSON.stringify(report)} ${bird.log()}`);
  };
  await until("BIRD's route to be counted", received, { deadlineMs: 30_000, everyMs: 200 });
  const shown = async (): Promise<boolean> =>
    (await output(namespace, "birdc", "-s", control, "show", "route")).includes(PREFIX);
  await until("BIRD to have the route", shown);
});
