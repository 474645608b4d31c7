/**
 * How long routers of several kinds, with the timers that they have by default, are without the session after a speaker
 * is replaced, or after they were away themselves: those that connect, and those that wait to be connected to.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Frr } from "./frr.ts";
import { plain } from "./frr-pair.ts";
import { Daemon } from "./process.ts";
import { workDirectory } from "./router.ts";
import { asnOf, type RouterKind, type Session, sessionNamed } from "./session.ts";

/** What docs/bgp.md promises. */
const BACK_WITHIN_MS = 15_000;
const KINDS = ["frr", "bird", "gobgp"] as const;
type Kind = (typeof KINDS)[number];

interface Stoppable {
  stop(): Promise<void>;
}

interface Start {
  readonly namespace: string;
  readonly directory: string;
  readonly session: Session;
  readonly isPassive: boolean;
}

/** A router with nothing but its neighbor. */
const STARTS: Readonly<Record<Kind, (start: Start) => Promise<Stoppable>>> = {
  async frr({ namespace, directory, session: { device }, isPassive }) {
    const neighbor = `neighbor ${device.address}`;
    const globalLines = [
      "no bgp ebgp-requires-policy",
      `${neighbor} remote-as ${device.asn}`,
      ...(isPassive ? [`${neighbor} passive`] : []),
      "address-family ipv4 unicast",
      `${neighbor} activate`,
      "exit-address-family",
    ];
    return await Frr.start({ namespace, sessions: [], directory, globalLines });
  },
  async bird({ namespace, directory, session: { device, peer }, isPassive }) {
    writeFileSync(
      join(directory, "bird.conf"),
      `router id ${peer.address};
protocol device {}
protocol bgp node {
  local ${peer.address} as ${peer.asn};
  neighbor ${device.address} as ${device.asn};
  ${isPassive ? "passive;" : ""}
  ipv4 { import all; export none; };
}
`,
    );
    const command = ["bird", "-f", "-c", join(directory, "bird.conf"), "-s", join(directory, "ctl")] as const;
    return new Daemon({ namespace, command: [...command], logFile: join(directory, "log") });
  },
  async gobgp({ namespace, directory, session: { device, peer }, isPassive }) {
    const configuration = {
      global: { config: { as: peer.asn, "router-id": peer.address, "local-address-list": ["0.0.0.0"] } },
      neighbors: [
        {
          config: { "neighbor-address": device.address, "peer-as": device.asn },
          transport: { config: { "passive-mode": isPassive, "local-address": peer.address } },
        },
      ],
    };
    const file = join(directory, "gobgp.json");
    writeFileSync(file, JSON.stringify(configuration));
    const command = ["gobgpd", "-t", "json", "-f", file, "--pprof-disable"] as const;
    return new Daemon({ namespace, command: [...command], logFile: join(directory, "log") });
  },
};

function sessionOf(kind: RouterKind): Session {
  const session = sessionNamed(`${kind}-eBGP-IPv4-plain`);
  return { ...session, peer: { ...session.peer, asn: asnOf(kind) } };
}

/** As a BGPPeer without any timer has it. */
function wantedOf(sessions: readonly Session[], gracefulRestart: boolean): Map<string, WantedSession> {
  const views = sessions.map((session) => {
    const { holdTimeMs: _hold, connectTimeMs: _connect, ...view } = peerView(session);
    return { ...view, gracefulRestart };
  });
  const planned = planOf(views);
  return new Map(
    [...planned].map(([name, one]) => [name, { ...one, advertisements: [plain("198.18.0.1/32")] }]),
  );
}

/** Milliseconds until each session was established. */
async function established(device: Device, deadlineMs: number): Promise<Map<string, number>> {
  const began = performance.now();
  const found = new Map<string, number>();
  await until(
    "all sessions",
    async () => {
      const reports = await device.sessions();
      for (const { peer, state } of reports) {
        if (state === "Established" && !found.has(peer))
          found.set(peer, Math.round(performance.now() - began));
      }
      if (found.size === reports.length) return true;
      throw new Error(
        reports.map(({ peer, state, lastError }) => `${peer}: ${state}, ${lastError}`).join("; "),
      );
    },
    { deadlineMs, everyMs: 100 },
  );
  return found;
}

for (const isPassive of [false, true]) {
  const who = isPassive ? "routers that wait to be connected to" : "routers that connect";
  test(`${who} have the session back within 15 s of a speaker that is replaced (RFC 4271 section 8.2)`, {
    timeout: 400_000,
  }, async (t) => {
    const topology = new Topology("gkr");
    t.after(() => topology[Symbol.dispose]());
    const directory = workDirectory("restart");
    t.after(() => rmSync(directory, { recursive: true }));
    const sessions = KINDS.map(sessionOf);
    for (const [at, kind] of KINDS.entries()) {
      const session = sessions[at] as Session;
      const own = join(directory, kind);
      mkdirSync(own);
      const namespace = topology.addRouter(kind, [session]);
      const router = await STARTS[kind]({ namespace, directory: own, session, isPassive });
      t.after(() => router.stop());
    }
    for (const [mode, gracefulRestart] of [
      ["leave", false],
      ["restart", true],
    ] as const) {
      const before = new Device(topology.device);
      t.after(() => before.kill());
      await before.reconcile(wantedOf(sessions, gracefulRestart));
      await established(before, 60_000);
      await before.stop(mode);
      const next = new Device(topology.device);
      t.after(() => next.kill());
      await next.reconcile(wantedOf(sessions, gracefulRestart));
      const times = await established(next, BACK_WITHIN_MS);
      t.diagnostic(`${mode}: ${[...times].map(([peer, ms]) => `${peer} ${ms} ms`).join(", ")}`);
      await next.stop("leave");
    }
  });
}

test("a router that accepts and closes, and then speaks, has the session within 15 s (RFC 4271 section 8.1.1, DampPeerOscillations)", {
  timeout: 200_000,
}, async (t) => {
  const session = sessionOf("bird");
  const topology = new Topology("gka");
  t.after(() => topology[Symbol.dispose]());
  const directory = workDirectory("accept-and-close");
  t.after(() => rmSync(directory, { recursive: true }));
  const namespace = topology.addRouter("bird", [session]);
  const script = `require("node:net").createServer((s) => { console.log("closed"); s.on("error", () => {}); s.end(); }).listen(179, "${session.peer.address}")`;
  const refusing = new Daemon({
    namespace,
    command: [process.execPath, "-e", script],
    logFile: join(directory, "refusing"),
  });
  t.after(() => refusing.stop());
  const device = new Device(topology.device);
  t.after(() => device.kill());
  await device.reconcile(wantedOf([session], false));
  // Pauses have grown to their longest: 1, 2, 4, 8 s.
  await until("five refusals", () => (refusing.log().match(/closed/g) ?? []).length >= 5, {
    deadlineMs: 60_000,
    everyMs: 200,
  });
  await refusing.stop();
  const router = await STARTS.bird({ namespace, directory, session, isPassive: true });
  t.after(() => router.stop());
  const times = await established(device, BACK_WITHIN_MS);
  t.diagnostic([...times.values()].join());
  assert.ok(times.size === 1);
});
