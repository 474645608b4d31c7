import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ANNOTATION_SPEAKER_STATE, LABEL_SPEAKER_LEASE, speakerLease } from "#api/names.ts";
import type { KubeClient, PatchRequest } from "#common/kube/client.ts";
import type { Lease } from "#common/kube/resource.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import { silentLogger } from "#common/log.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { FakeGossip } from "#test/fakes/gossip.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import { projectLease } from "./lease-record.ts";
import { Membership } from "./membership.ts";

const READY = { isReady: true, links: [{ name: "eth0", prefixes: ["172.30.0.1/24"] }] };

/** An API server of one Lease: what is patched comes back through the watch. */
function world() {
  const clock = new FakeClock();
  const patches: PatchRequest[] = [];
  let isAway = false;
  let tell: ((event: WatchEvent<Lease>) => void) | undefined;
  const queue: WatchEvent<Lease>[] = [];
  let isSlow = false;
  const held: (() => void)[] = [];
  const push = (event: WatchEvent<Lease>): void => {
    if (tell === undefined) queue.push(event);
    else tell(event);
  };
  const client = {
    list: async () => ({ items: [], resourceVersion: "1" }),
    patch: async (_resource: unknown, request: PatchRequest) => {
      if (isAway) throw new Error("connection refused");
      if (isSlow) await new Promise<void>((resolve) => held.push(resolve));
      patches.push(request);
      const { metadata, spec } = request.body as { metadata: object; spec: object };
      const version = String(patches.length + 1);
      const object = {
        metadata: { ...metadata, name: request.name, namespace: "ns", uid: "u", resourceVersion: version },
        spec,
      } as unknown as Lease;
      push({ type: patches.length === 1 ? "ADDED" : "MODIFIED", object });
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
  const gossip = new FakeGossip();
  const membership = new Membership({
    client: client as unknown as KubeClient,
    node: "n1",
    namespace: "ns",
    identity: "pod-1",
    clock,
    random: fakeRandom(),
    log: silentLogger,
    gossip,
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
    gossip,
    patches,
    end,
    changes: () => changes,
    push,
    setAway: (now: boolean) => (isAway = now),
    /** Patches land when `land` says so, the last one first. */
    setSlow: (now: boolean) => (isSlow = now),
    land: () => held.pop()?.(),
  };
}

interface Body {
  readonly metadata: { readonly annotations: Record<string, string> };
  readonly spec: { readonly holderIdentity: string; readonly leaseDurationSeconds: number };
}

/** Another speaker's, or our own. */
const leaseOf = (node: string): Lease =>
  ({
    metadata: {
      name: speakerLease(node),
      namespace: "ns",
      uid: `uid of ${node}`,
      resourceVersion: "1",
      labels: { [LABEL_SPEAKER_LEASE]: node },
    },
    spec: { holderIdentity: "pod", renewTime: "2026-01-01T00:00:00.000000Z" },
  }) as unknown as Lease;

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

  test("a Lease that somebody deletes is made again at once", async () => {
    const { clock, patches, membership, push, end } = world();
    membership.publish(READY);
    await clock.advance(100);
    const before = patches.length;
    push({ type: "DELETED", object: leaseOf("n1") });
    await settle();
    assert.equal(patches.length, before + 1);
    await end();
  });

  test("beside 499 others it is renewed every five seconds, and says for how long it holds", async () => {
    const { clock, patches, membership, push, end } = world();
    for (let other = 2; other <= 500; other += 1) {
      push({ type: "ADDED", object: leaseOf(`n${other}`) });
      await settle();
    }
    membership.publish(READY);
    await clock.advance(1_100);
    const before = patches.length;
    await clock.advance(20_000);
    assert.equal(patches.length - before, 4);
    assert.equal(bodyOf(patches.at(-1)).spec.leaseDurationSeconds, 20);
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

  test("with the server away a death is one by gossip, and its goodbye is enough", async () => {
    const { clock, membership, gossip, setAway, end } = world();
    membership.publish(READY);
    const own = { name: "n1", address: "172.30.0.1", port: 7474 };
    const keys = [new Uint8Array(32)];
    membership.meet({ own, peers: [], keys });
    assert.equal(gossip.configured.at(-1)?.label, "genkan/ns");
    await clock.advance(2_000);
    setAway(true);
    await clock.advance(10_000);
    assert.equal(membership.judgement.isFrozen, true);
    await assert.rejects(membership.release());
    gossip.members.set("n2", { state: "alive", at: 0, downAt: undefined });
    membership.reconsider();
    assert.deepEqual([membership.judgement.isFrozen, membership.judgement.live], [false, ["n1"]]);
    await membership.release();
    assert.equal(gossip.goodbyes, 2);
    await end();
  });

  test("that it is ready it says when a peer has told it all, and with that what it hears", async () => {
    const { membership, gossip, patches, clock, end } = world();
    const [own, other] = ["n1", "n2"].map((name) => ({ name, address: `172.30.0.${name}`, port: 7474 }));
    assert.ok(own !== undefined && other !== undefined);
    membership.meet({ own, peers: [other], keys: [] });
    membership.publish(READY);
    await clock.advance(1_000);
    assert.equal(patches.length, 0);
    gossip.problem = undefined;
    gossip.members.set("n2", { state: "alive", at: clock.now(), downAt: undefined });
    [gossip.contactAt, gossip.joinedAt] = [clock.now(), clock.now()];
    membership.reconsider();
    await clock.advance(100);
    const states = patches.map((one) =>
      JSON.parse(bodyOf(one).metadata.annotations[ANNOTATION_SPEAKER_STATE] ?? ""),
    );
    assert.deepEqual(states, [{ ...READY, hearsClaims: true }]);
    await end();
  });

  test("it does not gossip before it has something to tell, and says why it does not", async () => {
    const { membership, gossip, clock, end } = world();
    const roster = { own: { name: "n1", address: "172.30.0.1", port: 7474 }, peers: [], keys: [] };
    membership.meet(roster);
    assert.equal(gossip.configured.length, 0);
    membership.publish(READY);
    assert.equal(gossip.configured.at(-1)?.own, roster.own);
    membership.meet({ why: "no keys" });
    assert.deepEqual([gossip.configured.at(-1), membership.gossipTrouble?.message], [undefined, "no keys"]);
    membership.meet(roster);
    assert.deepEqual(membership.gossipTrouble, { reason: "GossipFailed", message: "not started" });
    gossip.problem = undefined;
    assert.equal(membership.gossipTrouble, undefined);
    await clock.advance(100);
    await end();
  });

  test("a renewal that is on its way lands before the goodbye, not after it", async () => {
    const { clock, membership, patches, setSlow, land, end } = world();
    membership.publish(READY);
    await clock.advance(500);
    setSlow(true);
    await clock.advance(1_000);
    const goodbye = membership.release();
    await settle();
    land();
    await settle();
    land();
    await goodbye;
    assert.deepEqual(
      patches.slice(-2).map((request) => bodyOf(request).spec.holderIdentity),
      ["pod-1", ""],
    );
    await end();
  });

  test("what changes there and back during a renewal is what the others read at last", async () => {
    const { clock, membership, patches, setSlow, land, end } = world();
    const other = { ...READY, links: [] };
    membership.publish(READY);
    await clock.advance(500);
    setSlow(true);
    membership.publish(other);
    await settle();
    membership.publish(READY);
    land();
    setSlow(false);
    await clock.advance(1_500);
    const { metadata } = bodyOf(patches.at(-1));
    assert.deepEqual(JSON.parse(metadata.annotations[ANNOTATION_SPEAKER_STATE] ?? ""), READY);
    await end();
  });
});

describe("a Lease as an input", () => {
  const lease = (changes: { metadata?: object; spec?: unknown } = {}): Lease =>
    ({
      metadata: {
        name: "speaker-n2",
        namespace: "ns",
        uid: "u",
        resourceVersion: "7",
        labels: { "genkan.dev/speaker": "n2" },
        annotations: { [ANNOTATION_SPEAKER_STATE]: JSON.stringify(READY) },
        ...changes.metadata,
      },
      spec: "spec" in changes ? changes.spec : { holderIdentity: "pod-2", renewTime: "2026-01-01T00:00:00Z" },
    }) as unknown as Lease;
  const annotated = (state: unknown): { metadata: object } => ({
    metadata: { annotations: { [ANNOTATION_SPEAKER_STATE]: state } },
  });

  test("what a speaker wrote is its word, and nothing beside it", () => {
    const state = JSON.stringify({ ...READY, more: "x".repeat(1_000) });
    const record = { stamp: "pod-2 2026-01-01T00:00:00Z", isHeld: true, state: JSON.stringify(READY) };
    assert.deepEqual(projectLease(lease(annotated(state))), { node: "n2", record });
  });

  test("times are not read: the far future is as good as any", () => {
    const renewTime = "9999-12-31T23:59:59.999999Z";
    const spec = { holderIdentity: "pod-2", renewTime, leaseDurationSeconds: 2 ** 31 - 1 };
    assert.equal(projectLease(lease({ spec }))?.record.fault, undefined);
  });

  const poisoned: readonly [what: string, changes: Parameters<typeof lease>[0], why: RegExp][] = [
    [
      "a prefix that is none",
      annotated('{"isReady":true,"links":[{"name":"e","prefixes":["10.0.0.1/x"]}]}'),
      /prefixes\[0\]/,
    ],
    [
      "a length that no family has",
      annotated('{"isReady":true,"links":[{"name":"e","prefixes":["10.0.0.1/99"]}]}'),
      /prefixes/,
    ],
    ["links that are none", annotated('{"isReady":true,"links":{"length":3}}'), /links is an object/],
    ["no JSON", annotated("{"), /JSON/],
    ["no text", annotated({ isReady: true }), /the state/],
    ["a huge one", annotated(`"${"x".repeat(1_000_000)}"`), /65536/],
    ["none at all", { metadata: { annotations: {} } }, /absent/],
    ["a holder that is none", { spec: { holderIdentity: { a: 1 } } }, /holderIdentity/],
    ["a huge holder", { spec: { holderIdentity: "x".repeat(10_000) } }, /holderIdentity/],
    ["a time that is none", { spec: { holderIdentity: "p", renewTime: [] } }, /renewTime/],
    ["no spec", { spec: null }, /spec/],
  ];
  for (const [what, changes, why] of poisoned)
    test(`unusable, with its field's name: ${what}`, () => {
      const found = projectLease(lease(changes));
      assert.match(found?.record.fault ?? "", why);
      assert.deepEqual([found?.node, found?.record.state], ["n2", ""]);
      assert.ok((found?.record.fault?.length ?? 0) <= 500);
    });

  for (const [what, metadata] of [
    ["another node's name", { name: "speaker-n3" }],
    ["a label that is none", { labels: { "genkan.dev/speaker": 3 } }],
    ["no labels", { labels: undefined }],
  ] as const)
    test(`no speaker's: ${what}`, () => assert.equal(projectLease(lease({ metadata })), undefined));
});
