/**
 * Random histories: Services come, change and go, while the kernel refuses, forgets, loses answers and refusals, cuts lists
 * short, and others take away and add things. Once all that is over, the kernel is as one that was filled at once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "#test/fakes/clock.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { Forwarding } from "./forwarding.ts";
import { PORTION_SIZES } from "./portions.ts";
import { type ForwardedPort, ForwardingError, type ForwardingInput } from "./types.ts";

const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

const portOf = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  affinity: fc.boolean(),
  ranges: fc.option(fc.subarray(["10.0.0.0/8", "192.0.2.0/24"]), { nil: undefined }),
  endpoints: fc.uniqueArray(
    fc.record({
      address: fc.constantFrom(...ADDRESSES),
      port: fc.constant(8080),
      isLocal: fc.boolean(),
      isServing: fc.boolean(),
      returnPath: fc.constantFrom("direct" as const, "snat" as const),
    }),
    { maxLength: 4, selector: ({ address }) => address },
  ),
});
const input: fc.Arbitrary<ForwardingInput> = fc
  .uniqueArray(portOf, { maxLength: 8, selector: ({ id }) => id })
  .map((ports) => ({
    nodeAddresses: { IPv4: "192.0.2.10" },
    ports: ports.map(
      ({ id, ranges, ...rest }): ForwardedPort => ({
        ...rest,
        service: `team-${id}/web`,
        id,
        family: "IPv4",
        vip: `203.0.113.${1 + (id >> 1)}`,
        protocol: "TCP",
        port: 80 + (id & 1),
        scheduler: "mh",
        preferLocal: false,
        ...(ranges !== undefined && { sourceRanges: ranges }),
      }),
    ),
    vips: [...new Set(ports.map(({ id }) => `203.0.113.${1 + (id >> 1)}`))],
  }));

const FAULTS = [
  "none",
  "refuse",
  "forget",
  "deaf",
  "elements",
  "routes",
  "answers",
  "cut",
  "adding",
] as const;
const DAMAGES = ["none", "server", "reals", "element", "table", "route", "stranger"] as const;
const step = fc.record({
  input,
  fault: fc.constantFrom(...FAULTS),
  damage: fc.constantFrom(...DAMAGES),
  /** Chooses what a fault or damage hits. */
  seed: fc.integer({ min: 0, max: 7 }),
  waitMs: fc.constantFrom(0, 500, 3_000, 8_000),
  /** Each of the passes gives way to the next one when it has asked so often: in the middle of planning or of writing. */
  asked: fc.array(fc.oneof(fc.nat(5), fc.nat(60), fc.constant(Number.POSITIVE_INFINITY)), {
    minLength: 1,
    maxLength: 4,
  }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function misbehave(kernel: FakeForwardingKernel, { fault, seed }: Step): void {
  const address = ADDRESSES[seed % ADDRESSES.length];
  let answers = seed;
  const hits = (operation: Parameters<typeof kernel.refuse>[0]): boolean =>
    "destination" in operation
      ? operation.destination.address === address
      : operation.service.mark % 8 === seed;
  kernel.refuse = (operation) => (fault === "refuse" && hits(operation) ? "ENOMEM" : undefined);
  kernel.forget = (operation) =>
    (fault === "forget" && hits(operation)) || (fault === "adding" && operation.kind === "addDestination");
  kernel.isDeaf = fault === "deaf";
  if (fault === "deaf") kernel.refuse = (operation) => (hits(operation) ? "EINVAL" : undefined);
  kernel.refuseElement = ({ key }) => fault === "elements" && key.includes(`cb00710${seed}`);
  kernel.refuseRoute = (vip) => (fault === "routes" && vip.endsWith(String(seed)) ? "EINVAL" : undefined);
  kernel.loseAnswer = () => fault === "answers" && answers-- === 0;
  kernel.cutAfter = fault === "cut" ? 0 : Number.POSITIVE_INFINITY;
}

function harm(kernel: FakeForwardingKernel, { damage, seed }: Step): void {
  const { servers, sets, routes } = kernel.present;
  const pick = <T>(all: Iterable<T>): T | undefined => [...all][seed];
  if (damage === "server") servers.delete(pick(servers.keys()) ?? "");
  if (damage === "reals") pick(servers.values())?.reals.clear();
  if (damage === "route") routes.delete(pick(routes) ?? "");
  if (damage === "table") kernel.dropTable();
  if (damage === "stranger") kernel.addElement("ports4", { key: `0a00000${seed}0600000000500000` });
  if (damage === "element") {
    const set = pick([...sets.keys()].filter((name) => (sets.get(name)?.size ?? 0) > 0)) ?? "";
    const key = pick(sets.get(set)?.keys() ?? []);
    if (key !== undefined) kernel.dropElement(set, key);
  }
}

/** What of it the pass says is no matter: it has to come right afterwards. */
async function pass(
  forwarding: Forwarding,
  wanted: ForwardingInput,
  asked = Number.POSITIVE_INFINITY,
): Promise<void> {
  let left = asked;
  try {
    await forwarding.reconcile(wanted, () => left-- <= 0);
  } catch (error) {
    if (!(error instanceof ForwardingError)) throw error;
  }
}

/** So small that every pass has several of them. */
const PORTIONS = { few: 2, servers: 1, elements: 3, routes: 1 };

for (const { portions, piece } of [{ portions: PORTION_SIZES }, { portions: PORTIONS, piece: 1 }]) {
  test(`whatever happened, in portions of ${portions.servers}, once the kernel behaves it is as one that was filled at once`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const clock = new FakeClock();
        const kernel = new FakeForwardingKernel();
        const forwarding = new Forwarding(kernel, { clock, onDrift: () => {}, portions, piece });
        for (const each of steps) {
          const [first, ...others] = each.asked;
          misbehave(kernel, each);
          await pass(forwarding, each.input, first);
          harm(kernel, each);
          await clock.advance(each.waitMs);
          for (const asked of others) await pass(forwarding, each.input, asked);
        }
        misbehave(kernel, { ...(steps[0] as Step), fault: "none" });
        const last = (steps.at(-1) as Step).input;
        // Longer than the longest pause, so that what was refused is asked for again.
        for (const _ of [1, 2, 3]) {
          forwarding.close();
          await clock.advance(310_000);
          await forwarding.audit();
          await pass(forwarding, last);
        }
        const fresh = new FakeForwardingKernel();
        const other = new Forwarding(fresh, { clock });
        await other.reconcile(last);
        assert.deepEqual(kernel.describe(), fresh.describe());
        const { writes, refused } = await forwarding.reconcile(last);
        assert.deepEqual([writes, refused], [0, []]);
        assert.equal(forwarding.difference().entries, 0);
        forwarding.close();
      }),
      { numRuns: 60 },
    );
  });
}
