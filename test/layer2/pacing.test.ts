/** A takeover of a thousand addresses on links that cannot take all that is said at once: every one is heard of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cable, HARDWARE } from "#test/network/cable.ts";
import { until } from "#test/until.ts";

const VIPS = Array.from({ length: 1_000 }, (_, at) => `10.9.${1 + (at >> 8)}.${at & 255}`);

const CASES: readonly [what: string, qdisc: string | undefined, deadlineMs: number][] = [
  ["a fast link", undefined, 10_000],
  [
    "256 kbit/s, a long queue: the socket's own room ends first",
    "tbf rate 256kbit burst 16kb limit 1500kb",
    20_000,
  ],
  ["256 kbit/s, a queue of some 80 frames: the link drops", "tbf rate 256kbit burst 4kb limit 5kb", 20_000],
];

for (const [index, [what, qdisc, deadlineMs]] of CASES.entries()) {
  test(what, { timeout: 400_000 }, async (t) => {
    const cable = new Cable(t, `pc${index}`);
    if (qdisc !== undefined)
      cable.run("owner", "tc", "qdisc", "add", "dev", "eth0", "root", ...qdisc.split(" "));
    const heard = await cable.capture("other", `arp and ether src ${HARDWARE.owner}`);
    const owner = cable.start("owner", "./responder-child.ts");
    await owner.say(VIPS.join(" "), "done");
    const told = (): Map<string, number> => {
      const times = new Map<string, number>();
      for (const [, time = "", vip = ""] of heard().matchAll(
        /^(\S+) .* (?:Request who-has|Reply) (10\.9\.\d+\.\d+) /gm,
      )) {
        if (!times.has(vip)) times.set(vip, secondsOf(time));
      }
      return times;
    };
    await until("all addresses", () => told().size === VIPS.length, { deadlineMs, everyMs: 200 });
    const times = [...told().values()];
    t.diagnostic(`the last first word after ${(Math.max(...times) - Math.min(...times)).toFixed(2)} s`);
    assert.equal(told().size, VIPS.length);
  });
}

/** `HH:MM:SS.ffffff`; a test that runs over midnight is told a wrong time, and judges by none. */
function secondsOf(time: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  return (hours * 60 + minutes) * 60 + seconds;
}
