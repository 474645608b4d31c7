/** What is kept from input to input equals what the last one alone would make; and what is handed out is all that changed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRange } from "#api/address.ts";
import { planForwarding, planOf } from "./plan.ts";
import { markOfKey } from "./server-key.ts";
import { DEFAULT_SETTINGS, type ForwardedPort, type ForwardingInput, type ForwardingPlan } from "./types.ts";
import { Wanted } from "./wanted.ts";

const VIPS = ["203.0.113.1", "203.0.113.2", "2001:db8::1"];

const endpoint = fc.record({
  // An address of Services among them: it is left out while it is one.
  address: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "203.0.113.2", "nonsense"),
  port: fc.constantFrom(8080, 8081),
  isLocal: fc.boolean(),
  isServing: fc.boolean(),
  returnPath: fc.constantFrom("direct" as const, "snat" as const),
});
const port: fc.Arbitrary<ForwardedPort> = fc
  .record({
    id: fc.integer({ min: 0, max: 5 }),
    vip: fc.constantFrom("203.0.113.1", "203.0.113.2"),
    protocol: fc.constantFrom("TCP" as const, "UDP" as const),
    port: fc.constantFrom(80, 81),
    scheduler: fc.constantFrom("mh", "rr"),
    affinity: fc.boolean(),
    preferLocal: fc.boolean(),
    sourceRanges: fc.option(fc.subarray(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"]), { nil: undefined }),
    endpoints: fc.uniqueArray(endpoint, {
      maxLength: 3,
      selector: ({ address, port }) => `${address} ${port}`,
    }),
  })
  .map(({ sourceRanges, ...rest }) => ({
    ...rest,
    family: "IPv4" as const,
    ...(sourceRanges !== undefined && { sourceRanges }),
  }));
/** Ports are chosen from a few, so that from step to step some stay, as the same objects. */
const history: fc.Arbitrary<ForwardingInput[]> = fc
  .array(port, { minLength: 1, maxLength: 8 })
  .chain((some) =>
    fc.array(
      fc
        .record({
          nodeAddresses: fc.constant({ IPv4: "192.0.2.10" }),
          ports: fc.shuffledSubarray(some),
          vips: fc.subarray(VIPS),
          members: fc.option(fc.subarray(["192.0.2.10", "192.0.2.11"]), { nil: undefined }),
          routed: fc.subarray(["198.51.100.0-198.51.100.255", "198.51.100.128-198.51.101.3"].map(parseRange)),
        })
        .map(({ members, ...rest }) => ({ ...rest, ...(members !== undefined && { members }) })),
      { minLength: 1, maxLength: 6 },
    ),
  );

/** Every entry with what is wanted of it, as texts. */
function entriesOf(plan: ForwardingPlan): Map<string, string> {
  return new Map([
    ...plan.virtualServers.map((server) => [`server ${server.mark}`, JSON.stringify(server)] as const),
    ...plan.routes.map((vip) => [`route ${vip}`, ""] as const),
    ...Object.entries(plan.elements).flatMap(([set, elements]) =>
      elements.map((one) => [`${set} ${one.key}${one.keyEnd ?? ""}`, one.value ?? ""] as const),
    ),
  ]);
}

test("after any history the same as from nothing, and exactly what differs from before is handed out", () => {
  fc.assert(
    fc.property(history, (inputs) => {
      const wanted = new Wanted();
      let before = entriesOf(planOf(wanted));
      for (const input of inputs) {
        const { servers, elements, routes } = wanted.update(input);
        assert.deepEqual(planOf(wanted), planForwarding(input));
        const anew = new Wanted();
        anew.update(input);
        assert.equal(wanted.digest.text, anew.digest.text);
        const now = entriesOf(planOf(wanted));
        const differing = [...new Set([...before.keys(), ...now.keys()])].filter(
          (key) => before.get(key) !== now.get(key) || before.has(key) !== now.has(key),
        );
        const told = [
          ...[...servers].map((key) => `server ${markOfKey(key)}`),
          ...[...routes].map((vip) => `route ${vip}`),
          ...[...elements].flatMap(([set, keys]) => [...keys].map((key) => `${set} ${key}`)),
        ];
        assert.deepEqual(told.sort(), differing.sort());
        before = now;
      }
    }),
    { numRuns: 1_000 },
  );
});

test("another routing bit changes every mark", () => {
  const one: ForwardedPort = {
    id: 1,
    family: "IPv4",
    vip: "203.0.113.1",
    protocol: "TCP",
    port: 80,
    scheduler: "mh",
    affinity: false,
    preferLocal: false,
    sourceRanges: ["10.0.0.0/8"],
    endpoints: [{ address: "10.0.0.1", port: 80, isLocal: true, isServing: true, returnPath: "direct" }],
  };
  const input = { nodeAddresses: {}, ports: [one], vips: ["203.0.113.1"] };
  const settings = { ...DEFAULT_SETTINGS, routingBit: 0x100 };
  const wanted = new Wanted();
  wanted.update(input);
  wanted.update({ ...input, settings });
  assert.deepEqual(planOf(wanted), planForwarding({ ...input, settings }));
  wanted.update({ ...input, ports: [] });
  assert.deepEqual(planOf(wanted), planForwarding({ ...input, ports: [] }));
});
