/** How long a terminating endpoint keeps its connections, when its Service says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOTATION_DRAIN_TIMEOUT } from "#api/names.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fakeParts } from "#test/fakes/speaker-parts.ts";
import { endpoint, node, POOL, service, slice } from "#test/fakes/speaker-view.ts";
import { Drains } from "./drains.ts";
import { drainTimeoutOf } from "./known/service-forwarding.ts";
import type { EndpointView } from "./known/view.ts";
import { Speaker } from "./speaker.ts";

const ENDS: Partial<EndpointView> = { isReady: false, isTerminating: true };

function world() {
  const clock = new FakeClock();
  const fakes = fakeParts("n1");
  const { knowledge, forwarder } = fakes;
  const triggers: string[] = [];
  const drains = new Drains({ clock, onChange: () => void triggers.push("pass") });
  knowledge.nodes.set("n1", node("n1"));
  knowledge.setPools(POOL);
  const speaker = new Speaker({ ...fakes.parts, drains });
  return {
    ...{ clock, triggers },
    put: (timeoutMs: number | undefined, ...last: readonly (readonly [number, Partial<EndpointView>?])[]) =>
      knowledge.put(
        service({ ...(timeoutMs !== undefined && { drainTimeoutMs: timeoutMs }) }),
        slice(last.map(([at, more]) => endpoint(at, "n1", more))),
      ),
    /** Last numbers of the addresses that are forwarded to, "!" behind one that drains. */
    async forwarded(): Promise<string> {
      await speaker.pass();
      const { endpoints = [] } = forwarder.input?.ports[0] ?? {};
      return endpoints.map(({ address, isServing }) => address.slice(9) + (isServing ? "" : "!")).join(" ");
    },
  };
}

test("an endpoint keeps its connections for its Service's time, and a pass is asked for when that is over", async () => {
  const { clock, triggers, put, forwarded } = world();
  put(30_000, [1], [2, ENDS]);
  assert.equal(await forwarded(), "1 2!");
  await clock.advance(29_999);
  assert.deepEqual([await forwarded(), triggers.length], ["1 2!", 0]);
  await clock.advance(1);
  assert.equal(triggers.length, 1);
  assert.equal(await forwarded(), "1");
  assert.equal(await forwarded(), "1", "nor does it come back");
});

test("without the annotation it keeps them as long as it is there", async () => {
  const { clock, put, forwarded } = world();
  put(undefined, [1], [2, ENDS]);
  await forwarded();
  await clock.advance(86_400_000);
  assert.equal(await forwarded(), "1 2!");
});

test("one that is not ready and does not end is none of it, nor is one that serves because nobody else does", async () => {
  const { clock, put, forwarded } = world();
  put(1_000, [1], [2, { isReady: false }]);
  await forwarded();
  await clock.advance(5_000);
  assert.equal(await forwarded(), "1 2!");
  put(1_000, [2, ENDS]);
  await forwarded();
  await clock.advance(5_000);
  assert.equal(await forwarded(), "2", "there is nobody else");
});

test("an address that comes back is as any other, and has its time anew when it ends again", async () => {
  const { clock, put, forwarded } = world();
  put(1_000, [1], [2, ENDS]);
  await forwarded();
  await clock.advance(1_000);
  assert.equal(await forwarded(), "1");
  put(1_000, [1], [2]);
  assert.equal(await forwarded(), "1 2");
  put(1_000, [1], [2, ENDS]);
  assert.equal(await forwarded(), "1 2!");
  await clock.advance(1_000);
  assert.equal(await forwarded(), "1");
});

test("a time that is made longer, or taken away, lets it go on", async () => {
  const { clock, put, forwarded } = world();
  put(1_000, [1], [2, ENDS]);
  await forwarded();
  await clock.advance(1_000);
  assert.equal(await forwarded(), "1");
  put(60_000, [1], [2, ENDS]);
  await forwarded();
  assert.equal(await forwarded(), "1 2!");
  put(undefined, [1], [2, ENDS]);
  await forwarded();
  assert.equal(await forwarded(), "1 2!");
});

test("the annotation has whole seconds, up to a day", () => {
  const of = (value: unknown): number | undefined => drainTimeoutOf({ [ANNOTATION_DRAIN_TIMEOUT]: value });
  assert.deepEqual([of(undefined), of("0"), of("30")], [undefined, 0, 30_000]);
  for (const wrong of ["30s", "-1", "86401", ""])
    assert.throws(() => of(wrong), /drain-timeout.* 0 to 86400/);
});
