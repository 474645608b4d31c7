/** BGP with BFD, against FRR's bgpd and bfdd: what a dead path and a planned end do to the routes. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { BfdPeer } from "#speaker/bfd/types.ts";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { watchBars } from "#test/bar.ts";
import { Frr, startBfdd } from "#test/interop/frr.ts";
import { output } from "#test/interop/process.ts";
import type { Route } from "#test/interop/route.ts";
import { asnOf, type Session, sessionsOf } from "#test/interop/session.ts";
import { ip } from "#test/network/namespace.ts";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { PROFILE } from "./profile.ts";

const PROGRAM = fileURLToPath(new URL("./routing-child.ts", import.meta.url));
const PREFIX = "198.51.100.7/32";

interface Event {
  readonly event: "bfd" | "bgp" | "stopped";
  readonly at: number;
  readonly key: string;
  readonly state: string;
}

class RoutingDevice {
  readonly events: Event[] = [];
  readonly #child: ChildProcess;

  constructor(namespace: string) {
    this.#child = spawn("ip", ["netns", "exec", namespace, process.execPath, PROGRAM], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (this.#child.stdout === null) throw new Error("no output of the device");
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.events.push(JSON.parse(line)));
  }

  say(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  last(event: Event["event"], key: string): Event | undefined {
    return this.events.findLast((one) => one.event === event && one.key === key);
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (signal === undefined) this.#child.stdin?.end();
    else this.#child.kill(signal);
    await ended;
  }
}

function wantedOf({ name, device, peer, relation }: Session): WantedSession {
  return {
    settings: {
      name,
      address: peer.address,
      port: 179,
      localAsn: device.asn,
      peerAsn: peer.asn,
      routerId: "10.0.0.250",
      holdTimeMs: 90_000,
      connectTimeMs: 2_000,
      ttl: relation === "iBGP" ? { kind: "multihop" } : { kind: "direct" },
      sourceAddress: device.address,
      gracefulRestart: true,
      families: ["IPv4"],
      nextHops: { IPv4: device.address },
    },
    advertisements: [{ prefix: PREFIX, communities: [], largeCommunities: [] }],
  };
}

function bfdOf(session: Session): BfdPeer {
  const { name: key, device, peer } = session;
  return {
    key,
    address: peer.address,
    sourceAddress: device.address,
    // FRR takes iBGP for multihop, unless the peer is on its own segment.
    multihop: session.relation === "iBGP" ? "unlessConnected" : false,
    profile: PROFILE,
  };
}

test("BGP with BFD at FRR", { timeout: 600_000 }, async (t) => {
  const topology = new Topology("gkbfb");
  const sessions = sessionsOf("frr").filter(
    ({ family, transport }) => family === "IPv4" && transport === "plain",
  );
  assert.deepEqual(
    sessions.map(({ relation }) => relation),
    ["iBGP", "eBGP"],
  );
  const namespace = topology.addRouter("frr", sessions);
  const directory = mkdtempSync(join(tmpdir(), "genkan-bfd-"));
  const globalLines = ["bgp graceful-restart", "bgp graceful-restart preserve-fw-state"];
  const frr = await Frr.start({ namespace, directory, sessions, globalLines });
  const configure = async (line: (address: string) => string): Promise<void> => {
    const lines = sessions.map(({ device: { address } }) => line(address));
    const commands = ["configure", `router bgp ${asnOf("frr")}`, ...lines].flatMap((text) => ["-c", text]);
    await output(namespace, "vtysh", "--vty_socket", directory, ...commands);
  };
  await configure((address) => `neighbor ${address} bfd 3 50 50`);
  // This FRR ends a session for AdminDown, too, unless told to look at the C bit (later ones need not be told).
  await configure((address) => `neighbor ${address} bfd check-control-plane-failure`);
  let running = startBfdd({ namespace, directory });
  let device = new RoutingDevice(topology.device);
  t.after(async () => {
    await device.end();
    await running.stop();
    await frr.stop();
    topology[Symbol.dispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  const apply = (): void =>
    device.say({ do: "apply", sessions: sessions.map(wantedOf), bfd: sessions.map(bfdOf) });
  const allUp = (): Promise<unknown> =>
    until(
      "all sessions of both protocols",
      () =>
        sessions.every(
          ({ name }) =>
            device.last("bgp", name)?.state === "Established" && device.last("bfd", name)?.state === "Up",
        ),
      { deadlineMs: 40_000 },
    );
  const routes = async (): Promise<readonly Route[]> =>
    [...(await frr.routes("IPv4")).values()].flat().filter(({ prefix }) => prefix === PREFIX);

  await t.test("both protocols come up, iBGP and eBGP", async () => {
    apply();
    await allUp();
    await until("the routes", async () => (await routes()).length === sessions.length);
  });

  await t.test(
    "BFD's loss ends the BGP session in the same moment, not after the hold time of 90 s",
    async () => {
      const bars = await watchBars();
      const killedAt = Date.now();
      await running.stop("SIGKILL");
      await until("the falls in both protocols", () =>
        sessions.every(
          ({ name }) =>
            device.last("bfd", name)?.state === "Down" && device.last("bgp", name)?.state !== "Established",
        ),
      );
      for (const { name } of sessions) {
        const bfd = device.last("bfd", name);
        const bgp = device.last("bgp", name);
        await bars.hold(`${name}: BFD's fall`, (bfd?.at ?? Number.NaN) - killedAt, 250);
        await bars.hold(
          `${name}: BGP's fall after it`,
          Math.abs((bgp?.at ?? Number.NaN) - (bfd?.at ?? 0)),
          20,
        );
      }
      running = startBfdd({ namespace, directory });
      await allUp();
      await until("the routes", async () => (await routes()).length === sessions.length);
    },
  );

  await t.test("a planned restart: BFD says AdminDown, and the router keeps the routes", async () => {
    device.say({ do: "stop", mode: "restart" });
    await until("the end", () => device.events.some(({ event }) => event === "stopped"));
    await device.end();
    await until("stale routes", async () => {
      const found = await routes();
      return found.length === sessions.length && found.every(({ isStale }) => isStale === true);
    });
    device = new RoutingDevice(topology.device);
    apply();
    await allUp();
    await until("fresh routes", async () => {
      const found = await routes();
      return found.length === sessions.length && found.every(({ isStale }) => isStale !== true);
    });
  });

  await t.test("the node's link is cut: its routes go at once, graceful restart or not", async () => {
    // With it, this FRR waits for the hold time of a peer that restarts gracefully, whatever BFD says.
    await configure((address) => `no neighbor ${address} bfd check-control-plane-failure`);
    await allUp();
    await until("all routes", async () => (await routes()).length === sessions.length);
    // FRR counts in whole seconds, and ignores BFD's word on a session that came up in the same one.
    const upAt = Math.max(...sessions.map(({ name }) => device.last("bgp", name)?.at ?? 0));
    await until("a session older than that", () => Date.now() - upAt > 2_100);
    const bars = await watchBars();
    const cutAt = Date.now();
    ip(`-n ${topology.device} link set eth0 down`);
    await until("no routes", async () => (await routes()).length === 0, { deadlineMs: 5_000 });
    await bars.hold("the end of the routes", Date.now() - cutAt, 1_000);
  });
});
