/**
 * A node dies while this one programs many Services, at each step of that in turn: its addresses are announced before the
 * next step is done, and in the end the kernel is as one that was filled at once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import { Forwarding } from "./forwarding/forwarding.ts";
import type { ForwardingInput } from "./forwarding/types.ts";
import { Speaker } from "./speaker.ts";

const SERVICES = 30;
const NODES = ["n1", "n2", "n3"];
const NOTHING: ForwardingInput = { nodeAddresses: {}, ports: [], vips: [] };
const own = (node: string): string => `172.20.0.${node.slice(1)}`;

/** A speaker on n1 with a kernel in memory: `asked` is called between the steps of what gives way to another pass. */
function world(asked: () => boolean, services = SERVICES) {
  const { parts, knowledge, members, attractor } = fakeParts("n1");
  const clock = new FakeClock();
  const kernel = new FakeForwardingKernel();
  const forwarding = new Forwarding(kernel, {
    clock,
    portions: { few: 2, servers: 1, elements: 3, routes: 1 },
    piece: 1,
  });
  const inputs: ForwardingInput[] = [];
  const link = { name: "eth0", prefixes: ["172.20.0.0/16"], hardware: "020000000001" };
  for (const name of NODES)
    knowledge.nodes.set(name, { name, labels: {}, addresses: { IPv4: own(name) }, own: [own(name)] });
  knowledge.setPools({
    name: "pool",
    addresses: ["172.20.1.0/24"],
    protocol: "layer2",
    nodeSelectors: [],
    interfaces: [],
    advertisements: [],
  });
  const put = (round: number): void => {
    for (let id = 1; id <= services; id += 1) {
      const key = `default/web-${id}`;
      const endpoints = NODES.map((node, at) => ({
        ...{ node, address: `10.${round}.${id}.${at}` },
        ...{ isReady: true, isServing: true, isTerminating: false },
      }));
      knowledge.put(
        {
          ...{ key, uid: key, createdAt: "2026-01-01T00:00:00Z", labels: {}, vips: [`172.20.1.${id}`] },
          ...{ ids: { "IPv4/TCP/80": id }, ports: [{ name: "", protocol: "TCP", port: 80 }] },
          ...{ isLocal: false, hasAffinity: false, sourceRanges: { IPv4: [], IPv6: [] } },
        },
        {
          family: "IPv4",
          service: key,
          ports: [{ name: "", protocol: "TCP", port: 8_080 }],
          endpoints,
        },
      );
    }
  };
  const judge = (...dead: string[]): void => {
    members.judgement = {
      ...members.judgement,
      ...{ live: NODES.filter((name) => !dead.includes(name)), dead, isFrozen: false },
      states: new Map(NODES.map((name) => [name, JSON.stringify({ isReady: true, links: [link] })])),
    };
  };
  judge();
  put(1);
  const speaker = new Speaker({
    ...parts,
    ...{ clock, isDue: asked },
    monitor: {
      links: () => [{ ...link, index: 2, isUp: true, mtu: 1_500 }],
      waysTo: () => [],
    },
    forwarder: {
      reconcile: (wanted, isDue) => {
        inputs.push(wanted);
        return forwarding.reconcile(wanted, isDue);
      },
      remove: () => forwarding.remove(),
      counts: () => forwarding.counts(),
      serviceOf: (mark) => forwarding.serviceOf(mark),
      difference: () => forwarding.difference(),
      close: () => forwarding.close(),
    },
  });
  return {
    ...{ kernel, clock, speaker, judge, put },
    held: () => attractor.held().get("eth0") ?? new Set<string>(),
    inputs,
  };
}
/** Prime to the number of steps, so that deaths come at all kinds of moments. */
const FROM_DEATH_TO_DEATH = 17;

test("a death in the middle of programming is acted on before the next step, and nothing is lost of what was begun", async () => {
  let steps = 0;
  let diesAt = Number.POSITIVE_INFINITY;
  let isDue = false;
  const die = { now: (): void => undefined };
  const { speaker, put, judge, held, kernel, clock, inputs } = world(() => {
    steps += 1;
    if (steps === diesAt) {
      die.now();
      isDue = true;
    }
    return isDue;
  });
  for (const _ of [1, 2, 3]) await speaker.pass();
  const before = held().size;
  assert.ok(before > 0 && before < SERVICES);
  const kinds = { planning: 0, writing: 0 };
  for (let round = 2; ; round += 1) {
    const { written } = kernel.counter;
    put(round);
    steps = 0;
    diesAt = (round - 1) * FROM_DEATH_TO_DEATH;
    die.now = () => judge(round % 2 === 0 ? "n2" : "n3");
    await speaker.pass();
    if (steps < diesAt) break;
    assert.equal(steps, diesAt, "no step after the death");
    kinds[kernel.counter.written === written ? "planning" : "writing"] += 1;
    isDue = false;
    let heldAtNextStep: number | undefined;
    steps = 0;
    diesAt = 1;
    die.now = () => {
      heldAtNextStep = held().size;
    };
    await speaker.pass();
    assert.ok(
      heldAtNextStep !== undefined && heldAtNextStep > before,
      "announced before anything else is done",
    );
    isDue = false;
    for (const _ of [1, 2]) await speaker.pass();
    const fresh = new FakeForwardingKernel();
    await new Forwarding(fresh, { clock }).reconcile(inputs.at(-1) ?? NOTHING);
    assert.deepEqual(kernel.describe(), fresh.describe());
    judge();
    await speaker.pass();
  }
  assert.ok(kinds.planning > 3 && kinds.writing >= 2, JSON.stringify(kinds));
});

test("passes that are asked for without end come to the kernel every other time, and what each changes is not lost", async () => {
  let isDue = false;
  // So many that planning them takes more than one step.
  const { speaker, put, kernel, clock, inputs } = world(() => isDue, 150);
  for (const _ of [1, 2]) await speaker.pass();
  isDue = true;
  const came: boolean[] = [];
  for (let round = 2; round < 8; round += 1) {
    const before = inputs.length;
    put(round);
    await speaker.pass();
    came.push(inputs.length > before);
  }
  assert.deepEqual(came, [false, true, false, true, false, true]);
  isDue = false;
  await speaker.pass();
  const fresh = new FakeForwardingKernel();
  await new Forwarding(fresh, { clock }).reconcile(inputs.at(-1) ?? NOTHING);
  assert.deepEqual(kernel.describe(), fresh.describe());
  assert.ok(
    inputs
      .at(-1)
      ?.ports.every(({ endpoints }) => endpoints.every(({ address }) => address.startsWith("10.7."))),
  );
});
