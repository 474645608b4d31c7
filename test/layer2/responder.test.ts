/**
 * The worker thread against the kernel's own tools over a cable: who has none of our addresses on any link still
 * answers for them, and says so unasked. Runs in two network namespaces of its own.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { UNASKED_MS } from "#speaker/layer2/pacer.ts";
import { Cable } from "#test/network/cable.ts";
import { until } from "#test/until.ts";

const ADDRESSES = {
  owner: ["192.0.2.9/24", "2001:db8::9/64"],
  other: ["192.0.2.1/24", "2001:db8::1/64"],
};

test("the responder and the kernel's tools", { timeout: 400_000 }, async (t) => {
  const cable = new Cable(t, "r", ADDRESSES);
  const inTheirs = (...command: string[]): { status: number | null; output: string } => {
    const argv = ["netns", "exec", cable.namespace("other"), ...command];
    const { status, stdout, stderr } = spawnSync("ip", argv, { encoding: "utf8" });
    return { status, output: `${stdout}${stderr}` };
  };
  const believed = (): string => inTheirs("ip", "neigh", "show", "dev", "eth0").output;
  /** A neighbour's entry as some other station left it. */
  const misled = (vip: string, state: string): void => {
    const { status, output } = inTheirs(
      ...`ip neigh replace ${vip} lladdr 02:00:00:00:0b:ad dev eth0 nud ${state}`.split(" "),
    );
    assert.equal(status, 0, output);
  };
  // Every frame the other host hears from now on, for the unasked ones.
  const heard = await cable.capture("other", "(arp or icmp6) and ether src 02:00:00:00:0a:01");

  /** An announcer; what comes back gives it the whole list of its addresses. */
  const announcer = (end: "owner" | "other"): ((...vips: string[]) => Promise<void>) => {
    const program = cable.start(end, "./responder-child.ts");
    return (...vips) => program.say(vips.join(" "), "done");
  };
  const set = announcer("owner");

  await t.test("before anything is announced nobody answers: the kernel has no such address", async () => {
    await set();
    assert.notEqual(inTheirs("arping", "-c", "1", "-w", "1", "-I", "eth0", "192.0.2.77").status, 0);
    assert.notEqual(inTheirs("ndisc6", "-q", "-r", "1", "-w", "500", "2001:db8::77", "eth0").status, 0);
  });

  await t.test("arping and ndisc6 get the link's hardware address; ping's kernel resolves it", async () => {
    await set("192.0.2.77", "2001:db8::77");
    await until("answers to both", () => {
      const arping = inTheirs("arping", "-c", "2", "-w", "3", "-I", "eth0", "192.0.2.77");
      assert.equal(arping.status, 0, arping.output);
      assert.match(arping.output, /02:00:00:00:0A:01/i);
      const ndisc = inTheirs("ndisc6", "-q", "2001:db8::77", "eth0");
      assert.match(ndisc.output, /02:00:00:00:0A:01/i);
      return true;
    });
    await until("the other's kernel to resolve both", () => {
      inTheirs("ping", "-c", "1", "-W", "1", "192.0.2.77");
      inTheirs("ping", "-6", "-c", "1", "-W", "1", "2001:db8::77");
      assert.match(believed(), /192\.0\.2\.77 lladdr 02:00:00:00:0a:01/);
      assert.match(believed(), /2001:db8::77 lladdr 02:00:00:00:0a:01/);
      return true;
    });
  });

  await t.test("a DAD probe finds the address taken", async () => {
    inTheirs("ip", "addr", "add", "2001:db8::77/64", "dev", "eth0");
    await until("the kernel to find it taken", () =>
      /2001:db8::77\/64 .*dadfailed/.test(inTheirs("ip", "-6", "addr", "show", "dev", "eth0").output),
    );
    inTheirs("ip", "addr", "del", "2001:db8::77/64", "dev", "eth0");
  });

  await t.test(
    "the change is told unasked, in both forms of ARP and by an advertisement, several times",
    async () => {
      const count = (pattern: RegExp): number => heard().match(pattern)?.length ?? 0;
      const seen = () => ({
        request: count(/ff:ff:ff:ff:ff:ff.*Request who-has 192\.0\.2\.77.* tell 192\.0\.2\.77/g),
        reply: count(/ff:ff:ff:ff:ff:ff.*Reply 192\.0\.2\.77 is-at 02:00:00:00:0a:01/g),
        advertisement: count(
          /33:33:00:00:00:01.*2001:db8::77 > ff02::1.*neighbor advertisement.*2001:db8::77/g,
        ),
      });
      await until("each form five times", () => {
        for (const [form, times] of Object.entries(seen()))
          assert.ok(times >= 5, `${form}: ${times} times\n${heard()}`);
        return true;
      });
    },
  );

  await t.test("a neighbour that knew another hardware address learns the new one from them", async () => {
    await set("2001:db8::77");
    misled("192.0.2.77", "stale");
    await set("192.0.2.77", "2001:db8::77");
    await until("the true one", () => /192\.0\.2\.77 lladdr 02:00:00:00:0a:01/.test(believed()));
  });

  await t.test("another one that announces them, too, and then is silent does not keep them", async () => {
    const rival = announcer("other");
    const vips = ["192.0.2.78", "2001:db8::78"];
    const told = (): number =>
      heard().match(/Request who-has 192\.0\.2\.78.* tell 192\.0\.2\.78/g)?.length ?? 0;
    await set(...vips);
    // All that is told unasked after an announcement.
    await until("all of that", () => told() >= UNASKED_MS.length, { deadlineMs: 60_000 });
    await rival(...vips);
    // What a host there believes now.
    for (const vip of vips) misled(vip, "reachable");
    await rival();
    await until("the true ones", () =>
      vips.every(
        (vip) =>
          believed().includes(`${vip} dev eth0 lladdr 02:00:00:00:0a:01`) ||
          believed().includes(`${vip} lladdr 02:00:00:00:0a:01`),
      ),
    );
  });

  await t.test("it stops at once when told", async () => {
    await set();
    assert.notEqual(inTheirs("arping", "-c", "1", "-w", "1", "-I", "eth0", "192.0.2.77").status, 0);
    assert.notEqual(inTheirs("ndisc6", "-q", "-r", "1", "-w", "500", "2001:db8::77", "eth0").status, 0);
  });
});
