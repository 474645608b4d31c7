import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition } from "#api/v1beta1/conditions.ts";
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";
import { Digest } from "../forwarding/digest.ts";
import { isNews, type StatusInput, statusOf } from "./status.ts";

const COUNTS = {
  virtualServers: 2,
  realServers: 8,
  routes: 1,
  elements: 4,
  netlinkMessagesWritten: 9,
  passes: 1,
  changes: 0,
  turnedAway: {},
};
const INPUT: StatusInput = {
  node: "n1",
  build: "v1",
  generation: 3,
  role: "Active",
  mode: "IPVS",
  tenureOf: () => undefined,
  owned: [
    {
      vip: "172.30.0.200",
      services: ["default/web"],
      pool: "pool",
      candidates: ["n1"],
      owner: "n1",
      links: ["eth0"],
      isAdvertised: false,
    },
  ],
  advertised: 0,
  routing: { sessions: [], withheld: [], bfd: [], scheduling: undefined, listenTrouble: undefined },
  formerSessions: [],
  links: [
    { name: "eth0", index: 2, hardware: "02000000000a", isUp: true, mtu: 1_500, prefixes: ["172.30.0.1/24"] },
  ],
  counts: COUNTS,
  lastWrites: 12,
  isProgrammed: false,
  translated: 0,
  forwardingTrouble: undefined,
  announcingTrouble: undefined,
  firewallTrouble: undefined,
  gossipTrouble: undefined,
  pathTrouble: undefined,
  hostTrouble: undefined,
  sharing: undefined,
  standing: undefined,
  tunnelling: undefined,
  leftOut: [],
  unusable: [],
  conflicts: [],
  isRemoved: false,
  lastError: undefined,
  conditions: [],
  now: new Date("2026-01-01T00:00:00Z"),
};

const conditions = (changes: Partial<StatusInput>) =>
  Object.fromEntries(
    (statusOf({ ...INPUT, ...changes }).conditions ?? []).map(({ type, status, reason }) => [
      type,
      `${status} ${reason}`,
    ]),
  );

test("what IPVS has is said where IPVS forwards, and in no more than the schema takes", () => {
  const digest = new Digest().text;
  const said = (changes: Partial<StatusInput>): string | undefined =>
    statusOf({ ...INPUT, ...changes }).forwarding?.digest;
  const counts = { ...COUNTS, digest };
  assert.deepEqual(
    [said({}), said({ counts }), said({ counts, mode: "KubeProxy" })],
    [undefined, digest, undefined],
  );
  const { maxLength } = SCHEMAS.SpeakerStatus.properties.status.properties.forwarding.properties.digest;
  assert.ok(digest.length <= maxLength);
});

test("what the node does", () => {
  const { conditions: _, ...rest } = statusOf(INPUT);
  assert.deepEqual(rest, {
    node: "n1",
    build: "v1",
    observedGeneration: 3,
    ownedCount: 1,
    addresses: [{ address: "172.30.0.200", service: "default/web", links: ["eth0"] }],
    links: [{ name: "eth0", hasCarrier: true }],
    forwarding: { mode: "IPVS", virtualServers: 2, realServers: 8, lastWrites: 12 },
  });
});

test("conditions", () => {
  assert.deepEqual(conditions({}), {
    AllServed: "True Served",
    AnnouncingReady: "True Announcing",
    FirewallOpen: "True NoDropSeen",
    ForwardingReady: "True Programmed",
    HostSound: "True Sound",
    InputsUsable: "True Usable",
    MembersHeard: "True Heard",
    PathsClear: "True NoLossSeen",
    Ready: "True Ready",
    Removed: "False InUse",
  });
  const noIpvs = { reason: "IpvsUnavailable", message: "the kernel has no ip_vs" } as const;
  assert.deepEqual(conditions({ forwardingTrouble: noIpvs }), {
    AllServed: "True Served",
    AnnouncingReady: "True Announcing",
    FirewallOpen: "True NoDropSeen",
    ForwardingReady: "False IpvsUnavailable",
    HostSound: "True Sound",
    InputsUsable: "True Usable",
    MembersHeard: "True Heard",
    PathsClear: "True NoLossSeen",
    Ready: "False IpvsUnavailable",
    Removed: "False InUse",
  });
  assert.equal(conditions({ announcingTrouble: { reason: "NoLink", message: "" } }).Ready, "False NoLink");
  assert.equal(conditions({ translated: 3 }).ForwardingReady, "True SourceTranslated");
  const routing = { ...INPUT.routing, listenTrouble: "port 179: EADDRINUSE" };
  assert.equal(conditions({ routing }).AnnouncingReady, "True NotListening");
  const leftOut = [{ reason: "DuplicateClaim", message: "", services: [] } as const];
  const { AllServed, Ready } = conditions({ leftOut });
  assert.deepEqual([AllServed, Ready], ["False DuplicateClaim", "True Ready"]);
  assert.equal(conditions({ mode: "KubeProxy" }).ForwardingReady, "True LeftToKubeProxy");
  assert.equal(
    conditions({ role: "LoadBalancerDeleted", isRemoved: true }).Removed,
    "True LoadBalancerDeleted",
  );
  assert.equal(conditions({ role: "NodeNotSelected" }).Removed, "False Removing");
});

test("the same again is no news, at whatever time", () => {
  const before = statusOf(INPUT);
  const again = statusOf({
    ...INPUT,
    conditions: before.conditions ?? [],
    now: new Date("2026-01-02T00:00:00Z"),
  });
  assert.equal(isNews(before, again), false);
  assert.equal(isNews(before, statusOf({ ...INPUT, lastWrites: 13 })), true);
  assert.equal(isNews(undefined, before), true);
});

test("sessions: those that stand, those that cannot be tried, and what BFD says", () => {
  const counts = { messagesIn: 1, messagesOut: 2, updatesOut: 3 };
  const status = statusOf({
    ...INPUT,
    advertised: 2,
    routing: {
      sessions: [
        {
          peer: "tor",
          address: "172.30.0.253",
          state: "Established",
          establishedAt: "2026-01-01T00:00:01.500Z",
          remoteAsn: 64_513,
          holdTimeMs: 9_000,
          prefixesAdvertised: 2,
          prefixesReceived: 1,
          prefixesKeptBack: 3,
          prefixesWithoutNextHop: 4,
          losses: 1,
          lastError: "hold timer expired",
          lastErrorAt: "2026-01-01T00:00:00.250Z",
          ...counts,
        },
      ],
      withheld: [{ peer: "spine", reason: "SecretMissing", message: "Secret spine: not there" }],
      bfd: [
        {
          key: "tor",
          address: "172.30.0.253",
          state: "Up",
          remoteState: "Up",
          diagnostic: "None",
          remoteDiagnostic: "None",
          since: "2026-01-01T00:00:02.750Z",
          detectionTimeMs: 150,
          transmitIntervalMs: 50,
          isEchoing: false,
          losses: 0,
          packetsIn: 1,
          packetsOut: 1,
          sendFailures: 0,
        },
      ],
      scheduling: { class: "normal", reason: "CAP_SYS_NICE is missing" },
      listenTrouble: undefined,
    },
  });
  assert.equal(status.advertisedCount, 2);
  assert.deepEqual(status.bgpSessions, [
    { peer: "spine", state: "Withheld", lastError: "Secret spine: not there" },
    {
      peer: "tor",
      address: "172.30.0.253",
      state: "Established",
      since: "2026-01-01T00:00:01Z",
      remoteASN: 64_513,
      holdTime: 9,
      advertised: 2,
      received: 1,
      keptBack: 3,
      withoutNextHop: 4,
      losses: 1,
      lastError: "hold timer expired",
      lastErrorTime: "2026-01-01T00:00:00Z",
    },
  ]);
  assert.deepEqual(status.bfdSessions, [
    {
      peer: "tor",
      address: "172.30.0.253",
      state: "Up",
      diagnostic: "None",
      since: "2026-01-01T00:00:02Z",
      detectionTime: 150,
      losses: 0,
    },
  ]);
  assert.equal(status.bfdScheduling, "normal: CAP_SYS_NICE is missing");
});

test("an object that is left out is named, and takes readiness from nobody", () => {
  const unusable = [
    { object: "Lease ns/speaker-n2", why: "links is 3" },
    { object: "nodes n3", why: "x" },
  ];
  const { conditions } = statusOf({ ...INPUT, unusable });
  const found = (type: string) => conditions?.find((one) => one.type === type);
  assert.deepEqual(
    [found("InputsUsable")?.status, found("InputsUsable")?.reason, found("InputsUsable")?.message],
    ["False", "Unusable", "Lease ns/speaker-n2 is left out: links is 3, and 1 more"],
  );
  assert.equal(found("Ready")?.status, "True");
});

test("conditions that somebody else made of ours are not believed", () => {
  const conditions = [null, 3, { type: 1 }] as unknown as StatusInput["conditions"];
  assert.equal(
    statusOf({ ...INPUT, conditions }).conditions?.find(({ type }) => type === "Ready")?.status,
    "True",
  );
});

test("who is not heard by gossip is told of, and the node is ready all the same", () => {
  const gossipTrouble = { reason: "MembersUnheard", message: "n3" } as const;
  const found = conditions({ gossipTrouble });
  assert.deepEqual([found.MembersHeard, found.Ready], ["False MembersUnheard", "True Ready"]);
});

test("a firewall in the way has a condition of its own, and takes readiness from nobody", () => {
  const firewallTrouble = { reason: "FirewallDrops", message: "x" } as const;
  const found = conditions({ firewallTrouble });
  assert.deepEqual([found.FirewallOpen, found.Ready], ["False FirewallDrops", "True Ready"]);
});

test("what the network loses and what the node itself has in the way have their conditions, and take readiness from nobody", () => {
  const pathTrouble = { reason: "LargePacketsLost", message: "x" } as const;
  const hostTrouble = { reason: "ConntrackFull", message: "y" } as const;
  const found = conditions({ pathTrouble, hostTrouble });
  const said = [found.PathsClear, found.HostSound, found.Ready];
  assert.deepEqual(said, ["False LargePacketsLost", "False ConntrackFull", "True Ready"]);
});

test("sharing connections has a condition of its own, and its trouble takes readiness from nobody", () => {
  const heard = conditions({ sharing: { reason: "Sharing", message: "" } });
  assert.equal(heard.ConnectionsShared, "True Sharing");
  const silent = conditions({ sharing: { reason: "SyncUnheard", message: "eth0" } });
  assert.deepEqual([silent.ConnectionsShared, silent.Ready], ["False SyncUnheard", "True Ready"]);
  const before = statusOf({ ...INPUT, sharing: { reason: "Sharing", message: "" } })
    .conditions as Condition[];
  assert.equal(conditions({ conditions: before }).ConnectionsShared, undefined, "nothing is shared any more");
});

test("who is told of owners has a condition of its own, which goes with the receiver", () => {
  const fine = { reason: "Told", message: "" } as const;
  assert.equal(conditions({ standing: fine }).ReceiverTold, "True Told");
  const found = conditions({ standing: { reason: "ReceiverRefused", message: "x" } });
  assert.deepEqual([found.ReceiverTold, found.Ready], ["False ReceiverRefused", "True Ready"]);
  const before = statusOf({ ...INPUT, standing: fine }).conditions as Condition[];
  assert.equal(conditions({ conditions: before }).ReceiverTold, undefined);
});

test("what nodes send by has a condition of its own, and its trouble takes readiness from nobody", () => {
  const asAsked = conditions({ tunnelling: { reason: "AsAsked", message: "" } });
  assert.equal(asAsked.TunnelAsAsked, "True AsAsked");
  const other = conditions({ tunnelling: { reason: "NotTaken", message: "n2" } });
  assert.deepEqual([other.TunnelAsAsked, other.Ready], ["False NotTaken", "True Ready"]);
  const before = statusOf({ ...INPUT, tunnelling: { reason: "AsAsked", message: "" } })
    .conditions as Condition[];
  assert.equal(conditions({ conditions: before }).TunnelAsAsked, undefined, "ipip is asked for again");
});
