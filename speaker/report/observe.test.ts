/** What Prometheus is told of sessions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "#common/metrics.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import type { SessionReport } from "../bgp/types.ts";
import { NO_COUNTS } from "../forwarding/types.ts";
import type { ServiceTraffic } from "../traffic/meter.ts";
import { observe } from "./observe.ts";

const SESSION: SessionReport = {
  peer: "tor",
  address: "10.0.0.1",
  state: "Established",
  establishedAt: "2026-01-01T00:00:10.500Z",
  prefixesAdvertised: 3,
  prefixesReceived: 2,
  prefixesKeptBack: 0,
  prefixesWithoutNextHop: 0,
  messagesIn: 11,
  messagesOut: 12,
  updatesOut: 4,
  losses: 1,
  lastError: "hold timer expired: the peer has said nothing",
  lastErrorAt: "2026-01-01T00:00:05.000Z",
};

function world({ isWorkerDead = false } = {}) {
  const metrics = createMetrics({ role: "speaker", version: "test" });
  let sessions: SessionReport[] = [];
  let checked = 0;
  let traffic: readonly ServiceTraffic[] = [];
  const parts = {
    announcer: {
      held: () => new Map(),
      counts: async () => {
        if (isWorkerDead) throw new Error("the layer 2 worker ended");
        return {
          arp: 5,
          ndp: 4,
          unasked: 3,
          lost: 2,
          retried: 8,
          conflicts: 1,
          overlaps: 2,
          announced: 0,
          groups: 6,
          refusedGroups: 7,
        };
      },
    },
    gossip: {
      view: { members: new Map([["n2", { state: "dead" }]]) },
      counts: { deaths: 1, suspicions: 2, stalls: 3, dropped: { forged: 4 } },
    },
    routing: () => ({ sessions, withheld: [], bfd: [], scheduling: undefined, listenTrouble: undefined }),
    forwarder: { counts: () => ({ ...NO_COUNTS, turnedAway: { tunnel_content: 7 } }) },
    notifier: { waiting: 0 },
    traffic: {
      get services() {
        return traffic;
      },
    },
    health: { describe: () => ({ checked, failing: [{}] }) },
    sources: { services: new Map(), reports: () => [] },
    loop: { passes: 0, failures: 0 },
    clock: new FakeClock(),
  };
  observe(metrics, parts as unknown as Parameters<typeof observe>[1]);
  return {
    page: () => metrics.page(),
    count: (services: readonly ServiceTraffic[]) => {
      traffic = services;
    },
    check: (count: number) => {
      checked = count;
    },
    text: async () => (await metrics.page()).split("\n").filter((line) => line.startsWith("genkan_bgp")),
    show: (...next: SessionReport[]) => {
      sessions = next;
    },
  };
}

test("each session's state, age, prefixes, messages, losses and when it last failed", async () => {
  const { text, show } = world();
  show(SESSION);
  const start = Date.parse("2026-01-01T00:00:00Z") / 1_000;
  assert.deepEqual((await text()).sort(), [
    `genkan_bgp_established_timestamp_seconds{peer="tor"} ${start + 10.5}`,
    `genkan_bgp_last_error_timestamp_seconds{peer="tor"} ${start + 5}`,
    `genkan_bgp_losses_total{peer="tor"} 1`,
    `genkan_bgp_messages_total{peer="tor",direction="in"} 11`,
    `genkan_bgp_messages_total{peer="tor",direction="out"} 12`,
    `genkan_bgp_prefixes{peer="tor",direction="advertised"} 3`,
    `genkan_bgp_prefixes{peer="tor",direction="received"} 2`,
    `genkan_bgp_session_up{peer="tor"} 1`,
    `genkan_bgp_updates_sent_total{peer="tor"} 4`,
  ]);
});

test("a session that is down is 0, one that is gone is not there", async () => {
  const { text, show } = world();
  const { establishedAt: _, lastError: __, lastErrorAt: ___, ...fresh } = SESSION;
  show({ ...fresh, state: "Idle" });
  const lines = await text();
  assert.ok(lines.includes(`genkan_bgp_session_up{peer="tor"} 0`));
  assert.ok(lines.includes(`genkan_bgp_established_timestamp_seconds{peer="tor"} 0`));
  assert.ok(lines.includes(`genkan_bgp_last_error_timestamp_seconds{peer="tor"} 0`));
  show();
  assert.deepEqual(await text(), []);
});

test("what counts up is a counter, shows the last count however often it is asked for, and may begin anew", async () => {
  const { page, text, show } = world();
  for (const messagesIn of [11, 11, 12, 2]) {
    show({ ...SESSION, messagesIn });
    assert.ok(
      (await text()).includes(`genkan_bgp_messages_total{peer="tor",direction="in"} ${messagesIn}`),
      `${messagesIn}`,
    );
  }
  const lines = (await page()).split("\n");
  for (const name of ["genkan_bgp_messages_total", "genkan_forwarding_turned_away_packets_total"])
    assert.ok(lines.includes(`# TYPE ${name} counter`), name);
});

test("what was answered, told unasked, lost and contradicted; without a worker there is a page, too", async () => {
  const lines = (await world().page()).split("\n");
  for (const line of [
    'genkan_answers_total{protocol="arp"} 5',
    'genkan_answers_total{protocol="ndp"} 4',
    "genkan_unasked_announcements_total 3",
    "genkan_frames_lost_total 2",
    "genkan_frames_retried_total 8",
    "genkan_address_conflicts_total 1",
    "genkan_address_overlaps_total 2",
    'genkan_forwarding_turned_away_packets_total{reason="tunnel_content"} 7',
    'genkan_multicast_groups{state="joined"} 6',
    'genkan_multicast_groups{state="refused"} 7',
  ]) {
    assert.ok(lines.includes(line), line);
  }
  assert.match(await world({ isWorkerDead: true }).page(), /^genkan_build_info/m);
});

test("gossip: what is thought of others, and what was not believed", async () => {
  const { page } = world();
  const lines = (await page()).split("\n").filter((line) => line.startsWith("genkan_gossip"));
  for (const line of [
    'genkan_gossip_members{state="alive"} 0',
    'genkan_gossip_members{state="dead"} 1',
    "genkan_gossip_deaths_total 1",
    "genkan_gossip_suspicions_total 2",
    "genkan_gossip_stalls_total 3",
    'genkan_gossip_dropped_total{reason="forged"} 4',
  ])
    assert.ok(lines.includes(line), `${line} in\n${lines.join("\n")}`);
});

test("endpoints that are checked, and nothing where none is", async () => {
  const { page, check } = world();
  const lines = async () => (await page()).split("\n").filter((line) => line.startsWith("genkan_checked"));
  assert.deepEqual(await lines(), []);
  check(3);
  assert.deepEqual(await lines(), [
    'genkan_checked_endpoints{state="failing"} 1',
    'genkan_checked_endpoints{state="passing"} 2',
  ]);
  check(0);
  assert.deepEqual(await lines(), []);
});

test("what comes in for Services: of five hundred of them at most, and none that went", async () => {
  const all = world();
  const of = (number: number): ServiceTraffic => ({
    service: `a/s${number}`,
    total: { connections: number, packets: 2 * number, bytes: 3 * number },
    rate: { connections: 0, packets: 0, bytes: 0 },
  });
  const lines = async (): Promise<readonly string[]> =>
    (await all.page()).split("\n").filter((line) => line.startsWith("genkan_service_"));
  assert.deepEqual(await lines(), []);
  all.count(Array.from({ length: 600 }, (_, at) => of(at)));
  assert.equal((await lines()).length, 1_500);
  assert.ok((await lines()).includes('genkan_service_bytes_total{service="a/s599"} 1797'));
  all.count([of(7)]);
  assert.deepEqual(await lines(), [
    'genkan_service_connections_total{service="a/s7"} 7',
    'genkan_service_packets_total{service="a/s7"} 14',
    'genkan_service_bytes_total{service="a/s7"} 21',
  ]);
});
