import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ANNOTATION_SPEAKER_STATE } from "#api/names.ts";
import type { KubeClient, PatchRequest } from "#common/kube/client.ts";
import type { Lease } from "#common/kube/resource.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import { silentLogger } from "#common/log.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import { Membership } from "./membership.ts";

const READY = { isReady: true, links: [{ name: "eth0", prefixes: ["172.30.0.1/24"] }] };

/** An API server of one Lease: what is patched comes back through the watch. */
function world() {
  const clock = new FakeClock();
  const patches: PatchRequest[] = [];
  let isAway = false;
  let tell: ((event: WatchEvent<Lease>) => void) | undefined;
  const queue: WatchEvent<Lease>[] = [];
  const client = {
    list: async () => ({ items: [], resourceVersion: "1" }),
    patch: async (_resource: unknown, request: PatchRequest) => {
      if (isAway) throw new Error("connection refused");
      patches.push(request);
      const { metadata, spec } = request.body as { metadata: object; spec: object };
      const version = String(patches.length + 1);
      const object = {
        metadata: { ...metadata, name: request.name, namespace: "ns", uid: "u", resourceVersion: version },
        spec,
      } as unknown as Lease;
      const event: WatchEvent<Lease> = { type: patches.length === 1 ? "ADDED" : "MODIFIED", object };
      if (tell === undefined) queue.push(event);
      else tell(event);
      return object;
    },
    async *watch(
      _resource: unknown,
      _options: unknown,
      signal: AbortSignal,
    ): AsyncIterable<WatchEvent<Lease>> {
      while (!signal.aborted) {
        const next = queue.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        const event = await new Promise<WatchEvent<Lease> | undefined>((resolve) => {
          tell = resolve;
          signal.addEventListener("abort", () => resolve(undefined), { once: true });
        });
        tell = undefined;
        if (event !== undefined) yield event;
      }
    },
  };
  let changes = 0;
  const membership = new Membership({
    client: client as unknown as KubeClient,
    node: "n1",
    namespace: "ns",
    identity: "pod-1",
    clock,
    random: fakeRandom(),
    log: silentLogger,
    onChange: () => {
      changes += 1;
    },
  });
  const stop = new AbortController();
  const running = membership.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return {
    clock,
    membership,
    patches,
    end,
    changes: () => changes,
    setAway: (now: boolean) => (isAway = now),
  };
}

interface Body {
  readonly metadata: { readonly annotations: Record<string, string> };
  readonly spec: { readonly holderIdentity: string };
}

function bodyOf(request: PatchRequest | undefined): Body {
  assert.ok(request !== undefined);
  return request.body as Body;
}

describe("membership", () => {
  test("nothing is renewed before there is something to tell", async () => {
    const { clock, patches, membership, end } = world();
    await clock.advance(5_000);
    assert.equal(patches.length, 0);
    membership.publish(READY);
    await settle();
    assert.equal(patches.length, 1);
    await end();
  });

  test("renewed every second; what is new is told at once; our own word coming back makes us alive", async () => {
    const { clock, patches, membership, end } = world();
    membership.publish(READY);
    await clock.advance(3_100);
    assert.equal(patches.length, 4);
    assert.deepEqual(membership.judgement.live, ["n1"]);
    assert.equal(membership.judgement.isFrozen, false);
    membership.publish({ ...READY, links: [] });
    await settle();
    assert.equal(patches.length, 5);
    const { metadata } = bodyOf(patches.at(-1));
    assert.deepEqual(JSON.parse(metadata.annotations[ANNOTATION_SPEAKER_STATE] ?? ""), {
      ...READY,
      links: [],
    });
    await end();
  });

  test("with the server away the judgement freezes, is told once, and thaws", async () => {
    const { clock, membership, setAway, changes, end } = world();
    membership.publish(READY);
    await clock.advance(2_000);
    setAway(true);
    const before = changes();
    await clock.advance(10_000);
    assert.deepEqual([membership.judgement.isFrozen, membership.judgement.live], [true, ["n1"]]);
    assert.equal(changes(), before + 1);
    setAway(false);
    await clock.advance(1_500);
    assert.equal(membership.judgement.isFrozen, false);
    await end();
  });

  test("a goodbye empties the holder, and nothing is renewed after it", async () => {
    const { clock, membership, patches, end } = world();
    membership.publish(READY);
    await clock.advance(1_500);
    await membership.release();
    const count = patches.length;
    assert.equal(bodyOf(patches.at(-1)).spec.holderIdentity, "");
    await clock.advance(5_000);
    assert.equal(patches.length, count);
    assert.deepEqual(membership.judgement.live, []);
    await end();
  });
});
