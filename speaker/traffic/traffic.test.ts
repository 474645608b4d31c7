/** What a node tells of its traffic, by what its kernel has counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import type { MarkTraffic } from "#speaker/netlink/ipvs-traffic.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import type { ServiceTraffic } from "./meter.ts";
import { MAX_REPORTED, type TrafficReport, trafficReport } from "./report.ts";
import { TrafficWatch } from "./traffic-watch.ts";

const BIT = 0x1000;
const counted = (
  id: number,
  packets: number,
  more: Partial<MarkTraffic> & { tier?: 1 | 2 } = {},
): MarkTraffic => ({
  ...{
    family: 2,
    mark: markOf(id, more.tier ?? 1, BIT),
    connections: packets / 10,
    packets,
    bytes: packets * 100,
  },
  ...more,
});

function world({ nodes = 3 } = {}) {
  const clock = new FakeClock();
  const state = {
    isWanted: true,
    list: [] as readonly MarkTraffic[],
    error: undefined as Error | undefined,
    opened: 0,
    closed: 0,
    takesMs: 0,
  };
  const reports: (TrafficReport | undefined)[] = [];
  const watch = new TrafficWatch({
    clock,
    log: silentLogger,
    isWanted: () => state.isWanted,
    nodes: () => nodes,
    open: () => {
      state.opened += 1;
      return {
        walk: () => {
          if (state.error !== undefined) throw state.error;
          return [state.list];
        },
        [Symbol.dispose]: () => {
          state.closed += 1;
        },
      };
    },
    serviceOf: (mark) => {
      const id = mark & 0xfff;
      return id < 100 ? `a/s${id}` : undefined;
    },
    onReport: (report) => reports.push(report),
  });
  return { clock, state, reports, watch };
}

test("rates are what was counted between two readings; the first one is where it begins", async () => {
  const { clock, state, reports, watch } = world();
  state.list = [counted(1, 1_000), counted(2, 50)];
  await watch.look();
  assert.deepEqual([reports, watch.services.map(({ total }) => total.packets)], [[], [0, 0]]);
  state.list = [counted(1, 1_200), counted(2, 50), counted(3, 900)];
  await clock.advance(10_000);
  await watch.look();
  assert.deepEqual(reports, [
    {
      ...{ connectionsPerMinute: 120, packetsPerSecond: 20, bytesPerSecond: 2_000, busyServices: 1 },
      services: [{ service: "a/s1", connectionsPerMinute: 120, packetsPerSecond: 20, bytesPerSecond: 2_000 }],
    },
  ]);
  assert.deepEqual(
    watch.services.map(({ service, total }) => [service, total.packets]),
    [
      ["a/s1", 200],
      ["a/s2", 0],
      ["a/s3", 0],
    ],
  );
});

test("both families and all ports of a Service count together; tier 2 and foreign marks do not count", async () => {
  const { clock, state, reports, watch } = world();
  const list = (packets: number): readonly MarkTraffic[] => [
    counted(1, packets),
    counted(1, packets, { family: 10 }),
    counted(1, packets, { tier: 2 }),
    counted(500, packets),
  ];
  state.list = list(0);
  await watch.look();
  state.list = list(100);
  await clock.advance(10_000);
  await watch.look();
  assert.deepEqual([reports[0]?.packetsPerSecond, reports[0]?.services.length], [20, 1]);
});

test("a mark that was made anew counts from 0; one that a list misses begins again, without a leap", async () => {
  const { clock, state, watch } = world();
  const read = async (...list: MarkTraffic[]): Promise<number | undefined> => {
    state.list = list;
    await clock.advance(10_000);
    await watch.look();
    return watch.services.find(({ service }) => service === "a/s1")?.total.packets;
  };
  await read(counted(1, 1_000));
  assert.equal(await read(counted(1, 1_010)), 10);
  assert.equal(await read(counted(1, 5)), 15);
  assert.equal(await read(counted(2, 5)), undefined);
  assert.equal(await read(counted(1, 1_000_000)), 0);
});

test("off: nothing is opened, and what was reported is taken back", async () => {
  const { state, reports, watch } = world();
  state.isWanted = false;
  assert.equal(await watch.look(), 2_000);
  assert.deepEqual([state.opened, reports], [0, []]);
  state.isWanted = true;
  await watch.look();
  state.isWanted = false;
  await watch.look();
  assert.deepEqual([state.opened, state.closed, reports, watch.services], [1, 1, [undefined], []]);
});

test("a kernel that does not answer costs this alone, and is asked again by another socket", async () => {
  const { state, reports, watch } = world();
  state.error = new Error("no answer");
  assert.equal(await watch.look(), 10_000);
  assert.deepEqual([reports, state.closed], [[undefined], 1]);
  state.error = undefined;
  await watch.look();
  assert.equal(state.opened, 2);
});

test("a thousand nodes report every 200 s: five writes a second in all", async () => {
  assert.equal(await world({ nodes: 1_000 }).watch.look(), 200_000);
});

test("of many Services the busiest fifty are told, the others counted; steady traffic is no news", () => {
  const of = (number: number, packets: number): ServiceTraffic => ({
    service: `a/s${number}`,
    total: { connections: 0, packets: 0, bytes: 0 },
    rate: { connections: 0.001, packets, bytes: packets * 60 },
  });
  const all = Array.from({ length: 5_000 }, (_, at) => of(at, at));
  const report = trafficReport(all);
  assert.deepEqual([report.services.length, report.busyServices], [MAX_REPORTED, 4_999]);
  assert.equal(report.services[0]?.service, "a/s4999");
  assert.deepEqual(trafficReport([of(1, 1_011)]), trafficReport([of(1, 1_016)]));
  assert.equal(trafficReport([of(1, 0.01)]).services[0]?.packetsPerSecond, 1);
});
