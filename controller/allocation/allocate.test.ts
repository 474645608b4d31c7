/** One rule of allocation a case: what is there, what is asked for, what comes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import { Allocator } from "#controller/allocation/allocator.ts";
import { compilePool, PoolSet, type PoolSpec } from "#controller/allocation/pool.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import { addressesOf, DUAL, record } from "#controller/testing/records.ts";

interface Case {
  readonly name: string;
  readonly pools: Readonly<Record<string, PoolSpec>>;
  /** Pools whose configuration was refused. */
  readonly closed?: readonly string[];
  /** Settled before, in this order; each has a later creation time. */
  readonly others?: readonly Partial<ServiceRecord>[];
  readonly service?: Partial<ServiceRecord>;
  readonly gets: readonly string[];
  readonly refused?: readonly [reason: string, message: RegExp];
  /** What the Service lost, as words of the reason. */
  readonly lost?: RegExp;
}

const ADDRESS = ANNOTATION_ADDRESSES[0];
const POOL = ANNOTATION_POOL[0];
const KEY = ANNOTATION_SHARING_KEY[0];
const a = { addresses: ["10.0.0.0/24"] };
const dual = { addresses: ["10.0.0.0/24", "fd00::/64"] };
const has = (...ips: string[]) => ({ ingress: ips.map((ip) => ({ ip })) });

const CASES: readonly Case[] = [
  { name: "the lowest free address", pools: { a }, others: [{}, {}], gets: ["10.0.0.2"] },
  { name: "avoidBuggyIPs leaves out .0", pools: { a: { ...a, avoidBuggyIPs: true } }, gets: ["10.0.0.1"] },
  { name: "no pool at all", pools: {}, gets: [], refused: ["NoMatchingPool", /there is no AddressPool/] },
  {
    name: "autoAssign off gives nothing unasked",
    pools: { a: { ...a, autoAssign: false } },
    gets: [],
    refused: ["NoMatchingPool", /none of the 1 AddressPools/],
  },
  {
    name: "autoAssign off gives when the pool is asked for",
    pools: { a: { ...a, autoAssign: false } },
    service: { annotations: { [POOL]: "a" } },
    gets: ["10.0.0.0"],
  },
  {
    name: "autoAssign off gives when an address is asked for",
    pools: { a: { ...a, autoAssign: false } },
    service: { loadBalancerIp: "10.0.0.9" },
    gets: ["10.0.0.9"],
  },
  {
    name: "autoAssign switched off takes nothing away",
    pools: { a: { ...a, autoAssign: false } },
    service: has("10.0.0.7"),
    gets: ["10.0.0.7"],
  },
  {
    name: "a pool that is not there",
    pools: { a },
    service: { annotations: { [POOL]: "b" } },
    gets: [],
    refused: ["UnknownPool", /annotation genkan\.dev\/address-pool: there is no AddressPool "b"/],
  },
  {
    name: "priority: lower first",
    pools: {
      a: { ...a, serviceAllocation: { priority: 20 } },
      b: { addresses: ["10.1.0.0/24"], serviceAllocation: { priority: 10 } },
    },
    gets: ["10.1.0.0"],
  },
  {
    name: "priority 0 is last",
    pools: {
      a: { ...a, serviceAllocation: { priority: 0 } },
      b: { addresses: ["10.1.0.0/24"], serviceAllocation: { priority: 90 } },
    },
    gets: ["10.1.0.0"],
  },
  {
    name: "a pool with serviceAllocation that admits before one without",
    pools: { a, b: { addresses: ["10.1.0.0/24"], serviceAllocation: { namespaces: ["default"] } } },
    gets: ["10.1.0.0"],
  },
  {
    name: "a full pool is passed over",
    pools: {
      a: { addresses: ["10.0.0.0/32"], serviceAllocation: { priority: 1 } },
      b: { addresses: ["10.1.0.0/24"] },
    },
    others: [{}],
    gets: ["10.1.0.0"],
  },
  {
    name: "namespaces keep others out",
    pools: { a: { ...a, serviceAllocation: { namespaces: ["team"] } } },
    gets: [],
    refused: ["NoMatchingPool", /none/],
  },
  {
    name: "namespaces keep others out, asked for or not",
    pools: { a: { ...a, serviceAllocation: { namespaces: ["team"] } } },
    service: { annotations: { [POOL]: "a" } },
    gets: [],
    refused: ["PoolNotAllowed", /AddressPool "a": namespace "default" is neither in/],
  },
  {
    name: "serviceSelectors by label",
    pools: {
      a: {
        ...a,
        serviceAllocation: {
          serviceSelectors: [{ matchExpressions: [{ key: "tier", operator: "In", values: ["web"] }] }],
        },
      },
    },
    service: { labels: { tier: "web" } },
    gets: ["10.0.0.0"],
  },
  {
    name: "namespaceSelectors by the namespace's labels",
    pools: { a: { ...a, serviceAllocation: { namespaceSelectors: [{ matchLabels: { team: "x" } }] } } },
    gets: ["10.0.0.0"],
  },
  {
    name: "labels that change re-home",
    pools: {
      a: { ...a, serviceAllocation: { serviceSelectors: [{ matchLabels: { tier: "web" } }] } },
      b: { addresses: ["10.1.0.0/24"] },
    },
    service: has("10.0.0.3"),
    gets: ["10.1.0.0"],
    lost: /no selector/,
  },
  {
    name: "an address in no pool",
    pools: { a },
    service: { loadBalancerIp: "10.9.0.1" },
    gets: [],
    refused: ["AddressNotInPool", /spec\.loadBalancerIP: 10\.9\.0\.1 is in no AddressPool/],
  },
  {
    name: "an address that avoidBuggyIPs leaves out",
    pools: { a: { ...a, avoidBuggyIPs: true } },
    service: { loadBalancerIp: "10.0.0.255" },
    gets: [],
    refused: ["AddressAvoided", /10\.0\.0\.255 is not given: AddressPool "a" has spec\.avoidBuggyIPs/],
  },
  {
    name: "an address of another pool than asked for",
    pools: { a, b: { addresses: ["10.1.0.0/24"] } },
    service: { loadBalancerIp: "10.0.0.1", annotations: { [POOL]: "b" } },
    gets: [],
    refused: ["AddressNotInPool", /is in AddressPool "a", annotation .* asks for "b"/],
  },
  {
    name: "an address that somebody has",
    pools: { a },
    others: [{ loadBalancerIp: "10.0.0.9" }],
    service: { annotations: { [ADDRESS]: "10.0.0.9" } },
    gets: [],
    refused: ["AddressInUse", /10\.0\.0\.9 is held by Service default\/other0, which has no sharing key/],
  },
  {
    name: "a refused request clears the old address",
    pools: { a },
    others: [{ loadBalancerIp: "10.0.0.9" }],
    service: { ...has("10.0.0.5"), annotations: { [ADDRESS]: "10.0.0.9" } },
    gets: [],
    refused: ["AddressInUse", /./],
    lost: /asks for 10\.0\.0\.9 instead of 10\.0\.0\.5/,
  },
  {
    name: "another request moves",
    pools: { a },
    service: { ...has("10.0.0.5"), loadBalancerIp: "10.0.0.6" },
    gets: ["10.0.0.6"],
    lost: /instead of/,
  },
  {
    name: "two addresses of one pool",
    pools: { dual },
    service: {
      families: DUAL,
      familyPolicy: "RequireDualStack",
      annotations: { [ADDRESS]: "fd00::5,10.0.0.5" },
    },
    gets: ["10.0.0.5", "fd00::5"],
  },
  {
    name: "two addresses of two pools",
    pools: { a, six: { addresses: ["fd00::/64"] } },
    service: {
      families: DUAL,
      familyPolicy: "RequireDualStack",
      annotations: { [ADDRESS]: "fd00::5,10.0.0.5" },
    },
    gets: [],
    refused: ["AddressNotInPool", /both must be of one pool/],
  },
  {
    name: "one address asked for, the other family from its pool",
    pools: { dual, six: { addresses: ["fd01::/64"], serviceAllocation: { priority: 1 } } },
    service: { families: DUAL, familyPolicy: "RequireDualStack", loadBalancerIp: "10.0.0.5" },
    gets: ["10.0.0.5", "fd00::1"],
  },
  {
    name: "RequireDualStack takes both from one pool",
    pools: { a, both: { addresses: ["10.1.0.0/24", "fd00::/64"] } },
    service: { families: DUAL, familyPolicy: "RequireDualStack" },
    gets: ["10.1.0.0", "fd00::1"],
  },
  {
    name: "RequireDualStack has nothing without such a pool",
    pools: { a, six: { addresses: ["fd00::/64"] } },
    service: { families: DUAL, familyPolicy: "RequireDualStack" },
    gets: [],
    refused: ["FamilyNotInPool", /AddressPool "a" has IPv4 addresses, the Service needs IPv6/],
  },
  {
    name: "PreferDualStack takes both where a pool has both",
    pools: { a, both: { addresses: ["10.1.0.0/24", "fd00::/64"] } },
    service: { families: DUAL, familyPolicy: "PreferDualStack" },
    gets: ["10.1.0.0", "fd00::1"],
  },
  {
    name: "PreferDualStack takes its first family where none has both",
    pools: { a, six: { addresses: ["fd00::/64"] } },
    service: { families: ["IPv6", "IPv4"], familyPolicy: "PreferDualStack" },
    gets: ["fd00::1"],
  },
  {
    name: "dual stack split over two pools stays",
    pools: { a, six: { addresses: ["fd00::/64"] } },
    service: { families: DUAL, familyPolicy: "RequireDualStack", ...has("10.0.0.4", "fd00::4") },
    gets: ["10.0.0.4", "fd00::4"],
  },
  {
    name: "a second family is added beside the first",
    pools: { dual },
    service: { families: DUAL, familyPolicy: "RequireDualStack", ...has("10.0.0.4") },
    gets: ["10.0.0.4", "fd00::1"],
  },
  {
    name: "a family that is no longer asked for goes",
    pools: { dual },
    service: has("10.0.0.4", "fd00::4"),
    gets: ["10.0.0.4"],
    lost: /fd00::4 is IPv6, the Service's spec\.ipFamilies are IPv4/,
  },
  {
    name: "IPv6 where no pool has any",
    pools: { a },
    service: { families: ["IPv6"] },
    gets: [],
    refused: ["FamilyNotInPool", /has IPv4 addresses, the Service needs IPv6/],
  },
  {
    name: "an exhausted pool",
    pools: { a: { addresses: ["10.0.0.0/32"] } },
    others: [{}],
    gets: [],
    refused: ["PoolExhausted", /AddressPool "a": no free IPv4 address/],
  },
  {
    name: "equal keys and different ports share",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { annotations: { [KEY]: "k" }, ports: ["TCP/443"] },
    gets: ["10.0.0.0"],
  },
  {
    name: "the same port as UDP is another port",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { annotations: { [KEY]: "k" }, ports: ["UDP/80"] },
    gets: ["10.0.0.0"],
  },
  {
    name: "equal keys and one port do not share",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { annotations: { [KEY]: "k" } },
    gets: ["10.0.0.1"],
  },
  {
    name: "other keys do not share",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { annotations: { [KEY]: "l" }, ports: ["TCP/443"] },
    gets: ["10.0.0.1"],
  },
  {
    name: "no key never shares",
    pools: { a: { addresses: ["10.0.0.0/32"] } },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { ports: ["TCP/443"] },
    gets: [],
    refused: ["PoolExhausted", /./],
  },
  {
    name: "asked for a shared address without a key",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { ports: ["TCP/443"], loadBalancerIp: "10.0.0.0" },
    gets: [],
    refused: ["AddressInUse", /is held by Service default\/other0 and this Service has no sharing key/],
  },
  {
    name: "asked for a taken port of a shared address",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" } }],
    service: { annotations: { [KEY]: "k" }, loadBalancerIp: "10.0.0.0" },
    gets: [],
    refused: ["SharingConflict", /port TCP\/80 of 10\.0\.0\.0 is held by Service default\/other0/],
  },
  {
    name: "policy Local shares with the same selector",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" }, isLocal: true, selector: { app: "x" } }],
    service: { annotations: { [KEY]: "k" }, isLocal: true, selector: { app: "x" }, ports: ["TCP/443"] },
    gets: ["10.0.0.0"],
  },
  {
    name: "policy Local does not share with another selector",
    pools: { a },
    others: [{ annotations: { [KEY]: "k" }, isLocal: true, selector: { app: "x" } }],
    service: {
      annotations: { [KEY]: "k" },
      isLocal: true,
      selector: { app: "y" },
      ports: ["TCP/443"],
      loadBalancerIp: "10.0.0.0",
    },
    gets: [],
    refused: ["SharingConflict", /externalTrafficPolicy Local/],
  },
  {
    name: "an invalid pool gives nothing",
    pools: { a },
    closed: ["a"],
    gets: [],
    refused: ["NoMatchingPool", /condition Valid/],
  },
  {
    name: "an invalid pool gives nothing when asked",
    pools: { a },
    closed: ["a"],
    service: { annotations: { [POOL]: "a" } },
    gets: [],
    refused: ["InvalidPool", /AddressPool "a" is not valid/],
  },
  {
    name: "an invalid pool takes nothing away",
    pools: { a },
    closed: ["a"],
    service: has("10.0.0.4"),
    gets: ["10.0.0.4"],
  },
  {
    name: "an address that MetalLB gave is adopted",
    pools: { a },
    service: has("10.0.0.44"),
    gets: ["10.0.0.44"],
  },
  {
    name: "of two that claim one address the older keeps it",
    pools: { a },
    others: [has("10.0.0.4")],
    service: has("10.0.0.4"),
    gets: ["10.0.0.0"],
    lost: /is held by Service default\/other0/,
  },
  {
    name: "a Service that is being deleted keeps, and gets nothing",
    pools: { a },
    service: { isTerminating: true },
    gets: [],
  },
];

for (const each of CASES) {
  test(each.name, () => {
    const pools = Object.entries(each.pools).map(([name, spec]) =>
      compilePool(name, spec, each.closed?.includes(name) !== true),
    );
    const allocator = new Allocator();
    const set = new PoolSet(pools, () => ({ team: "x" }));
    allocator.rebuild({ pools: set, loadBalancerClass: undefined }, []);
    for (const [at, other] of (each.others ?? []).entries()) {
      allocator.update([[`default/other${at}`, record(`other${at}`, other)]]);
    }
    const service = record("subject", { createdAt: "2026-02-01T00:00:00Z", ...each.service });
    allocator.update([[service.key, service]]);
    const outcome = allocator.outcome(service.key);
    assert.deepEqual(addressesOf(outcome), each.gets);
    assert.equal(outcome?.refusal?.reason, each.refused?.[0]);
    if (each.refused !== undefined) assert.match(outcome?.refusal?.message ?? "", each.refused[1]);
    const lost = outcome?.lost.map(({ refusal }) => refusal.message).join("; ") ?? "";
    assert.match(lost, each.lost ?? /^$/);
  });
}
