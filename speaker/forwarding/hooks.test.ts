/** Where our chains stand among the kernel's own and others': a packet must meet them in the one order that works. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { planForwarding } from "./plan.ts";
import { rulesetText } from "./ruleset.ts";
import { DEFAULT_SETTINGS } from "./types.ts";

const text = rulesetText({
  settings: DEFAULT_SETTINGS,
  nodeAddresses: { IPv4: "10.0.0.1", IPv6: "fd00::1" },
  knowsMembers: true,
  mtu: 1500,
  taken: ["ipip"],
  tunnel: "ipip",
  saved: [],
});

/** Names of priorities for families ip, ip6 and inet (nft(8)). */
const NAMED: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  srcnat: 100,
};

function hookOf(chain: string): { readonly hook: string; readonly priority: number } {
  const line = new RegExp(
    `chain ${chain} \\{ type \\w+ hook (\\w+) priority (\\S+)(?: ([+-]) (\\d+))?;`,
  ).exec(text);
  const [, hook = "", name = "", sign = "+", more = "0"] = line ?? [];
  return { hook, priority: (NAMED[name] ?? Number(name)) + Number(`${sign}${more}`) };
}

/** ip_vs_core.c: what comes in is looked at two before source NAT (98), what this node sends one after NAT (-99). */
const IPVS = { input: 98, output: -99 } as const;

const ORDER: readonly (readonly [why: string, chain: string, hook: string, after: number, before: number])[] =
  [
    [
      "the routing bit comes after every agent that marks in mangle, and before addresses are translated",
      "pre",
      "prerouting",
      NAMED.mangle ?? 0,
      NAMED.dstnat ?? 0,
    ],
    ["the mark of a port comes behind filters, and before IPVS reads it", "in", "input", 0, IPVS.input],
    ["what this node sends is marked before IPVS reads it", "out", "output", -1000, IPVS.output],
    ["the mark is cleared once IPVS has read it", "clear", "output", IPVS.output, 0],
  ];
for (const [why, chain, hook, after, before] of ORDER) {
  test(why, () => {
    const found = hookOf(chain);
    assert.equal(found.hook, hook);
    assert.ok(found.priority > after && found.priority < before, `${chain}: ${found.priority}`);
  });
}

test("a pod that reaches itself through its own address is masqueraded, in both families", () => {
  for (const [ip, digit] of [
    ["ip", "4"],
    ["ip6", "6"],
  ]) {
    const rule = `masquerade_back ${ip} saddr . ${ip} daddr @hairpin${digit} ct original ${ip} daddr @vips${digit} masquerade`;
    assert.ok(text.includes(rule), rule);
  }
});

test("a pod of this node is never translated, whatever is said of the way back", () => {
  const endpoint = {
    address: "10.1.0.9",
    port: 8080,
    isLocal: true,
    isServing: true,
    returnPath: "snat",
  } as const;
  const { elements } = planForwarding({
    nodeAddresses: { IPv4: "10.0.0.1" },
    vips: ["192.0.2.1"],
    ports: [
      {
        id: 1,
        family: "IPv4",
        vip: "192.0.2.1",
        protocol: "TCP",
        port: 80,
        scheduler: "mh",
        affinity: false,
        preferLocal: false,
        endpoints: [endpoint],
      },
    ],
  });
  const { tags4, translated4 } = elements as Readonly<
    Record<string, { readonly length?: number; readonly size?: number }>
  >;
  assert.deepEqual([tags4?.length ?? tags4?.size, translated4?.length ?? translated4?.size], [1, 0]);
});
