import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressBytes } from "./address.ts";
import { SolicitedGroups } from "./groups.ts";

const bytes = (text: string): Uint8Array => addressBytes(text) ?? assert.fail(text);

/** Sockets with room for `room` groups each; `broken` refuses every join. */
function kernel(room = Number.POSITIVE_INFINITY) {
  const sockets: Set<string>[] = [];
  const state = { broken: false, calls: 0 };
  const groups = new SolicitedGroups(() => {
    const own = new Set<string>();
    sockets.push(own);
    return {
      join(group) {
        state.calls += 1;
        if (state.broken) throw Object.assign(new Error("no IPv6"), { code: "ENODEV" });
        if (own.size >= room) throw Object.assign(new Error("full"), { code: "ENOBUFS" });
        const key = Buffer.from(group).toString("hex");
        assert.ok(!own.has(key), "EADDRINUSE");
        own.add(key);
      },
      leave(group) {
        state.calls += 1;
        assert.ok(own.delete(Buffer.from(group).toString("hex")), "EADDRNOTAVAIL");
      },
      close: () => void sockets.splice(sockets.indexOf(own), 1),
    };
  });
  const joined = (): string[] => sockets.flatMap((own) => [...own]).sort();
  const settle = (): void => {
    while (groups.work(16));
  };
  return { groups, sockets, state, joined, settle };
}

describe("solicited-node groups", () => {
  test("the group is ff02::1:ff and the last three bytes (RFC 4291 section 2.7.1)", () => {
    const { groups, joined, settle } = kernel();
    groups.hold(bytes("2001:db8::1:800:200e:8c6c"));
    settle();
    assert.deepEqual(joined(), ["ff0200000000000000000001ff0e8c6c"]);
  });

  test("is left with the last address that has it, not before", () => {
    const { groups, joined, settle } = kernel();
    for (const vip of ["2001:db8:1::5", "2001:db8:2::5"]) groups.hold(bytes(vip));
    settle();
    groups.release(bytes("2001:db8:1::5"));
    settle();
    assert.equal(joined().length, 1);
    groups.release(bytes("2001:db8:2::5"));
    settle();
    assert.deepEqual([joined(), groups.report().joined], [[], 0]);
  });

  test("1,000 groups need several sockets, and an emptied one is closed", () => {
    const { groups, sockets, joined, settle } = kernel(365);
    const vips = Array.from({ length: 1_000 }, (_, at) => bytes(`2001:db8::${at.toString(16)}`));
    for (const vip of vips) groups.hold(vip);
    settle();
    assert.deepEqual([sockets.length, joined().length, groups.report().joined], [3, 1_000, 1_000]);
    for (const vip of vips) groups.release(vip);
    settle();
    assert.equal(sockets.length, 0);
  });

  test("joins in slices", () => {
    const { groups, joined } = kernel();
    for (let at = 0; at < 10; at += 1) groups.hold(bytes(`2001:db8::${at}`));
    assert.ok(groups.work(4));
    assert.equal(joined().length, 4);
    assert.ok(groups.work(4));
    assert.ok(!groups.work(4));
    assert.equal(joined().length, 10);
  });

  test("what the kernel refuses is told, opens no pile of sockets, and is tried again when asked", () => {
    const { groups, sockets, state, joined, settle } = kernel();
    state.broken = true;
    for (const vip of ["2001:db8::1", "2001:db8::2"]) groups.hold(bytes(vip));
    settle();
    const { joined: count, refused, error } = groups.report();
    assert.deepEqual([count, refused, String(error), sockets.length], [0, 2, "Error: no IPv6", 0]);
    const { calls } = state;
    settle();
    assert.equal(state.calls, calls, "not before it is asked to");
    state.broken = false;
    assert.ok(groups.retry());
    settle();
    assert.equal(joined().length, 2);
    assert.deepEqual(groups.report(), { joined: 2, refused: 0, error: undefined });
    assert.ok(!groups.retry());
  });

  test("whatever comes and goes: joined is what the held addresses ask for, each group once", () => {
    const vip = fc.tuple(fc.nat(3), fc.nat(9)).map(([net, last]) => bytes(`2001:db8:${net}::${last}`));
    const change = fc.record({ vip, isHeld: fc.boolean(), works: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
        const { groups, joined, settle } = kernel(4);
        const held = new Map<string, Uint8Array>();
        for (const { vip: one, isHeld, works } of changes) {
          const key = Buffer.from(one).toString("hex");
          if (isHeld && !held.has(key)) groups.hold(one);
          if (!isHeld && held.has(key)) groups.release(one);
          if (isHeld) held.set(key, one);
          else held.delete(key);
          if (works > 0) groups.work(works);
        }
        settle();
        const wanted = new Set([...held.keys()].map((key) => `ff0200000000000000000001ff${key.slice(-6)}`));
        assert.deepEqual(joined(), [...wanted].sort());
      }),
    );
  });
});
