/**
 * Host firewalls in the way, as nft rules of an administrator, and the two rules that the condition asks for: two nodes
 * over a cable with their real tunnels. Runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cableLines, type End, namespaceLines } from "#hack/common/networks.ts";
import type { Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { build, run } from "#test/network/namespace.ts";

import { until } from "#test/until.ts";

const NODES = [
  { name: "gkp1", IPv4: "192.0.2.1", IPv6: "2001:db8::1" },
  { name: "gkp2", IPv4: "192.0.2.2", IPv6: "2001:db8::2" },
] as const;
const CHILD = fileURLToPath(new URL("./selfprobe-child.ts", import.meta.url));
const LONG = { deadlineMs: 60_000, everyMs: 100 };
const CLOSED =
  "type filter hook input priority filter; policy drop; iif lo accept; meta l4proto ipv6-icmp accept;";
const TUNNELS = "meta l4proto { 4, 41 } accept";
const MARKED = "meta mark and 0x1000 == 0x1000 accept";

const children: ChildProcess[] = [];
/** What the first node's probe said, the last of it last. */
const said: string[] = [];

function setUp(): void {
  const [a, b] = NODES;
  const end = ({ name, IPv4, IPv6 }: (typeof NODES)[number]): End => ({
    namespace: name,
    link: "eth0",
    addresses: [`${IPv4}/24`, `${IPv6}/64`],
  });
  build(
    NODES.flatMap(({ name }) => namespaceLines(name)),
    cableLines(end(a), end(b)),
  );
  start("ipip");
}

/** Both nodes' forwarding and probes, by a tunnel. */
function start(tunnel: Encapsulation): void {
  said.length = 0;
  for (const [at, { name, IPv4, IPv6 }] of NODES.entries()) {
    const other = NODES[1 - at];
    const ends = { own: { IPv4, IPv6 }, other: { IPv4: other?.IPv4, IPv6: other?.IPv6 } };
    const words = JSON.stringify({ ...ends, tunnel });
    const child = spawn("ip", ["netns", "exec", name, process.execPath, CHILD, words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    if (at > 0) continue;
    child.stdout.on("data", (data: Buffer) => said.push(...data.toString().trim().split("\n")));
  }
}

const nft = (text: string): string => run("ip", "netns", "exec", NODES[0].name, "nft", text);
/** The first node's firewall; undefined: none. */
function firewall(chain: string | undefined): void {
  spawnSync("ip", ["netns", "exec", NODES[0].name, "nft", "delete table inet host"], { stdio: "ignore" });
  if (chain === undefined) return;
  nft("add table inet host");
  nft(
    `table inet host {\nchain input {\n${chain.replaceAll("; ", "\n").replace("\n policy", "; policy")}\n}\n}`,
  );
}
const says = (words: RegExp): Promise<unknown> =>
  until(
    `the probe to say ${words}`,
    () => {
      if (words.test(said.at(-1) ?? "")) return true;
      throw new Error(`it says: ${said.at(-1)}`);
    },
    LONG,
  );

if (!isInside) testInside("a host firewall in the way is found", "test/layer2/selfprobe.test.ts", "long");
else {
  before(() => setUp());
  after(() => {
    for (const child of children) child.kill("SIGKILL");
    for (const { name } of NODES) spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  });

  test("closed, opened by the one rule, then by the other", { timeout: 600_000 }, async () => {
    await says(/^started$/);
    firewall(CLOSED);
    await says(
      /drops what other nodes tunnel here \(IP protocol (4|41), link number \d+\).*l4proto (4|41) accept/,
    );
    nft(`add rule inet host input ${TUNNELS}`);
    await says(/drops what comes out of the tunnel.*meta mark and 0x1000 == 0x1000 accept/);
    nft(`add rule inet host input ${MARKED}`);
    await says(/^open$/);
  });

  test("what connection tracking calls invalid is dropped: said, and mended by the same rule", async () => {
    firewall("type filter hook input priority filter; policy accept; ct state invalid drop;");
    await says(/out of the tunnel .* that connection tracking calls invalid/);
    nft(`insert rule inet host input ${MARKED}`);
    await says(/^open$/);
  });

  test("one family alone is named, by its own protocol", async () => {
    firewall("type filter hook input priority filter; policy accept; meta l4proto 41 drop;");
    await says(/IP protocol 41, link/);
    firewall(undefined);
    await says(/^open$/);
    // Nothing was said and taken back between.
    assert.equal(said.filter((line) => line === "open").length, 3, said.join("\n"));
  });

  for (const [tunnel, rule, named] of [
    ["gre", "meta l4proto 47 drop;", /IP protocol 47, link/],
    ["gue", "udp dport 7476 drop;", /UDP port 7476, link/],
  ] as const) {
    const module = tunnel === "gre" ? "ip6_gre" : "fou";
    const isAbsent = spawnSync("/sbin/modprobe", ["-qn", module]).status !== 0;
    const skip = isAbsent && `this kernel has no ${module}; Debian's own has, under qemu`;
    test(`by ${tunnel} where that is asked for, named by what it uses`, { skip }, async () => {
      for (const child of children.splice(0)) child.kill("SIGKILL");
      start(tunnel);
      await says(/^started$/);
      firewall(`type filter hook input priority filter; policy accept; ${rule}`);
      await says(named);
      firewall(undefined);
      await says(/^open$/);
    });
  }
}
