import assert from "node:assert/strict";
import { test } from "node:test";
import { planForwarding } from "./plan.ts";
import { type RulesetInput, rulesetText } from "./ruleset.ts";
import { setsText } from "./sets.ts";
import { DEFAULT_SETTINGS } from "./types.ts";

const both = { IPv4: "10.0.0.1", IPv6: "fd00::1" };
const input: RulesetInput = {
  settings: DEFAULT_SETTINGS,
  nodeAddresses: both,
  knowsMembers: true,
  mtu: 1500,
  taken: ["ipip"],
  tunnel: "ipip",
  saved: ["link.tunl0=down"],
};
const text = rulesetText(input);
const rules = (chain: string, from = text): string[] =>
  from.split("\n").flatMap((line) => line.split(`add rule inet genkan ${chain} `).slice(1));

const RULES: readonly [what: string, chain: string, rule: string][] = [
  [
    "v4 tunnels of members end in our device",
    "decap",
    "ip protocol 4 @th,128,32 @carried4 ip saddr @members4 meta priority set ip daddr map @tags4 ip daddr set 169.254.77.77",
  ],
  [
    "v6 tunnels of members end in our device",
    "decap",
    "ip6 nexthdr 41 @th,192,128 @carried6 ip6 saddr @members6 meta priority set ip6 daddr map @tags6 ip6 daddr set 100::7077",
  ],
  ["nobody else reaches our device", "decap", "ip daddr 169.254.77.77 counter name tunnel_source drop"],
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

for (const [kind, sizes] of [
  ["gre", ["1436", "1396"]],
  ["gue", ["1428", "1388"]],
] as const) {
  test(`a segment fits into a tunnel of ${kind}, also while it is only taken`, () => {
    const sizesOf = (changes: Partial<RulesetInput>): (string | undefined)[] =>
      rules("mss", rulesetText({ ...input, ...changes })).map((rule) => / set (\d+)$/.exec(rule)?.[1]);
    assert.deepEqual(sizesOf({ tunnel: kind, taken: ["ipip", kind] }), sizes);
    assert.deepEqual(sizesOf({ tunnel: kind }), sizes);
    assert.deepEqual(sizesOf({ taken: ["ipip", kind] }), sizes);
  });
}

test("what other nodes hand on as it is never reaches tier 1", () => {
  const handed = rules("in", rulesetText({ ...input, tunnel: "none" }));
  const first = handed.findIndex((rule) => rule.includes("@tier1v"));
  for (const digit of ["4", "6"]) {
    const end = handed.indexOf(
      `meta nfproto ipv${digit} ether saddr @stations${digit} meta priority set none goto handed_on${digit}`,
    );
    assert.ok(end >= 0 && end < first, handed.join("\n"));
  }
  assert.ok(!text.includes("ether saddr"), "nobody is asked for while packets are carried");
});

test("what comes out of a tunnel never reaches tier 1", () => {
  const input = rules("in");
  const first = input.findIndex((rule) => rule.includes("@tier1v"));
  for (const digit of ["4", "6"]) {
    const end = input.indexOf(`iifname "genkan${digit}" goto handed_on${digit}`);
    assert.ok(end >= 0 && end < first, input.join("\n"));
    assert.equal(rules(`handed_on${digit}`).at(-1), "goto no_pod");
  }
});

test("a node of one family has no rule with an address of the other", () => {
  const one = rulesetText({
    ...input,
    nodeAddresses: { IPv4: "10.0.0.1" },
    knowsMembers: true,
    mtu: 1500,
    taken: ["ipip"],
    tunnel: "ipip",
    saved: [],
  });
  assert.equal(rules("echo", one).length, 1);
  assert.ok(!one.includes("undefined"));
});

for (const [ip, chain] of [
  ["ip", "sources4"],
  ["ip6", "sources6"],
] as const) {
  test(`${chain}: back for the admitted of each protocol, the end for all others`, () => {
    assert.deepEqual(
      rules(chain),
      ["tcp", "udp", "sctp"]
        .map(
          (name) =>
            `meta l4proto ${name} ${ip} daddr . th dport . ${ip} saddr @admitted_${name}${chain.at(-1)} return`,
        )
        .concat("counter name source_ranges drop"),
    );
    for (const way of ["ours", "leaving"]) {
      const asked = rules(way + chain.at(-1));
      assert.ok(
        asked.some((rule) => rule.endsWith(`@restricted${chain.at(-1)} jump ${chain}`)),
        way,
      );
    }
  });
}

test("no concatenation of intervals has a protocol in it: nft 1.0.6 makes rules of it that Linux 7.2 refuses", () => {
  const intervals = setsText()
    .split("\n")
    .filter((line) => line.includes("flags interval"));
  assert.equal(intervals.length, 10);
  for (const line of intervals) assert.doesNotMatch(line, /inet_proto/);
});

test("the sets that are planned are those that are made", () => {
  const made = [...setsText().matchAll(/^ (?:set|map) (\S+) /gm)].map(([, name]) => name);
  const planned = Object.keys(planForwarding({ nodeAddresses: both, ports: [], vips: [] }).elements);
  const byPackets = ["heard4", "heard6"];
  assert.deepEqual(made.toSorted(), [...planned, ...byPackets].toSorted());
});

test("sets of older builds are removed, there or not, after the rules that asked them", () => {
  const lines = text.split("\n");
  for (const [kind, name] of [
    ...["admitted4", "admitted6", "refused4", "refused6", "local4"].map((set) => ["set", set] as const),
    ...["tier2v4", "error2v6"].map((map) => ["map", map] as const),
  ]) {
    const made = lines.findIndex((line) => line.startsWith(`add ${kind} inet genkan ${name} `));
    assert.equal(lines[made + 1], `delete ${kind} inet genkan ${name}`);
    assert.ok(made > lines.findLastIndex((line) => line.startsWith("flush chain")));
  }
});

test("every chain is emptied before anything is added, and no foreign table is named", () => {
  const lines = text.split("\n");
  const lastFlush = lines.findLastIndex((line) => line.startsWith("flush chain"));
  const firstRule = lines.findIndex((line) => line.startsWith("add rule"));
  assert.ok(lastFlush > 0 && lastFlush < firstRule);
  for (const line of lines.filter((one) => / inet /.test(one))) assert.match(line, / inet genkan /);
});

test("no name of a protocol is looked up: the image has no /etc/protocols", () => {
  const named = [...text.matchAll(/meta l4proto (?:\{ ([^}]*) \}|(\S+))/g)].flatMap(
    ([, list = "", one = ""]) => (list || one).split(/, ?/),
  );
  const known = ["tcp", "udp", "sctp", "1", "58", "."];
  assert.deepEqual(
    [...new Set(named)].filter((name) => !known.includes(name)),
    [],
  );
  assert.ok(named.includes("58"));
});

test("connections are told by members alone, on the node network's link; else by nobody", () => {
  const rulesOf = (more: Partial<RulesetInput>): string[] =>
    rulesetText({ ...input, ...more })
      .split("\n")
      .filter((line) => line.startsWith("add rule inet genkan sync "));
  const drops = (rules: readonly string[]): number => rules.filter((rule) => rule.endsWith(" drop")).length;
  const shared = rulesOf({ syncLink: "eth0" });
  assert.deepEqual([shared.length, drops(shared)], [4, 2]);
  assert.match(shared[0] ?? "", /iifname "eth0" ip saddr @members4 update @heard4 \{ ip saddr \} accept$/);
  for (const rules of [rulesOf({}), rulesOf({ syncLink: "eth0", knowsMembers: false })])
    assert.deepEqual([rules.length, drops(rules)], [2, 2]);
});
