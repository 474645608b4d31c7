import assert from "node:assert/strict";
import { test } from "node:test";
import type { BGPPeer } from "#common/kube/resource.ts";
import { AcceptedPeers, storedPeer } from "./accepted-peers.ts";

const peer = (name: string, spec: object, creationTimestamp = "2026-01-01T00:00:00Z"): BGPPeer =>
  storedPeer({
    metadata: { name, namespace: "genkan-system", uid: name, resourceVersion: "1", creationTimestamp },
    spec: { myASN: 64512, peerASN: 64513, ...spec },
  } as unknown as BGPPeer);

const put = (peers: AcceptedPeers, ...list: readonly BGPPeer[]): void => {
  for (const each of list) peers.store.set(`genkan-system/${each.metadata.name}`, each);
};
const addresses = (peers: AcceptedPeers): Record<string, string | undefined> =>
  Object.fromEntries(peers.list().map(({ name, address }) => [name, address]));

test("of two peers with one address the older one counts, in whatever order they arrive", () => {
  const older = peer("z", { peerAddress: "10.0.0.1" });
  const younger = peer("a", { peerAddress: "10.0.0.1" }, "2026-01-02T00:00:00Z");
  for (const order of [
    [older, younger],
    [younger, older],
  ]) {
    const peers = new AcceptedPeers("genkan-system");
    put(peers, ...order);
    assert.deepEqual(addresses(peers), { z: "10.0.0.1" });
  }
});

test("a peer whose change is refused goes on as it was; others are not touched", () => {
  const peers = new AcceptedPeers("genkan-system");
  put(peers, peer("a", { peerAddress: "10.0.0.1" }), peer("b", { peerAddress: "10.0.0.2" }));
  assert.deepEqual(addresses(peers), { a: "10.0.0.1", b: "10.0.0.2" });
  put(peers, peer("a", { peerAddress: "10.0.0.2" }));
  assert.deepEqual(addresses(peers), { a: "10.0.0.1", b: "10.0.0.2" });
  put(peers, peer("b", { peerAddress: "10.0.0.3" }));
  assert.deepEqual(addresses(peers), { a: "10.0.0.2", b: "10.0.0.3" });
  peers.store.delete("genkan-system/b");
  assert.deepEqual(addresses(peers), { a: "10.0.0.2" });
});
