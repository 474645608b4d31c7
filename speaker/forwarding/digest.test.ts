/** What a node says of its IPVS: what was read back, the same on all nodes but for what is each node's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "#test/fakes/clock.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { Digest, portNumber, unsettledNumber } from "./digest.ts";
import { Forwarding } from "./forwarding.ts";
import { PORTION_SIZES } from "./portions.ts";
import type { ForwardedPort, ForwardingInput } from "./types.ts";

const BAD = "192.0.2.255";

/** `isLocal`: as the node sees it that has the pods. */
const port = (id: number, isLocal: boolean, ...addresses: string[]): ForwardedPort => ({
  ...{ id, family: "IPv4", vip: `203.0.113.${id}`, protocol: "TCP", port: 80, scheduler: "mh" },
  ...{ affinity: false, preferLocal: false },
  endpoints: addresses.map((address) => ({
    ...{ address, port: 8080, isLocal, isServing: true, returnPath: isLocal ? "direct" : "snat" },
  })),
});
const wanting = (...ports: ForwardedPort[]): ForwardingInput => ({ nodeAddresses: {}, ports, vips: [] });

function node(portions = PORTION_SIZES) {
  const kernel = new FakeForwardingKernel();
  const clock = new FakeClock();
  const forwarding = new Forwarding(kernel, { clock, portions });
  return { kernel, clock, forwarding, digest: () => Digest.parse(forwarding.counts().digest ?? "") };
}

function differences(here: Digest | undefined, there: Digest | undefined): (number | undefined)[] {
  assert.ok(here !== undefined && there !== undefined);
  return [1, 2].map((id) => here.difference(there, id));
}

test("the same on two nodes, and another one while a kernel refuses something", async () => {
  const [here, there] = [node(), node()];
  assert.equal(here.forwarding.counts().digest, undefined, "nothing was read back yet");
  const refused = port(1, false, BAD, "10.0.0.1");
  await here.forwarding.reconcile(wanting(refused, port(2, false, "10.0.0.2")));
  there.kernel.refuse = (operation) =>
    "destination" in operation && operation.destination.address === BAD ? "EINVAL" : undefined;
  const own = wanting(port(1, true, BAD, "10.0.0.1"), port(2, true, "10.0.0.2"));
  await there.forwarding.reconcile(own);
  const untaken = (portNumber(refused) - unsettledNumber(1)) >>> 0;
  assert.deepEqual(differences(here.digest(), there.digest()), [untaken, 0]);
  there.kernel.refuse = () => undefined;
  await there.clock.advance(2_000);
  await there.forwarding.reconcile(own);
  assert.deepEqual(differences(here.digest(), there.digest()), [0, 0]);
  await there.forwarding.remove();
  assert.equal(there.forwarding.counts().digest, undefined);
});

test("that of a pass that gave way is that of the one before", async () => {
  const { kernel, forwarding } = node({ ...PORTION_SIZES, few: 2, servers: 2 });
  await forwarding.reconcile(wanting(port(1, false, "10.0.0.1")));
  const { digest } = forwarding.counts();
  const { written } = kernel.counter;
  const many = wanting(...Array.from({ length: 9 }, (_, at) => port(at + 1, false, "10.0.0.2")));
  const { isComplete } = await forwarding.reconcile(many, () => kernel.counter.written > written);
  assert.equal(isComplete, false);
  assert.equal(forwarding.counts().digest, digest);
  await forwarding.reconcile(many);
  assert.notEqual(forwarding.counts().digest, digest);
});
