import assert from "node:assert/strict";
import { test } from "node:test";
import { isNews, type StatusInput, statusOf } from "./status.ts";

const COUNTS = {
  virtualServers: 2,
  realServers: 8,
  routes: 1,
  elements: 4,
  netlinkMessagesWritten: 9,
  passes: 1,
  repairs: 0,
};
const INPUT: StatusInput = {
  node: "n1",
  build: "v1",
  generation: 3,
  role: "Active",
  mode: "IPVS",
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
  links: [{ name: "eth0", index: 2, hardware: "02000000000a", isUp: true, prefixes: ["172.30.0.1/24"] }],
  counts: COUNTS,
  lastWrites: 12,
  translated: 0,
  forwardingTrouble: undefined,
  announcingTrouble: undefined,
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
    AnnouncingReady: "True Announcing",
    ForwardingReady: "True Programmed",
    Ready: "True Ready",
    Removed: "False InUse",
  });
  const noIpvs = { reason: "IpvsUnavailable", message: "the kernel has no ip_vs" };
  assert.deepEqual(conditions({ forwardingTrouble: noIpvs }), {
    AnnouncingReady: "True Announcing",
    ForwardingReady: "False IpvsUnavailable",
    Ready: "False IpvsUnavailable",
    Removed: "False InUse",
  });
  assert.equal(conditions({ announcingTrouble: { reason: "NoLink", message: "" } }).Ready, "False NoLink");
  assert.equal(conditions({ translated: 3 }).ForwardingReady, "True SourceTranslated");
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
