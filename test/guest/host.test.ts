/**
 * Faults of a kernel or a clock that all programs of a machine share, in a guest, which has both to itself: a full table
 * of tracked connections, and a clock that jumps. Runs itself there.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { RUNNER } from "#hack/common/runner.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { HostWatch } from "#speaker/host/host-watch.ts";
import { readProc } from "#speaker/host/proc.ts";
import { SKIP } from "#test/guest/skip.ts";
import { run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

/** Only in a guest may the clock be set. */
const isGuest = process.env.GENKAN_GUEST_HOST === "1";
const FILE = "test/guest/host.test.ts";
const MAX = 200;
const LONGEST_MS = 120_000;
/** Far more than it takes: half a minute of looks, two seconds apart. */
const LOOKS_TO_FORGET = 100;

if (!isGuest)
  test("a full conntrack table and a clock that jumps, in a guest", {
    skip: SKIP,
  }, async () => {
    const guest = await startGuest({ memory: 512, progress: (line) => console.error(line) });
    try {
      const argv = ["env", "GENKAN_GUEST_HOST=1", "node", ...RUNNER, FILE];
      const { code, stdout, stderr } = await guest.exec(argv, { signal: AbortSignal.timeout(LONGEST_MS) });
      assert.equal(code, 0, `${stdout}${stderr}`);
      assert.match(stdout, /pass 2\b/);
    } finally {
      await guest.stop();
    }
  });
else
  describe("a node's kernel and clock", { concurrency: false }, () => {
    const stop = new AbortController();
    const watch = new HostWatch({
      clock: systemClock,
      log: silentLogger,
      read: readProc,
      links: () => [],
      onChange: () => undefined,
    });
    let running: Promise<void> | undefined;
    before(() => run("ip", "link", "set", "lo", "up"));
    after(async () => {
      stop.abort();
      await running;
    });
    const tracked = (): number => Number(readProc("sys/net/netfilter/nf_conntrack_count"));

    test("the table of tracked connections is full: new ones are dropped, and that is named", async (t) => {
      run(
        "nft",
        "table inet track { chain in { type filter hook input priority 0; ct state new counter; }\n}",
      );
      run("sysctl", "-qw", `net.netfilter.nf_conntrack_max=${MAX}`);
      const socket = createSocket("udp4");
      // An open socket keeps the process: a failure would never be told.
      t.after(() => socket.close());
      watch.look();
      let refused = 0;
      socket.on("error", () => void refused++);
      const send = (port: number): Promise<void> =>
        new Promise((resolve) => {
          socket.send("x", port, "127.0.0.1", (error) => {
            if (error !== null) refused += 1;
            resolve();
          });
        });
      for (let port = 20_000; port < 20_000 + 2 * MAX; port += 1) await send(port);
      assert.ok(refused > 0, "the kernel drops what it cannot track");
      // Above 95 % the kernel makes room by itself within a second, and there may be no look before that.
      await until("the kernel to make room", () => tracked() < 0.95 * MAX, { deadlineMs: 90_000 });
      watch.look();
      assert.match(watch.trouble?.message ?? "", /conntrack.* full .*nf_conntrack_max is 200/);
      run("sysctl", "-qw", `net.netfilter.nf_conntrack_max=${100 * MAX}`);
      for (let looks = 0; watch.trouble !== undefined; looks += 1) {
        assert.ok(looks < LOOKS_TO_FORGET, "it is named on although nothing is dropped any more");
        watch.look();
      }
    });

    test("the clock is set by an hour: named", async () => {
      running = watch.run(stop.signal);
      run("date", "-s", `@${Math.round(Date.now() / 1_000) + 3_600}`);
      await until("the watch to say so", () => watch.trouble?.reason === "ClockJumped");
      assert.match(watch.trouble?.message ?? "", /set forward by 3\d\d\d s/);
    });
  });
