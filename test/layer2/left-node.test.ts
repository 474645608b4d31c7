/** docs/uninstall.md, "A node that was left": its commands take away by hand what a speaker had put into a node's kernel. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { commandsOf } from "#test/integration/page-commands.ts";

/** As a speaker leaves it, in so far as a kernel without ip_vs can have it. */
const LEFT = `
ip link set lo up
nft -f - <<'END'
table inet genkan {
  set marks { type mark; elements = { 0x1001 }; }
  chain saved { }
}
table inet other { }
END
for family in -4 -6; do
  ip $family rule add preference 100 fwmark 0x1000/0x1000 lookup 7077
  ip $family rule add preference 99 fwmark 0x2 lookup 99
done
ip route add local 192.0.2.1 dev lo table 7077
ip -6 route add local 2001:db8::1 dev lo table 7077
for link in genkan4 genkan6 genkan-gre4 genkan-gre6 others; do
  ip link add $link type veth peer name p-$link
done
`;
const LOOK = `
ip rule; ip -6 rule
ip route show table 7077 2>/dev/null || true
ip -6 route show table 7077 2>/dev/null || true
ip -o link; nft list ruleset
`;

test("what is ours is found and goes, and what is others' stays", () => {
  const [look = "", remove = "", ipvs = ""] = commandsOf("docs/uninstall.md", "A node that was left");
  assert.match(ipvs, /ipvsadm -D -f MARK/);
  const script = `${LEFT}${look}\necho REMOVED\n${remove}\n${LOOK}`;
  const out = execFileSync("unshare", ["--net", "bash", "-euo", "pipefail", "-c", script], {
    encoding: "utf8",
  });
  const [before = "", after = ""] = out.split("REMOVED\n");
  assert.match(before, /0x00001001/);
  assert.doesNotMatch(after, /genkan|7077|192\.0\.2\.1|2001:db8/);
  for (const theirs of ["fwmark 0x2", "others", "table inet other"])
    assert.ok(after.includes(theirs), theirs);
});
