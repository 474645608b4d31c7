import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { Applier, NOTHING_WANTED } from "./apply.ts";
import {
  ForwardingError,
  type ForwardingFault,
  type ForwardingInput,
  NO_COUNTS,
} from "./forwarding/types.ts";
import type { Announcement } from "./layer2/messages.ts";
import type { Attractor, Forwarder, Wanted } from "./parts.ts";

const INPUT: ForwardingInput = { nodeAddresses: {}, ports: [], vips: [] };
const forwarding = (...vips: string[]): ForwardingInput => ({ ...INPUT, vips });
const wanted = (...vips: string[]): Wanted => new Map(vips.length === 0 ? [] : [["eth0", new Set(vips)]]);

const intent = (wanted: Wanted, input?: ForwardingInput) => ({
  wanted,
  links: [],
  forwarding: input === undefined ? undefined : async () => input,
});

/** Writes down what happens, in order. */
function world(present: readonly string[], first?: ForwardingFault | Error) {
  const steps: string[] = [];
  let fault = first;
  let held = new Set(present);
  const without = (keep: Wanted): Announcement[] => {
    const gone = [...held].filter((vip) => keep.get("eth0")?.has(vip) !== true);
    held = new Set([...held].filter((vip) => !gone.includes(vip)));
    for (const vip of gone) steps.push(`withdraw ${vip}`);
    return gone.map((vip) => ({ link: "eth0", vip }));
  };
  const attractor: Pick<Attractor, "held" | "withdrawOthers" | "set"> = {
    held: () => new Map([["eth0", held]]),
    withdrawOthers: async (keep) => without(keep),
    set: async (_links, next) => {
      const added = [...(next.get("eth0") ?? [])].filter((vip) => !held.has(vip));
      for (const vip of added) steps.push(`announce ${vip}`);
      held = new Set([...held, ...added]);
      return added.map((vip) => ({ link: "eth0", vip }));
    },
  };
  const fail = (): void => {
    if (fault instanceof Error) throw fault;
    if (fault !== undefined) throw new ForwardingError(fault, "said so");
  };
  let came: readonly string[] | undefined;
  const forwarder: Forwarder = {
    reconcile: async () => {
      steps.push("forward");
      fail();
      const [isComplete, whole] = [came === undefined, new Set(came)];
      return { writes: 1, counts: new Map(), changes: [], conflicts: [], refused: [], isComplete, whole };
    },
    serviceOf: () => undefined,
    remove: async () => {
      steps.push("remove");
      fail();
    },
    counts: () => NO_COUNTS,
    difference: () => undefined,
    close: () => {},
  };
  return {
    steps,
    held: () => [...held],
    applier: new Applier({ forwarder, attractor, log: silentLogger, isDue: () => false }),
    /** From now on a pass gives way once it has come to these; undefined: it comes to its end. */
    giveWay: (vips: readonly string[] | undefined) => {
      came = vips;
    },
    /** What the kernel says from now on. */
    fail: (next: ForwardingFault | Error | undefined) => {
      fault = next;
    },
  };
}

test("withdraws first, then forwards, then announces", async () => {
  const { steps, applier } = world(["a", "b"]);
  const applied = await applier.apply(intent(wanted("b", "c"), INPUT));
  assert.deepEqual(steps, ["withdraw a", "forward", "announce c"]);
  assert.deepEqual(applied.added, [{ link: "eth0", vip: "c" }]);
});

test("a pass that failed announces nothing new and keeps what it has", async () => {
  const { steps, held, applier } = world(["a", "b"], "KernelRefused");
  const applied = await applier.apply(intent(wanted("b", "c"), INPUT));
  assert.deepEqual(steps, ["withdraw a", "forward"]);
  assert.deepEqual(
    [held(), applied.isUnable, applied.forwardingTrouble?.reason],
    [["b"], false, "KernelRefused"],
  );
});

for (const fault of ["KernelRefused", new TypeError("nobody thought of it")] as const) {
  test(`what the kernel was read back with before is taken over at once, and over a pass that fails (${fault})`, async () => {
    const { steps, held, applier, fail } = world([]);
    await applier.apply(intent(wanted("a"), forwarding("a", "b", "c")));
    steps.length = 0;
    const applied = await applier.apply(intent(wanted("a", "b"), forwarding("a", "b", "c")));
    assert.deepEqual(steps, ["announce b", "forward"]);
    assert.deepEqual(applied.added, [{ link: "eth0", vip: "b" }]);
    fail(fault);
    steps.length = 0;
    const failed = await applier.apply(intent(wanted("a", "b", "c", "d"), forwarding("a", "b", "c", "d")));
    assert.deepEqual(steps, ["announce c", "forward"]);
    assert.deepEqual(failed.added, [{ link: "eth0", vip: "c" }]);
    assert.deepEqual([held(), applier.forwarded.set.has("d")], [["a", "b", "c"], false]);
    assert.equal(failed.forwardingTrouble?.reason, fault instanceof Error ? "Unexpected" : fault);
    fail(undefined);
    await applier.apply(intent(wanted("a", "b", "c", "d"), forwarding("a", "b", "c", "d")));
    assert.deepEqual(held(), ["a", "b", "c", "d"]);
  });
}

test("a node that could not forward takes nothing over before its kernel is read back again", async () => {
  const { steps, applier, fail } = world([]);
  await applier.apply(intent(wanted("a"), forwarding("a", "b")));
  fail("NoIpvs");
  await applier.apply(intent(wanted("a"), forwarding("a", "b")));
  fail(undefined);
  steps.length = 0;
  await applier.apply(intent(wanted("a", "b"), forwarding("a", "b")));
  assert.deepEqual(steps, ["forward", "announce a", "announce b"]);
});

for (const [fault, reason] of [
  ["NoIpvs", "IpvsUnavailable"],
  ["NoNetAdmin", "NotPermitted"],
  ["NoNftables", "NoNftables"],
] as const) {
  test(`a node that cannot forward (${fault}) attracts nothing and says ${reason}`, async () => {
    const { held, applier } = world(["b"], fault);
    const applied = await applier.apply(intent(wanted("b"), INPUT));
    assert.deepEqual([held(), applied.isUnable, applied.forwardingTrouble?.reason], [[], true, reason]);
  });
}

test("mode KubeProxy takes ours away once, and announces", async () => {
  const { steps, applier } = world([]);
  await applier.apply(intent(wanted("a")));
  await applier.apply(intent(wanted("a")));
  assert.deepEqual(steps, ["remove", "announce a"]);
});

test("mode KubeProxy does without ip_vs", async () => {
  const { held, applier } = world([], "NoIpvs");
  const applied = await applier.apply(intent(wanted("a")));
  assert.deepEqual([held(), applied.forwardingTrouble], [["a"], undefined]);
});

test("removal withdraws before it empties the kernel, and fails loudly", async () => {
  const { steps, applier } = world(["a"]);
  await applier.remove();
  assert.deepEqual(steps, ["withdraw a", "remove"]);
  await assert.rejects(world(["a"], "KernelRefused").applier.remove(), { code: "KernelRefused" });
  assert.equal(NOTHING_WANTED.size, 0);
});

test("a pass that gives way before it knows what is to be forwarded takes over, and leaves the kernel alone", async () => {
  const { steps, held, applier } = world([]);
  await applier.apply(intent(wanted("a"), forwarding("a", "b", "c")));
  steps.length = 0;
  const gaveWay = { ...intent(wanted("b", "d"), INPUT), forwarding: async () => undefined };
  const { isComplete, isUnable, reconciled } = await applier.apply(gaveWay);
  assert.deepEqual(steps, ["withdraw a", "announce b"]);
  assert.deepEqual([isComplete, isUnable, reconciled, held()], [false, false, undefined, ["b"]]);
  assert.ok(applier.forwarded.set.has("c"), "what was read back before is forwarded still");
});

test("a pass that gives way announces what it came to, and the next one what was read back before, at once", async () => {
  const { steps, held, applier, giveWay } = world([]);
  const all = forwarding("a", "b", "c", "d");
  giveWay(["a", "b"]);
  const applied = await applier.apply(intent(wanted("a", "c"), all));
  assert.deepEqual([applied.isComplete, held()], [false, ["a"]]);
  giveWay(["c"]);
  steps.length = 0;
  await applier.apply(intent(wanted("a", "b", "c"), all));
  assert.deepEqual(steps, ["announce b", "forward", "announce c"]);
  giveWay([]);
  await applier.apply(intent(wanted("a", "b", "c"), forwarding("a", "c", "d")));
  assert.deepEqual(applier.forwarded.vips, ["a", "c"], "what is no Service's any more is not forwarded");
  giveWay(undefined);
  await applier.apply(intent(wanted("a", "d"), all));
  assert.deepEqual([held().includes("d"), applier.forwarded.set.size], [true, 4]);
});
