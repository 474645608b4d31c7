import assert from "node:assert/strict";
import { test } from "node:test";
import { rulesetText } from "./ruleset.ts";
import { DEFAULT_SETTINGS } from "./types.ts";

const both = { IPv4: "10.0.0.1", IPv6: "fd00::1" };
const text = rulesetText({
  settings: DEFAULT_SETTINGS,
  nodeAddresses: both,
  mtu: 1500,
  saved: ["link.tunl0=down"],
});
const rules = (chain: string, from = text): string[] =>
  from.split("\n").flatMap((line) => line.split(`add rule inet genkan ${chain} `).slice(1));

const RULES: readonly [what: string, chain: string, rule: string][] = [
  ["v4 tunnels end at the node", "decap", "ip protocol 4 ip daddr @local4 ip daddr set 10.0.0.1"],
  ["v6 tunnels end at the node", "decap", "ip6 nexthdr 41 ip6 daddr @local6 ip6 daddr set fd00::1"],
  ["pings are answered by the node", "echo", "ip daddr @vips4 icmp type echo-request dnat ip to 10.0.0.1"],
  ["what removal restores is kept", "saved", 'return comment "link.tunl0=down"'],
  ["unmarked packets are left alone", "in", "meta mark and 0x1000 == 0 return"],
];
for (const [what, chain, rule] of RULES) {
  test(what, () => {
    assert.ok(rules(chain).includes(rule), rules(chain).join("\n"));
  });
}

test("a segment fits into the tunnel", () => {
  assert.deepEqual(
    rules("mss").map((rule) => / set (\d+)$/.exec(rule)?.[1]),
    ["1440", "1400"],
  );
});

test("what comes out of a tunnel never reaches tier 1", () => {
  const input = rules("in");
  for (const device of ["tunl0", "ip6tnl0"]) {
    const end = input.indexOf(`iifname "${device}" return`);
    assert.ok(end >= 0 && end < input.findIndex((rule) => rule.includes("@tier1v")), input.join("\n"));
  }
});

test("a node of one family has no rule with an address of the other", () => {
  const one = rulesetText({
    settings: DEFAULT_SETTINGS,
    nodeAddresses: { IPv4: "10.0.0.1" },
    mtu: 1500,
    saved: [],
  });
  assert.equal(rules("decap", one).length, 1);
  assert.equal(rules("echo", one).length, 1);
  assert.ok(!one.includes("undefined"));
});

test("every chain is emptied before anything is added, and no foreign table is named", () => {
  const lines = text.split("\n");
  const lastFlush = lines.findLastIndex((line) => line.startsWith("flush chain"));
  const firstRule = lines.findIndex((line) => line.startsWith("add rule"));
  assert.ok(lastFlush > 0 && lastFlush < firstRule);
  for (const line of lines.filter((one) => / inet /.test(one))) assert.match(line, / inet genkan /);
});
