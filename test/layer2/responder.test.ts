/**
 * The worker thread against the kernel's own tools over a cable: who has none of our addresses on any link still
 * answers for them, and says so unasked. Runs in two network namespaces of its own.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UNASKED_MS } from "#speaker/layer2/pacer.ts";
import { ip } from "#test/network/namespace.ts";

const OURS = `gkr1-${process.pid}`;
const THEIRS = `gkr2-${process.pid}`;
const HARDWARE = "02:00:00:00:0a:01";
const CHILD = fileURLToPath(new URL("./responder-child.ts", import.meta.url));

function inTheirs(...command: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("ip", ["netns", "exec", THEIRS, ...command], {
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
}

test("the responder and the kernel's tools", { timeout: 400_000 }, async (t) => {
  for (const name of [OURS, THEIRS]) spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  t.after(() => {
    for (const name of [OURS, THEIRS]) spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  });
  ip(`netns add ${OURS}
    netns add ${THEIRS}
    link add eth0 netns ${OURS} address ${HARDWARE} type veth peer name eth0 netns ${THEIRS}
    -n ${OURS} link set eth0 up
    -n ${THEIRS} link set eth0 up
    -n ${THEIRS} addr add 192.0.2.1/24 dev eth0
    -n ${THEIRS} addr add 2001:db8::1/64 dev eth0 nodad
    -n ${OURS} addr add 192.0.2.9/24 dev eth0
    -n ${OURS} addr add 2001:db8::9/64 dev eth0 nodad`);

  // Every frame the other host hears from now on, for the unasked ones.
  const capture = spawn("ip", [
    ..."netns exec".split(" "),
    THEIRS,
    ..."tcpdump -n -e -l --immediate-mode -i eth0".split(" "),
    "(arp or icmp6) and ether src 02:00:00:00:0a:01",
  ]);
  let heard = "";
  const listening = new Promise<void>((resolve) => {
    capture.stderr.on("data", (data) => String(data).includes("listening") && resolve());
  });
  capture.stdout.on("data", (data) => {
    heard += data;
  });
  t.after(() => capture.kill());
  await listening;

  /** Starts an announcer; what comes back gives it the whole list of its addresses. */
  const announcer = (namespace: string): ((...vips: string[]) => Promise<void>) => {
    const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, process.execPath, CHILD], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.after(() => child.kill());
    return async (...vips) => {
      const answer = new Promise<string>((resolve) =>
        child.stdout.once("data", (data) => resolve(String(data).trim())),
      );
      child.stdin.write(`${vips.join(" ")}\n`);
      assert.match(await answer, /^done/);
    };
  };
  const set = announcer(OURS);

  await t.test("before anything is announced nobody answers: the kernel has no such address", async () => {
    await set();
    assert.notEqual(inTheirs("arping", "-c", "1", "-w", "1", "-I", "eth0", "192.0.2.77").status, 0);
    assert.notEqual(inTheirs("ndisc6", "-q", "-r", "1", "-w", "500", "2001:db8::77", "eth0").status, 0);
  });

  await t.test("arping and ndisc6 get the link's hardware address; ping's kernel resolves it", async () => {
    await set("192.0.2.77", "2001:db8::77");
    const arping = inTheirs("arping", "-c", "2", "-w", "3", "-I", "eth0", "192.0.2.77");
    assert.equal(arping.status, 0, arping.output);
    assert.match(arping.output, /02:00:00:00:0A:01/i);
    const ndisc = inTheirs("ndisc6", "-q", "2001:db8::77", "eth0");
    assert.match(ndisc.output, /02:00:00:00:0A:01/i);
    inTheirs("ping", "-c", "1", "-W", "1", "192.0.2.77");
    inTheirs("ping", "-6", "-c", "1", "-W", "1", "2001:db8::77");
    const neighbors = inTheirs("ip", "neigh", "show", "dev", "eth0").output;
    assert.match(neighbors, /192\.0\.2\.77 lladdr 02:00:00:00:0a:01/);
    assert.match(neighbors, /2001:db8::77 lladdr 02:00:00:00:0a:01/);
  });

  await t.test("a DAD probe finds the address taken", () => {
    ip(`-n ${THEIRS} addr add 2001:db8::77/64 dev eth0`);
    const deadline = performance.now() + 5_000;
    let shown = "";
    do shown = inTheirs("ip", "-6", "addr", "show", "dev", "eth0").output;
    while (!shown.includes("dadfailed") && performance.now() < deadline);
    ip(`-n ${THEIRS} addr del 2001:db8::77/64 dev eth0`);
    assert.match(shown, /2001:db8::77\/64 .*dadfailed/);
  });

  await t.test(
    "the change is told unasked, in both forms of ARP and by an advertisement, several times",
    async () => {
      const deadline = performance.now() + 8_000;
      const count = (pattern: RegExp): number => heard.match(pattern)?.length ?? 0;
      const seen = () => ({
        request: count(/ff:ff:ff:ff:ff:ff.*Request who-has 192\.0\.2\.77.* tell 192\.0\.2\.77/g),
        reply: count(/ff:ff:ff:ff:ff:ff.*Reply 192\.0\.2\.77 is-at 02:00:00:00:0a:01/g),
        advertisement: count(
          /33:33:00:00:00:01.*2001:db8::77 > ff02::1.*neighbor advertisement.*2001:db8::77/g,
        ),
      });
      while (Math.min(...Object.values(seen())) < 5 && performance.now() < deadline) {
        await new Promise((resolve) => capture.stdout.once("data", resolve));
      }
      for (const [form, times] of Object.entries(seen()))
        assert.ok(times >= 5, `${form}: ${times} times\n${heard}`);
    },
  );

  await t.test("a neighbour that knew another hardware address learns the new one from them", async () => {
    await set("2001:db8::77");
    ip(`-n ${THEIRS} neigh replace 192.0.2.77 lladdr 02:00:00:00:0b:ad dev eth0 nud stale`);
    await set("192.0.2.77", "2001:db8::77");
    const deadline = performance.now() + 5_000;
    let shown = "";
    do shown = inTheirs("ip", "neigh", "show", "192.0.2.77", "dev", "eth0").output;
    while (!shown.includes("02:00:00:00:0a:01") && performance.now() < deadline);
    assert.match(shown, /02:00:00:00:0a:01/);
  });

  await t.test("another one that announces them, too, and then is silent does not keep them", async () => {
    const rival = announcer(THEIRS);
    const vips = ["192.0.2.78", "2001:db8::78"];
    const told = (): number =>
      heard.match(/Request who-has 192\.0\.2\.78.* tell 192\.0\.2\.78/g)?.length ?? 0;
    await set(...vips);
    // All that is told unasked after an announcement.
    while (told() < UNASKED_MS.length) await new Promise((resolve) => capture.stdout.once("data", resolve));
    await rival(...vips);
    // What a host there believes now.
    for (const vip of vips)
      ip(`-n ${THEIRS} neigh replace ${vip} lladdr 02:00:00:00:0b:ad dev eth0 nud reachable`);
    await rival();
    const deadline = performance.now() + 5_000;
    let shown = "";
    do shown = inTheirs("ip", "neigh", "show", "dev", "eth0").output;
    while (shown.includes("02:00:00:00:0b:ad") && performance.now() < deadline);
    for (const vip of vips) assert.match(shown, new RegExp(`${vip} lladdr 02:00:00:00:0a:01`));
  });

  await t.test("it stops at once when told", async () => {
    await set();
    assert.notEqual(inTheirs("arping", "-c", "1", "-w", "1", "-I", "eth0", "192.0.2.77").status, 0);
    assert.notEqual(inTheirs("ndisc6", "-q", "-r", "1", "-w", "500", "2001:db8::77", "eth0").status, 0);
  });
});
