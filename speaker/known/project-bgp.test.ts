import assert from "node:assert/strict";
import { test } from "node:test";
import type { BFDProfile, BGPPeer, Secret } from "#common/kube/resource.ts";
import { projectAdvertisement, projectPassword, projectPeer, projectProfile } from "./project-bgp.ts";

const metadata = {
  name: "tor",
  namespace: "genkan-system",
  uid: "u",
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
};
const peer = (spec: Partial<BGPPeer["spec"]>): BGPPeer => ({
  apiVersion: "genkan.dev/v1beta1",
  kind: "BGPPeer",
  metadata,
  spec: { myASN: 64_512, peerASN: 64_513, peerAddress: "172.30.0.253", ...spec },
});

const DEFAULTS = {
  name: "tor",
  port: 179,
  localAsn: 64_512,
  peerAsn: 64_513,
  address: "172.30.0.253",
  nodeSelectors: [],
  isMultihop: false,
  gracefulRestart: false,
  isDualStack: false,
};

const PEERS: readonly [what: string, spec: Partial<BGPPeer["spec"]>, changes: object][] = [
  ["defaults", {}, {}],
  ["localASN instead of myASN", { localASN: 65_000 }, { localAsn: 65_000 }],
  ["times", { holdTime: "90s", keepaliveTime: "30s" }, { holdTimeMs: 90_000, keepaliveTimeMs: 30_000 }],
  ["zero is unset", { holdTime: "0s", keepaliveTime: "0s", connectTime: "0s" }, {}],
  ["an empty password is none", { password: "" }, {}],
  [
    "TCP-AO",
    { tcpAO: { sendID: 0, receiveID: 255 } },
    { tcpAo: { sendId: 0, receiveId: 255, algorithm: "HMAC-SHA-1-96" } },
  ],
  [
    "TCP-AO by another algorithm",
    { tcpAO: { sendID: 1, receiveID: 1, algorithm: "AES-128-CMAC-96" } },
    { tcpAo: { sendId: 1, receiveId: 1, algorithm: "AES-128-CMAC-96" } },
  ],
  ["a Secret", { passwordSecret: { name: "tor-password" } }, { passwordSecret: "tor-password" }],
  [
    "multihop",
    { ebgpMultiHop: true, sourceAddress: "10.0.0.1" },
    { isMultihop: true, sourceAddress: "10.0.0.1" },
  ],
  ["the node as next hop is nothing to be said", { nextHop: "self", nextHopV6: "self" }, {}],
  [
    "next hops",
    { nextHop: "10.9.0.1", nextHopV6: "InternalIP" },
    { nextHop: { IPv4: { address: "10.9.0.1" }, IPv6: "InternalIP" } },
  ],
  ["an empty profile is none", { bfdProfile: "" }, {}],
  ["a VRF", { vrf: "red" }, { vrf: "red" }],
  [
    "a range, in one spelling",
    { listenRange: "FD00:0::/64", maximumSessions: 4 },
    { range: "fd00::/64", maximumSessions: 4 },
  ],
  ["the default gateway", { defaultGateway: "IPv6" }, { gateway: "IPv6" }],
];
for (const [what, spec, changes] of PEERS) {
  test(`BGPPeer: ${what}`, () => assert.deepEqual(projectPeer(peer(spec)), { ...DEFAULTS, ...changes }));
}

test("BGPPeer: a next hop that nobody can send to is not usable, whatever let it in", () => {
  for (const nextHop of ["fd00::1", "127.0.0.1", "224.0.0.1", "Self", ""])
    assert.throws(() => projectPeer(peer({ nextHop })), /spec\.nextHop/, nextHop);
  for (const nextHopV6 of ["10.0.0.1", "::1", "fe80::1", "ff02::1"])
    assert.throws(() => projectPeer(peer({ nextHopV6 })), /spec\.nextHopV6/, nextHopV6);
});

test("BGPPeer: unnumbered, its ASN from the router", () => {
  const { metadata: of, ...rest } = peer({});
  const raw = {
    ...rest,
    metadata: of,
    spec: { myASN: 64_512, dynamicASN: "internal" as const, interface: "eth1" },
  };
  const { address, ...others } = DEFAULTS;
  assert.ok(address);
  assert.deepEqual(projectPeer(raw), { ...others, peerAsn: "internal", link: "eth1" });
});

test("BFDProfile: defaults, and all set", () => {
  const profile = (spec: BFDProfile["spec"]): BFDProfile => ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "BFDProfile",
    metadata,
    spec,
  });
  assert.deepEqual(projectProfile(profile({})), {
    name: "tor",
    receiveIntervalMs: 300,
    transmitIntervalMs: 300,
    detectMultiplier: 3,
    echoMode: false,
    echoIntervalMs: 50,
    passive: false,
  });
  const all = {
    receiveInterval: 50,
    transmitInterval: 60,
    detectMultiplier: 5,
    minimumTtl: 250,
    passiveMode: true,
  };
  assert.deepEqual(projectProfile(profile({ ...all, echoMode: true, echoInterval: 20 })), {
    name: "tor",
    receiveIntervalMs: 50,
    transmitIntervalMs: 60,
    detectMultiplier: 5,
    echoMode: true,
    echoIntervalMs: 20,
    passive: true,
    minimumTtl: 250,
  });
});

test("an advertisement: communities by kind, each once", () => {
  assert.deepEqual(projectAdvertisement({}, "a"), {
    aggregation: { IPv4: 32, IPv6: 128 },
    communities: [],
    largeCommunities: [],
    peers: [],
    nodeSelectors: [],
    serviceSelectors: [],
  });
  const communities = ["64512:1", "no-export", "65535:65281", "large:64512:1:2", "nonsense"];
  const advertisement = projectAdvertisement(
    {
      aggregationLength: 24,
      localPref: 0,
      asPathPrepend: 3,
      med: 50,
      weighting: "LocalPods",
      communities,
      peers: ["tor"],
      serviceSelectors: [{ matchLabels: { expose: "internet" } }],
    },
    "a",
  );
  assert.deepEqual(advertisement, {
    aggregation: { IPv4: 24, IPv6: 128 },
    localPref: 0,
    prepend: 3,
    med: 50,
    weighsPods: true,
    communities: [64_512 * 65_536 + 1, 0xffffff01],
    largeCommunities: [[64_512, 1, 2]],
    peers: ["tor"],
    nodeSelectors: [],
    serviceSelectors: [{ matchLabels: { expose: "internet" } }],
  });
});

test("a password comes out of its Secret as text; none is none", () => {
  const secret = (data?: Record<string, string>): Secret => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    ...(data === undefined ? {} : { data }),
  });
  assert.equal(
    projectPassword(secret({ password: Buffer.from("s3cret").toString("base64") }))?.reveal(),
    "s3cret",
  );
  assert.equal(projectPassword(secret({ username: "eA==" })), undefined);
  assert.equal(projectPassword(secret()), undefined);
});
