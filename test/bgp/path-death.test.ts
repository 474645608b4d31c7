/** The real speaker with BFDProfiles and graceful restart: what FRR does when a path dies and when a speaker is replaced. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { watchBars } from "#test/bar.ts";
import { Vty } from "#test/interop/vty.ts";
import { until } from "#test/until.ts";
import { LONG, NAMES, type Name, podsOn, ROUTER, ROUTER_ASN, World } from "./speaker-world.ts";

const VIP = "198.51.100.7";
const PREFIX = `${VIP}/32`;
const INTERVAL_MS = 100;
const DETECTION_MS = 3 * INTERVAL_MS;

let world: World;

const edge = (name: Name): string => world.host(name).addresses.IPv4;

/** A line of FRR's configuration for each neighbor. */
const neighbors = (line: (address: string) => string): string[] =>
  NAMES.flatMap((name) => Object.values(world.host(name).addresses).map(line));

interface FrrBfd {
  readonly peer: string;
  readonly status: string;
  readonly multihop: boolean;
}

/** Waits until BFD of these sessions is up for both sides. */
async function bfdUp(peer: string, addresses: ReadonlyMap<Name, string>): Promise<void> {
  for (const [name, address] of addresses) {
    await until(
      `BFD of ${name} with ${peer}`,
      async () => {
        const own = (await world.status(name))?.bfdSessions?.find((session) => session.peer === peer);
        const theirs = (await world.bfd<FrrBfd[]>("show bfd peers json")).find((one) => one.peer === address);
        if (own?.state === "Up" && theirs?.status === "up" && !theirs.multihop) return true;
        throw new Error(JSON.stringify([own, theirs]));
      },
      LONG,
    );
  }
}

before(async () => {
  world = await World.start({ addresses: ["198.51.100.0/24"], bgpAdvertisements: [] });
  await world.configure(...neighbors((address) => `neighbor ${address} bfd 3 ${INTERVAL_MS} ${INTERVAL_MS}`));
  // Else FRR takes the end of BFD over a planned restart for a dead path.
  await world.configure(...neighbors((address) => `neighbor ${address} bfd check-control-plane-failure`));
  const intervals = { receiveInterval: INTERVAL_MS, transmitInterval: INTERVAL_MS, detectMultiplier: 3 };
  await world.addPeer("edge", {
    peerASN: ROUTER_ASN,
    peerAddress: ROUTER.IPv4,
    connectTime: "1s",
    enableGracefulRestart: true,
    bfdProfile: "fast",
  });
  await world.addPeer("inner", {
    localASN: ROUTER_ASN,
    peerASN: ROUTER_ASN,
    peerAddress: ROUTER.IPv6,
    connectTime: "1s",
    bfdProfile: "fast",
  });
  await world.cluster.addService({ name: "web", vips: [VIP], pods: podsOn(...NAMES) });
  for (const name of NAMES) world.start(name);
  for (const name of NAMES) {
    const isReady = () => world.cluster.hasCondition(name, "Ready", "True");
    await until(`${name} to be ready`, isReady, LONG);
  }
  await world.inState("edge", "Withheld");
  await world.addProfile("fast", intervals);
});
after(async () => world?.[Symbol.asyncDispose]());

describe("BFD and graceful restart by a real speaker", { concurrency: false }, () => {
  test("a BFDProfile that comes later frees its sessions; BFD is up on both sides, of eBGP and iBGP", async (t) => {
    await world.inState("edge", "Established");
    await world.inState("inner", "Established");
    await bfdUp("edge", new Map(NAMES.map((name) => [name, edge(name)])));
    await bfdUp("inner", new Map(NAMES.map((name) => [name, world.host(name).addresses.IPv6])));
    await world.routedVia(PREFIX, NAMES);
    assert.equal(await world.metric("n1", `genkan_bfd_session_up{peer="edge"}`), 1);
    const status = await world.status("n1");
    t.diagnostic(`BFD thread: ${status?.bfdScheduling}`);
    const detects = async () =>
      (await world.status("n1"))?.bfdSessions?.find(({ peer }) => peer === "edge")?.detectionTime;
    await until("the agreed times in the status", async () => (await detects()) === DETECTION_MS, LONG);
  });

  test("SIGTERM with graceful restart: FRR keeps the routes until the speaker is back", async (t) => {
    using vty = await Vty.open(world.shell);
    using watching = await Vty.open(world.shell);
    interface Path {
      readonly stale?: boolean;
      readonly peer?: { readonly peerId?: string };
    }
    const pathOf = async (shell = vty): Promise<Path | undefined> => {
      const { paths = [] } = await shell.json<{ paths?: Path[] }>(`show bgp ipv4 unicast ${PREFIX} json`);
      return paths.find(({ peer }) => peer?.peerId === edge("n1"));
    };
    let looks = 0;
    let isWatching = true;
    const gone: string[] = [];
    const watch = (async () => {
      for (; isWatching; looks += 1) {
        if ((await pathOf(watching)) === undefined) gone.push(`look ${looks}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await world.speaker("n1").end("SIGTERM");
    const isStale = async () => (await pathOf())?.stale === true;
    await until("a stale route", isStale, LONG);
    world.start("n1");
    const isFresh = async () => {
      const path = await pathOf();
      return path !== undefined && path.stale !== true;
    };
    await until("a fresh route", isFresh, LONG);
    await bfdUp("edge", new Map([["n1", edge("n1")]]));
    isWatching = false;
    await watch;
    t.diagnostic(`${looks} looks at FRR's table meanwhile`);
    assert.deepEqual(gone, []);
  });

  test("a node that is cut off loses its session and routes within BFD's time, graceful restart or not", async (t) => {
    // With it, this FRR waits for the hold time of a peer that restarts gracefully, whatever BFD says.
    await world.configure(
      ...neighbors((address) => `no neighbor ${address} bfd check-control-plane-failure`),
    );
    await world.inState("edge", "Established");
    await bfdUp("edge", new Map(NAMES.map((name) => [name, edge(name)])));
    // FRR counts in whole seconds, and ignores BFD's word on a session that came up in the same one.
    const isOld = async () => ((await world.neighbor(edge("n1"))).bgpTimerUpMsec ?? 0) > 3_000;
    await until("a session older than that", isOld, LONG);
    using vty = await Vty.open(world.shell);
    const isDown = async () => {
      const all = await vty.json<Record<string, { bgpState: string }>>(
        `show bgp neighbors ${edge("n1")} json`,
      );
      return all[edge("n1")]?.bgpState !== "Established";
    };
    const bars = await watchBars();
    const cutAt = performance.now();
    world.bridge.setCable("n1", false);
    await until("FRR's session to go", isDown, { deadlineMs: 5_000, everyMs: 2 });
    const ms = performance.now() - cutAt;
    await world.routedVia(PREFIX, ["n2", "n3"], { deadlineMs: 1_000, everyMs: 5 });
    const routesMs = performance.now() - cutAt;
    t.diagnostic(`cut: session gone after ${Math.round(ms)} ms, routes after ${Math.round(routesMs)} ms`);
    // Twice, for a machine that does other things too; without BFD it would be the hold time of 90 s.
    await bars.hold("the end of the session", ms, 2 * DETECTION_MS);
    const hasLost = () => world.speaker("n1").logs.some(({ msg }) => msg === "BGP session lost");
    await until("the speaker's own loss", hasLost, LONG);
    world.bridge.setCable("n1", true);
    await world.routedVia(PREFIX, NAMES, { deadlineMs: 30_000, everyMs: 50 });
    await bfdUp("edge", new Map([["n1", edge("n1")]]));
  });

  test("a link that drops packets and keeps its carrier is found dead too", async (t) => {
    const isOld = async () => ((await world.neighbor(edge("n2"))).bgpTimerUpMsec ?? 0) > 3_000;
    await until("a session that is older than FRR's second", isOld, LONG);
    const cutAt = performance.now();
    world.bridge.setPath("n2", false);
    await world.routedVia(PREFIX, ["n1", "n3"], { deadlineMs: 5_000, everyMs: 5 });
    t.diagnostic(`packets lost: routes gone after ${Math.round(performance.now() - cutAt)} ms`);
    world.bridge.setPath("n2", true);
    await world.routedVia(PREFIX, NAMES, { deadlineMs: 30_000, everyMs: 50 });
  });
});
