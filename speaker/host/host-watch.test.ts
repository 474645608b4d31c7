/** What is read of a node -> what is in the way. test/layer2/host.test.ts does the same with a real kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { conntrackDrops, conntrackTrouble } from "./conntrack.ts";
import { Drops } from "./drops.ts";
import { HostWatch } from "./host-watch.ts";
import { GROWN, isStrict, reversePathDrops } from "./reverse-path.ts";
import { WallClock } from "./wall-clock.ts";

const netstat = (drops: number): string =>
  `TcpExt: SyncookiesSent IPReversePathFilter TCPTimeWaitOverflow\nTcpExt: 7 ${drops} 9\nIpExt: InOctets\nIpExt: 5`;

/** As kernel 7.2 writes it, with two spaces where two kinds of counters meet. */
const conntrackStat = (drops: number): string =>
  [
    "entries  clashres found drop early_drop icmp_error  expect_new",
    `00000009 00000000 00000000 ${drops.toString(16).padStart(8, "0")} 00000000 00000000  00000000`,
    "00000009 00000000 00000000 00000000 000000a0 00000000  00000000",
  ].join("\n");

test("a full table is named, and one at the edge is not named to and fro", () => {
  const named = (count: number, wasFull: boolean): boolean =>
    conntrackTrouble({ count, max: 1_000 }, { isDropping: false, wasFull }) !== undefined;
  assert.deepEqual(
    [named(949, false), named(950, false), named(949, true), named(900, true), named(899, true)],
    [false, true, true, true, false],
  );
  const all = { isDropping: true, wasFull: true };
  assert.equal(conntrackTrouble(undefined, all), undefined);
  assert.equal(conntrackTrouble({ count: 5, max: 0 }, all), undefined);
});

test("a table that the kernel has cleared away again, and that had no room before, is named", () => {
  const [was, is] = [0x1f, 0x20].map((drops) => conntrackDrops(conntrackStat(drops)));
  assert.deepEqual([was, is], [0x1f + 0xa0, 0x20 + 0xa0]);
  const drops = new Drops({ grown: 1 });
  assert.equal(drops.see(was), false);
  const isDropping = drops.see(is);
  const trouble = conntrackTrouble({ count: 1, max: 1_000 }, { isDropping, wasFull: false });
  assert.equal(trouble?.reason, "ConntrackFull");
});

test("a kernel without these counters, or with other ones, counts none", () => {
  for (const text of ["", "drop early_drop", "drop\n0a", "drop early_drop\n0a", "drop early_drop\n0a zz"])
    assert.equal(conntrackDrops(text), undefined, text);
});

test("the counter is found by its name", () => {
  assert.equal(reversePathDrops(netstat(42)), 42);
  for (const text of [
    "",
    "TcpExt: A\nTcpExt: 1",
    "TcpExt: IPReversePathFilter",
    "TcpExt: IPReversePathFilter\nTcpExt: x",
  ])
    assert.equal(reversePathDrops(text), undefined, text);
});

test("drops have to go on to be named, and to stay away to be forgotten", () => {
  const reversePath = new Drops({ grown: GROWN });
  const see = (...drops: (number | undefined)[]): boolean | undefined =>
    drops.map((one) => reversePath.see(one)).at(-1);
  assert.equal(see(5, 6, 6, 7, 7), false);
  assert.equal(see(8, 9), true);
  assert.equal(see(...Array.from({ length: 14 }, () => 9)), true);
  assert.equal(see(9), false);
  assert.equal(see(undefined, 20, 20), false);
});

test("the larger of all and the link's own value counts", () => {
  assert.deepEqual(
    [
      isStrict("0", "1"),
      isStrict("1", "0"),
      isStrict("2", "1"),
      isStrict("0", "0"),
      isStrict(undefined, undefined),
    ],
    [true, true, false, false, false],
  );
});

test("a clock that is set is named for five minutes; one that drifts is not", () => {
  const clock = new WallClock();
  assert.equal(clock.see(1_000_000, 0), undefined);
  assert.equal(clock.see(1_003_400, 2_000), undefined);
  assert.match(clock.see(1_005_400 - 3_600_000, 4_000)?.message ?? "", /set back by 3600 s/);
  assert.equal(clock.see(1_303_400 - 3_600_000, 302_000)?.reason, "ClockJumped");
  assert.equal(clock.see(1_305_400 - 3_600_000, 304_000), undefined);
});

test("the gravest gives the reason, the others stand in the message, and only news is told", () => {
  const files = new Map([
    ["sys/net/netfilter/nf_conntrack_count", "10"],
    ["sys/net/netfilter/nf_conntrack_max", "10"],
    ["sys/net/ipv4/conf/all/rp_filter", "0"],
    ["sys/net/ipv4/conf/eth0/rp_filter", "1"],
    ["sys/net/ipv4/conf/eth1/rp_filter", "2"],
  ]);
  let drops = 0;
  let news = 0;
  const time = { wall: 0, now: 0 };
  const watch = new HostWatch({
    clock: { now: () => time.now, date: () => new Date(time.wall), sleep: () => Promise.resolve() },
    log: silentLogger,
    read: (path) => (path === "net/netstat" ? netstat(drops) : files.get(path)),
    links: () => ["eth0", "eth1"],
    onChange: () => void news++,
  });
  for (const wall of [0, 2_000, 99_000]) {
    Object.assign(time, { now: time.now + 2_000, wall });
    watch.look();
    drops += 1;
  }
  assert.equal(watch.trouble?.reason, "ConntrackFull");
  assert.match(
    watch.trouble.message,
    /nf_conntrack_max is 10; ReversePathDrops: .* strict on eth0: .*eth0\.rp_filter=2.*; ClockJumped/,
  );
  const before = news;
  watch.look();
  assert.equal(news, before);
});

test("a file that cannot be read ends nothing", () => {
  const watch = new HostWatch({
    clock: { now: () => 0, date: () => new Date(0), sleep: () => Promise.resolve() },
    log: silentLogger,
    read: () => {
      throw new Error("EACCES");
    },
    links: () => [],
    onChange: () => assert.fail(),
  });
  watch.look();
  assert.equal(watch.trouble, undefined);
});
