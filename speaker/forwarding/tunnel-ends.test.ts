/** Which tunnels are taken and offered, over changes of what is asked for, and where a kernel lacks one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NetlinkError, NoFamilyError } from "#speaker/netlink/error.ts";
import type { GueListener } from "#speaker/netlink/fou.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";
import { type TunnelEndParts, TunnelEnds } from "./tunnel-ends.ts";

const NOT_SUPPORTED = 95;

/** A kernel without GRE, and with GUE if it has `gue`. */
function kernel({ hasGue = true, isLoaded = true, isWithoutIPv6 = false } = {}) {
  const listeners: GueListener[] = [];
  const asked: string[] = [];
  const route = {
    dump: () => [],
    change: ({ attempt }: { attempt: string }) => {
      throw new NetlinkError(attempt, NOT_SUPPORTED);
    },
  } as unknown as NetlinkSocket;
  const gue: TunnelEndParts["gue"] = {
    list() {
      asked.push("list");
      if (!hasGue) throw new NoFamilyError("find generic netlink family fou");
      return [...listeners];
    },
    listIfLoaded: () => (isLoaded ? [...listeners] : []),
    add: (one) => void listeners.push(one),
    remove: (one) =>
      void listeners.splice(
        listeners.findIndex(({ address }) => address === one.address),
        1,
      ),
  };
  const sysctls = { read: () => (isWithoutIPv6 ? "1" : "0"), write() {} };
  const parts = { route, sysctls, gue };
  return { ends: new TunnelEnds(parts), again: () => new TunnelEnds(parts), listeners, asked };
}

test("ipip is taken always, and nothing is asked of the kernel for others while nobody asks for them", () => {
  const { ends, asked } = kernel();
  assert.deepEqual(ends.ensure("ipip", 0), []);
  assert.deepEqual([ends.taken, ends.offered, ends.trouble, asked], [["ipip"], [], undefined, []]);
});

test("gue is offered once it ends here, in both families", () => {
  const { ends, listeners } = kernel();
  ends.ensure("gue", 0);
  assert.deepEqual([ends.taken, ends.offered], [["ipip", "gue"], ["gue"]]);
  assert.deepEqual(listeners, [
    { address: "169.254.77.77", port: 7476 },
    { address: "100::7077", port: 7476 },
  ]);
  assert.deepEqual(ends.ensure("gue", 1_000), [], "a second time there is nothing to do");
});

test("where IPv6 is off, gue ends in IPv4 alone", () => {
  const { ends, listeners } = kernel({ isWithoutIPv6: true });
  ends.ensure("gue", 0);
  assert.deepEqual([ends.offered, listeners.length], [["gue"], 1]);
});

test("a kernel without the tunnel is said, and ipip is taken all the same", () => {
  const { ends } = kernel({ hasGue: false });
  for (const [tunnel, words] of [
    ["gre", /genkan-gre4/],
    ["gue", /no such tunnel|fou/],
  ] as const) {
    ends.ensure(tunnel, 0);
    assert.deepEqual([ends.taken, ends.offered, ends.trouble?.code], [["ipip"], [], "NoTunnelEnd"]);
    assert.match(ends.trouble?.message ?? "", words);
  }
  ends.ensure("ipip", 0);
  assert.equal(ends.trouble, undefined);
});

test("what nobody asks for any more is not offered, is taken for a minute, and then it goes", () => {
  const { ends, listeners } = kernel();
  ends.ensure("gue", 0);
  ends.ensure("ipip", 5_000);
  assert.deepEqual([ends.taken, ends.offered], [["ipip", "gue"], []]);
  ends.ensure("none", 64_999);
  assert.deepEqual(ends.taken, ["ipip", "gue"]);
  assert.equal(ends.ensure("none", 65_000).length, 2);
  assert.deepEqual([ends.taken, listeners], [["ipip"], []]);
});

test("asked for again within the minute, it stays, and has a minute again after that", () => {
  const { ends, listeners } = kernel();
  ends.ensure("gue", 0);
  ends.ensure("ipip", 1_000);
  ends.ensure("gue", 2_000);
  ends.ensure("ipip", 100_000);
  ends.ensure("ipip", 159_000);
  assert.equal(listeners.length, 2);
  ends.ensure("ipip", 160_000);
  assert.equal(listeners.length, 0);
});

test("a new process finds what the one before it has left", () => {
  const { ends, again, listeners } = kernel();
  ends.ensure("gue", 0);
  const next = again();
  next.ensure("ipip", 0);
  assert.deepEqual(next.taken, ["ipip", "gue"]);
  next.ensure("ipip", 60_000);
  assert.deepEqual([next.taken, listeners], [["ipip"], []]);
});

test("removal takes all away, and asks nothing of a kernel that has nothing", () => {
  const { ends, listeners } = kernel();
  ends.ensure("gue", 0);
  ends.remove();
  assert.deepEqual([listeners, ends.taken, ends.offered], [[], ["ipip"], []]);
  const none = kernel({ hasGue: false, isLoaded: false });
  none.ends.remove();
  assert.deepEqual(none.asked, []);
});
