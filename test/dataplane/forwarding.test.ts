/**
 * Forwarding against a real kernel with ip_vs: what it writes, what it repairs, what it leaves alone, and that removal
 * leaves the namespace as it was found, byte for byte. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { FAMILIES } from "#api/address.ts";
import { markValue } from "#speaker/forwarding/elements.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ElementTable, ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { type KernelOptions, openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { DEFAULT_SETTINGS, type Element, type ForwardedPort, PROTOCOLS } from "#speaker/forwarding/types.ts";
import { Clients, type Probe, probeText } from "#test/dataplane/clients.ts";
import { kernelState as state } from "#test/dataplane/kernel-state.ts";
import {
  endpoint,
  markOfPod,
  probe,
  restricted,
  SOURCES,
  wanting,
  web,
  web6,
} from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip, run } from "#test/network/namespace.ts";

if (!isInside) {
  testInside("forwarding", import.meta.filename);
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;
  const clock = new FakeClock();
  let found: string;

  const opened = (more: Partial<KernelOptions> = {}): ForwardingKernel & Disposable => {
    const other = openForwardingKernel({ sysctlRoot: "/proc/sys", ...more });
    return { ...other, [Symbol.dispose]: () => other.close() };
  };

  /** What becomes of an element on its way to the kernel. */
  let damage: (set: string, element: Element) => Element = (_set, element) => element;
  const damaging = (sound: ForwardingKernel): ForwardingKernel => {
    const { elements } = sound;
    const change: ElementTable["change"] = ({ add, remove }) => {
      const damaged = [...add].map(([set, list]) => [set, list.map((one) => damage(set, one))] as const);
      elements.change({ remove, add: new Map(damaged) });
    };
    return {
      ...sound,
      elements: {
        change,
        exists: () => elements.exists(),
        sets: () => elements.sets(),
        walk: (set) => elements.walk(set),
        find: (set, keys) => elements.find(set, keys),
        epoch: () => elements.epoch(),
        counters: () => elements.counters(),
      },
    };
  };

  before(() => {
    ip(`link set lo up
      link add eth0 type dummy
      addr add 192.168.50.11/24 dev eth0
      -6 addr add fd50::11/64 dev eth0 nodad
      link set eth0 up
      route add 10.244.0.0/16 via 192.168.50.1
      -6 route add fd44::/16 via fd50::1`);
    spawnSync("ip", ["link", "add", "tunl0", "type", "ipip"]);
    spawnSync("ip", ["link", "add", "ip6tnl0", "type", "ip6tnl"]);
    run(
      "sh",
      "-c",
      "ipvsadm -A -t 10.1.1.1:80 -s rr && ipvsadm -a -t 10.1.1.1:80 -r 10.1.1.2:80 -m && ipvsadm -A -f 77 -s rr && ipvsadm -A -f 4242 -s rr",
    );
    run(
      "nft",
      "add table inet other; add chain inet other c { type filter hook input priority 0; }; add rule inet other c counter",
    );
    ip("rule add pref 50 fwmark 0x4000 lookup 50\nroute add local 10.9.9.9 dev lo table 50");
    found = state();
    kernel = damaging(openForwardingKernel({ sysctlRoot: "/proc/sys" }));
    forwarding = new Forwarding(kernel, { clock });
  });
  after(() => kernel?.close());

  test("a first pass makes what is planned, a second one writes nothing", async () => {
    const first = await forwarding.reconcile(wanting([web(), web6()]));
    assert.ok(first.writes > 0);
    assert.deepEqual(first.conflicts, []);
    const mark = (id: number) => markOf(id, 1, DEFAULT_SETTINGS.routingBit);
    const saved = run("ipvsadm", "-Sn");
    for (const id of [5000, 5001])
      assert.match(saved, new RegExp(`-A -f ${mark(id)}( -6)? -s mh -b mh-fallback,mh-port`), saved);
    assert.match(saved, new RegExp(`-a -f ${mark(5000)} -r 10.244.1.10:8080 -m -w 1`));
    assert.match(saved, new RegExp(`-a -f ${mark(5000)} -r 10.244.2.10:8080 -i -w 1`));
    for (const [id, address, text] of [
      [5000, "10.244.1.10", "10.244.1.10"],
      [5001, "fd44:1::10", "\\[fd44:1::10\\]"],
    ] as const) {
      const own = markOfPod(id, address);
      assert.match(saved, new RegExp(`-A -f ${own}( -6)? -s rr\\s`), saved);
      assert.match(saved, new RegExp(`-a -f ${own}( -6)? -r ${text}:8080 -m -w 1`), saved);
    }
    const { writes, changes, conflicts, refused } = await forwarding.reconcile(wanting([web(), web6()]));
    assert.deepEqual(
      { writes, changes, conflicts, refused },
      { writes: 0, changes: [], conflicts: [], refused: [] },
    );
  });

  test("another process that starts finds it all, and only loads the chains anew", async () => {
    using other = opened();
    const { changes } = await new Forwarding(other, { clock }).reconcile(wanting([web(), web6()]));
    assert.deepEqual(changes, [{ action: "update", kind: "ruleset", name: "genkan" }]);
    const again = await forwarding.reconcile(wanting([web(), web6()]));
    assert.ok(again.changes.every((change) => change.kind === "ruleset"));
  });

  /** Sorted: sets that are made anew come in another order. */
  const linesOfTable = (): string[] =>
    run("nft", "list", "table", "inet", "genkan")
      .replace(/packets \d+ bytes \d+/g, "packets")
      .split("\n")
      .sort();

  /** Makes of our table what the builds before left; false: the kernel refuses their rules with this nft (7.2 and 1.0.6). */
  function makeOlder(): boolean {
    const sets = ["4", "6"].flatMap((digit) => {
      const address = `ipv${digit}_addr`;
      return `add set inet genkan admitted${digit} { type ${address} . inet_proto . inet_service . ${address}; flags interval; }`;
    });
    const jumps = ["ours4", "ours6", "leaving4", "leaving6"].flatMap((chain) =>
      [...run("nft", "-a", "list", "chain", "inet", "genkan", chain).matchAll(/jump .* handle (\d+)/g)].map(
        ([, handle]) => `delete rule inet genkan ${chain} handle ${handle}`,
      ),
    );
    const text = [
      ...sets,
      "add element inet genkan admitted4 { 192.168.50.100 . tcp . 80 . 172.16.0.0/25 }",
      ...jumps,
      ...["4", "6"].map((digit) => `flush chain inet genkan sources${digit}`),
      ...["4", "6"].map((digit) => `delete chain inet genkan sources${digit}`),
      ...PROTOCOLS.flatMap((protocol) =>
        ["4", "6"].map((digit) => `delete set inet genkan admitted_${protocol.toLowerCase()}${digit}`),
      ),
    ];
    const rules = ["ip", "ip6"].map((family) => {
      const digit = family === "ip" ? "4" : "6";
      const port = `${family} daddr . meta l4proto . th dport`;
      return `insert rule inet genkan pre ${port} @restricted${digit} ${port} . ${family} saddr != @admitted${digit} drop`;
    });
    run("nft", text.join("\n"));
    return spawnSync("nft", [rules.join("\n")]).status === 0;
  }

  const DAMAGES: readonly (readonly [string, () => void, string])[] = [
    ["a service", () => run("ipvsadm", "-D", "-f", String(markOf(5000, 1, 0x1000))), "virtualServer"],
    [
      "a real server",
      () => run("ipvsadm", "-d", "-f", String(markOf(5000, 1, 0x1000)), "-r", "10.244.2.10:8080"),
      "realServer",
    ],
    [
      "a weight",
      () =>
        run(
          "ipvsadm",
          "-e",
          "-f",
          String(markOfPod(5000, "10.244.1.10")),
          "-r",
          "10.244.1.10:8080",
          "-m",
          "-w",
          "3",
        ),
      "realServer",
    ],
    ["a rule", () => ip("rule del pref 100"), "rule"],
    ["a route", () => ip("-6 route del local fd50::100 dev lo table 7077"), "route"],
    [
      "an element",
      () => run("nft", "delete element inet genkan ports4 { 192.168.50.100 . tcp . 80 }"),
      "element",
    ],
    ["a chain's rules", () => run("nft", "flush chain inet genkan in"), "ruleset"],
    ["the table", () => run("nft", "delete table inet genkan"), "ruleset"],
    ["a sysctl", () => run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/vs/sloppy_tcp"), "sysctl"],
    ["a tunnel device that is down", () => ip("link set genkan4 down"), "link"],
    ["a tunnel device that is gone", () => ip("link del genkan6"), "link"],
    [
      "a tunnel device that takes packets for anybody",
      () => ip("link del genkan4\nlink add genkan4 type ipip local 192.168.50.11"),
      "link",
    ],
  ];
  for (const [what, doDamage, kind] of DAMAGES) {
    test(`repaired: ${what}`, async () => {
      const wanted = wanting([web(), web6()]);
      doDamage();
      await forwarding.audit();
      const { changes } = await forwarding.reconcile(wanted);
      assert.ok(
        changes.some((change) => change.kind === kind),
        JSON.stringify(changes),
      );
      assert.equal((await forwarding.reconcile(wanted)).writes, 0);
    });
  }

  test("draining, preferring local pods, affinity and other schedulers show in IPVS", async () => {
    const t1 = markOf(5000, 1, 0x1000);
    await forwarding.reconcile(
      wanting([
        web({
          endpoints: [endpoint("10.244.1.10", true, { isServing: false }), endpoint("10.244.2.10", false)],
        }),
      ]),
    );
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-a -f ${t1} -r 10.244.1.10:8080 -m -w 0`));
    await forwarding.reconcile(wanting([web({ preferLocal: true, affinity: true })]));
    const local = run("ipvsadm", "-Sn");
    assert.match(local, new RegExp(`-a -f ${t1} -r 10.244.2.10:8080 -i -w 0`));
    assert.match(local, new RegExp(`-A -f ${t1} -s mh -b mh-fallback\\s`));
    await forwarding.reconcile(wanting([web({ scheduler: "rr" })]));
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-A -f ${t1} -s rr`));
    await forwarding.reconcile(
      wanting([web({ scheduler: "lc", hasOwnScheduler: true, thresholds: { upper: 9, lower: 3 } })]),
    );
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-A -f ${t1} -s lc`));
    const thresholds = (): string => run("ipvsadm", "-Ln", "--thresholds", "-f", String(t1));
    assert.match(thresholds(), /-> 10\.244\.1\.10:8080 +9 +3 /);
    run("ipvsadm", "-e", "-f", String(t1), "-r", "10.244.1.10:8080", "-m", "-w", "1", "-x", "4");
    await forwarding.reconcile(wanting([web({ scheduler: "lc", hasOwnScheduler: true })]));
    assert.match(thresholds(), /-> 10\.244\.1\.10:8080 +0 +0 /);
    const weighed = wanting([
      web({
        endpoints: [
          endpoint("10.244.1.10", true, { weight: 3 }),
          endpoint("10.244.2.10", false, { weight: 5, isServing: false }),
        ],
      }),
    ]);
    await forwarding.reconcile(weighed);
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-a -f ${t1} -r 10.244.1.10:8080 -m -w 3`));
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-a -f ${t1} -r 10.244.2.10:8080 -i -w 0`));
    assert.match(thresholds(), /-> 10\.244\.2\.10:8080 +1000000005 +0 /);
    assert.equal((await forwarding.reconcile(weighed)).writes, 0);
  });

  test("source ranges, endpoints behind SNAT and a port without endpoints show in the sets", async () => {
    await forwarding.reconcile(
      wanting([
        web({
          sourceRanges: ["10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24"],
          endpoints: [endpoint("10.244.9.9", false, { returnPath: "snat" })],
        }),
        web({ id: 6000, port: 81, endpoints: [] }),
      ]),
    );
    const ruleset = run("nft", "list", "table", "inet", "genkan");
    assert.match(ruleset, /set restricted4 \{[^}]*elements = \{ 192\.168\.50\.100 \. tcp \. 80 \}/);
    assert.match(
      ruleset,
      /set admitted_tcp4 \{[^}]*elements = \{ 192\.168\.50\.100 \. 80 \. 10\.0\.0\.0\/8,/,
    );
    assert.match(ruleset, /set admitted_udp4 \{[^}=]*\}/);
    assert.match(
      ruleset,
      /set translated4 \{[^}]*elements = \{ 192\.168\.50\.100 \. tcp \. 80 \. 10\.244\.9\.9 \}/,
    );
    assert.match(ruleset, /set guarded4 \{[^}=]*\}/);
  });

  test("a restricted port lets through whom its own ranges admit, and nobody else", async () => {
    using clients = new Clients();
    await forwarding.reconcile(wanting([...restricted(), web({ id: 7200, port: 81 })]));
    const everybody = FAMILIES.flatMap((family) =>
      PROTOCOLS.flatMap((protocol) => SOURCES[family].map((source) => probe(family, protocol, source))),
    );
    const admitted = [
      probe("IPv4", "TCP", "172.16.0.1"),
      probe("IPv4", "TCP", "172.16.0.127"),
      probe("IPv4", "UDP", "172.16.0.128"),
      probe("IPv6", "TCP", "fd16::1"),
      probe("IPv6", "TCP", "fd16::ffff"),
      probe("IPv6", "UDP", "fd16::1:0"),
    ];
    for (const extended of [false, true]) {
      const probes = everybody.map((one) => ({ ...one, extended }));
      assert.deepEqual(await clients.reached(...probes), admitted.map(probeText).sort());
    }
    const unrestricted = probe("IPv4", "TCP", "172.16.0.128", { port: 81 });
    assert.deepEqual(await clients.reached(unrestricted), [probeText(unrestricted)]);
  });

  test("the sets of an older build go away, and meanwhile whom they admit gets through", async (t) => {
    using clients = new Clients();
    const wanted = wanting(restricted());
    await forwarding.reconcile(wanted);
    const shown = linesOfTable();
    const hadRules = makeOlder();
    if (!hadRules)
      t.diagnostic("nft and this kernel do not take the older build's rules: tried with its sets alone");
    const [admitted, stranger] = [probe("IPv4", "TCP", "172.16.0.1"), probe("IPv4", "TCP", "172.16.0.128")];
    const reached: string[][] = [];
    using newerKernel = opened({
      aroundNft: async (run, text) => {
        await run(text);
        reached.push(await clients.reached(admitted, stranger));
      },
    });
    const newer = new Forwarding(newerKernel, { clock });
    await newer.reconcile(wanted);
    // The new sets are loaded first, beside the older rules, if there were any; then the new rules.
    assert.deepEqual(reached, [
      hadRules ? [probeText(admitted)] : [probeText(admitted), probeText(stranger)],
      [probeText(admitted)],
    ]);
    assert.deepEqual(linesOfTable(), shown);
    assert.equal((await newer.reconcile(wanted)).writes, 0);
  });

  /** As builds before 2026-12 left it: tunl0 up, with an address, and remembered in the table that it was not. */
  function raiseOldTunnels(): void {
    ip("link set tunl0 up\nlink set ip6tnl0 up\naddr add 169.254.77.77/32 dev tunl0 scope host");
    run("sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/tunl0/rp_filter");
    const lines = ["link.tunl0=down", "link.ip6tnl0=down", "net.ipv4.conf.tunl0.rp_filter=0"];
    run("nft", lines.map((line) => `add rule inet genkan saved return comment "${line}"`).join("\n"));
  }

  test("tunnels that an older build raised are put back, and forgotten", async () => {
    const wanted = wanting([web(), web6()]);
    await forwarding.reconcile(wanted);
    raiseOldTunnels();
    await forwarding.reconcile(wanted);
    assert.equal(run("cat", "/proc/sys/net/ipv4/conf/tunl0/rp_filter").trim(), "0");
    assert.doesNotMatch(run("ip", "addr", "show", "dev", "tunl0"), /,UP|169\.254\.77\.77/);
    assert.doesNotMatch(run("ip", "link", "show", "dev", "ip6tnl0"), /,UP/);
    assert.doesNotMatch(run("nft", "list", "chain", "inet", "genkan", "saved"), /tunl0|ip6tnl0/);
    assert.equal((await forwarding.reconcile(wanted)).writes, 0);
  });

  test("a tunnel that an older build raised and that others use by now stays", async () => {
    const wanted = wanting([web(), web6()]);
    await forwarding.reconcile(wanted);
    raiseOldTunnels();
    ip("addr add 10.244.1.77/32 dev tunl0");
    const { changes } = await forwarding.reconcile(wanted);
    assert.ok(changes.some(({ action, name }) => action === "keep" && name === "tunl0"));
    const shown = run("ip", "addr", "show", "dev", "tunl0");
    ip("addr del 10.244.1.77/32 dev tunl0\nlink set tunl0 down");
    run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/tunl0/rp_filter");
    assert.match(shown, /,UP[\s\S]*10\.244\.1\.77/);
    assert.doesNotMatch(shown, /169\.254\.77\.77/);
  });

  const [GOOD, BROADCAST] = ["10.244.1.10", "192.168.50.255"];
  const careless = (...addresses: string[]): ForwardedPort =>
    web({
      service: "tenant/careless",
      id: 8000,
      vip: "192.168.50.101",
      endpoints: addresses.map((address) => endpoint(address, true)),
    });
  const beside = (): ForwardedPort[] => [web({ endpoints: [endpoint(GOOD, true)] }), web6()];

  test("an endpoint that IPVS refuses costs itself alone: all others are served, and it is asked again ever later", async () => {
    using clients = new Clients();
    await forwarding.reconcile(wanting(beside()));
    const wanted = wanting([careless(BROADCAST, "10.244.7.7"), ...beside()]);
    const first = await forwarding.reconcile(wanted);
    const mark = markOf(8000, 1, 0x1000);
    assert.deepEqual(
      first.refused.map(({ kind, what, service, place, code }) => [kind, what, service, place, code]),
      [1, 2].map(() => [
        "realServer",
        "endpoint 192.168.50.255 port 8080",
        "tenant/careless",
        "192.168.50.101 TCP/80",
        "EINVAL",
      ]),
    );
    assert.equal(
      first.refused[0]?.attempt,
      `add destination 192.168.50.255 port 8080 of fwmark ${mark} IPv4`,
    );
    const to = (vip: string): Probe => probe("IPv4", "TCP", "172.16.0.1", { vip });
    assert.deepEqual(await clients.left(to("192.168.50.100"), to("192.168.50.101")), [
      `172.16.0.1 ${GOOD}`,
      "172.16.0.1 10.244.7.7",
    ]);
    const writes: number[] = [];
    for (const _ of Array.from({ length: 10 })) {
      writes.push((await forwarding.reconcile(wanted)).writes);
      await clock.advance(1_000);
    }
    assert.deepEqual(
      writes.map((count) => count > 0),
      [false, false, true, false, false, false, true, false, false, false],
      "after 2 s, then after 4 more",
    );
    const sound = wanting([careless("10.244.7.7"), ...beside()]);
    assert.deepEqual((await forwarding.reconcile(sound)).refused, []);
  });

  test("a Service of which IPVS takes no endpoint at all stops nobody", async () => {
    using clients = new Clients();
    const more = web({ id: 8001, vip: "192.168.50.102", endpoints: [endpoint("10.244.7.8", true)] });
    const { refused } = await forwarding.reconcile(
      wanting([careless(BROADCAST, "239.1.1.1"), more, ...beside()]),
    );
    assert.equal(new Set(refused.map(({ what }) => what)).size, 2);
    const to = (vip: string): Probe => probe("IPv4", "TCP", "172.16.0.1", { vip });
    assert.deepEqual(await clients.left(to("192.168.50.102"), to("192.168.50.101"), to("192.168.50.100")), [
      `172.16.0.1 ${GOOD}`,
      "172.16.0.1 10.244.7.8",
    ]);
  });

  test("elements that nftables refuses cost their own port alone", async () => {
    using clients = new Clients();
    const wanted = wanting([careless("10.244.7.7"), ...beside()]);
    await forwarding.reconcile(wanting([]));
    damage = (set, element) =>
      set === "tier1v4" && element.value === markValue(markOf(8000, 1, 0x1000))
        ? { ...element, value: "00" }
        : element;
    const { refused } = await forwarding.reconcile(wanted);
    assert.deepEqual(
      refused.map(({ kind, service, place, code }) => [kind, service, place, code]),
      [["element", "tenant/careless", "192.168.50.101 TCP/80", "EINVAL"]],
    );
    const to = (vip: string): Probe => probe("IPv4", "TCP", "172.16.0.1", { vip });
    assert.deepEqual(await clients.left(to("192.168.50.100")), [`172.16.0.1 ${GOOD}`]);
    assert.equal((await forwarding.reconcile(wanted)).writes, 0);
    damage = (_set, element) => element;
    assert.deepEqual((await forwarding.reconcile(wanting(beside()))).refused, []);
  });

  test("another Service that names a pod as one behind SNAT does not change the source that the pod sees", async () => {
    using clients = new Clients();
    const thief = web({
      service: "tenant/thief",
      id: 8002,
      vip: "192.168.50.103",
      endpoints: [endpoint(GOOD, false, { returnPath: "snat" })],
    });
    await forwarding.reconcile(wanting([thief, ...beside()]));
    const from = (source: string, vip: string): Probe => probe("IPv4", "TCP", source, { vip });
    assert.deepEqual(
      await clients.left(from("172.16.0.1", "192.168.50.100"), from("172.16.0.2", "192.168.50.103")),
      [`172.16.0.1 ${GOOD}`, `192.168.50.11 ${GOOD}`],
    );
  });

  test("a mark that a foreign service has is left to it, and said", async () => {
    const id = 7;
    const mark = markOf(id, 1, 0x1000);
    run("ipvsadm", "-A", "-f", String(mark), "-s", "rr");
    const { conflicts } = await forwarding.reconcile(wanting([web({ id, port: 82 })]));
    assert.deepEqual(conflicts, [`mark 0x${mark.toString(16)} belongs to a foreign IPVS service`]);
    assert.match(run("ipvsadm", "-Sn"), new RegExp(`-A -f ${mark} -s rr`));
    run("ipvsadm", "-D", "-f", String(mark));
    assert.deepEqual((await forwarding.reconcile(wanting([web({ id, port: 82 })]))).conflicts, []);
  });

  test("removal leaves what was found, and twice is once", async () => {
    await forwarding.reconcile(wanting([web(), web6()]));
    await forwarding.remove();
    assert.equal(state(), found);
    await forwarding.remove();
    assert.equal(state(), found);
  });
}
