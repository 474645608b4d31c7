import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoint, service, slice } from "#test/fakes/speaker-view.ts";
import type { ServiceView, SliceView } from "../known/view.ts";
import { type Broadcasts, endpointsOf, type ServiceEndpoints } from "./endpoints.ts";
import { type ForwardedService, type ForwardingContext, forwardService } from "./forward.ts";

type Context = ForwardingContext & { readonly broadcasts: Broadcasts };

const CONTEXT: Context = {
  node: "n1",
  scheduler: "mh",
  forwardingNodes: new Set(["n1", "n2", "n3"]),
  deadNodes: new Set(),
  broadcasts: new Map(),
};

function forwarded(
  of: Partial<ServiceView>,
  slices: readonly SliceView[],
  context: Context,
): { readonly found: ServiceEndpoints; readonly plan: ForwardedService } {
  const found = endpointsOf(service(of), slices, context.broadcasts);
  return { found, plan: forwardService(found, context) };
}

const starting = { isReady: false, isServing: false };
const unready = { isReady: false, isServing: true };
const draining = { isReady: false, isServing: true, isTerminating: true };
const dying = { isReady: false, isServing: false, isTerminating: true };
const UDP = { ports: [{ name: "http", protocol: "UDP" as const, port: 80 }], ids: { "IPv4/UDP/80": 7 } };
const udpSlice = { ports: [{ name: "http", protocol: "UDP", port: 8080 }] };

/** Of each port: `address port`, with `!` where it gets no new connections and `*` where it is reached by source NAT. */
function planned(
  slices: readonly SliceView[],
  of: Partial<ServiceView> = {},
  context: Partial<Context> = {},
): string[][] {
  const { ports } = forwarded(of, slices, { ...CONTEXT, ...context }).plan;
  return ports.map(({ endpoints }) =>
    endpoints.map(
      (one) => `${one.address} ${one.port}${one.isServing ? "" : "!"}${one.returnPath === "snat" ? "*" : ""}`,
    ),
  );
}

const CASES: readonly (readonly [what: string, found: readonly string[][], wanted: readonly string[][]])[] = [
  [
    "ready ones, sorted",
    planned([slice([endpoint(2, "n2"), endpoint(1, "n1")])]),
    [["10.244.0.1 8080", "10.244.0.2 8080"]],
  ],
  [
    "of twins in two slices the ready one counts, whichever comes first",
    [
      ...planned([slice([endpoint(1, "n1", draining)]), slice([endpoint(1, "n1"), endpoint(2, "n2")])]),
      ...planned([slice([endpoint(1, "n1"), endpoint(2, "n2")]), slice([endpoint(1, "n1", draining)])]),
    ],
    [
      ["10.244.0.1 8080", "10.244.0.2 8080"],
      ["10.244.0.1 8080", "10.244.0.2 8080"],
    ],
  ],
  [
    "TCP: who is not ready any more keeps what it has beside a ready one",
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2", unready), endpoint(3, "n3", draining)])]),
    [["10.244.0.1 8080", "10.244.0.2 8080!", "10.244.0.3 8080!"]],
  ],
  [
    "UDP: who is not ready any more is gone, unless it terminates and serves",
    planned(
      [
        slice(
          [
            endpoint(1, "n1"),
            endpoint(2, "n2", unready),
            endpoint(3, "n3", draining),
            endpoint(4, "n3", dying),
          ],
          udpSlice,
        ),
      ],
      UDP,
    ),
    [["10.244.0.1 8080", "10.244.0.3 8080!"]],
  ],
  [
    "where none is ready, one that terminates and still serves is used",
    planned([slice([endpoint(1, "n1", draining), endpoint(2, "n2", starting)])]),
    [["10.244.0.1 8080", "10.244.0.2 8080!"]],
  ],
  ["one that terminates and serves no more is not used", planned([slice([endpoint(1, "n1", dying)])]), [[]]],
  ["one that never was ready is not used", planned([slice([endpoint(1, "n1", unready)])]), [[]]],
  [
    "the pods of a silent node get no new connections while others are left",
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2")])], {}, { deadNodes: new Set(["n2"]) }),
    [["10.244.0.1 8080", "10.244.0.2 8080!"]],
  ],
  [
    "all nodes of the pods are silent: all serve",
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2")])], {}, { deadNodes: new Set(["n1", "n2"]) }),
    [["10.244.0.1 8080", "10.244.0.2 8080"]],
  ],
  [
    "a node without a speaker cannot answer clients itself; this one can",
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2")])], {}, { forwardingNodes: new Set() }),
    [["10.244.0.1 8080", "10.244.0.2 8080*"]],
  ],
  [
    "a port is one of its name and its protocol",
    planned([
      slice([endpoint(1, "n1")], { ports: [{ name: "http", protocol: "UDP", port: 53 }] }),
      slice([endpoint(2, "n1")], { ports: [{ name: "metrics", protocol: "TCP", port: 9090 }] }),
      slice([endpoint(3, "n1")]),
    ]),
    [["10.244.0.3 8080"]],
  ],
  [
    "each family has the endpoints of its own slices",
    planned(
      [slice([endpoint(1, "n1")]), slice([endpoint(1, "n1", { address: "fd44::1" })], { family: "IPv6" })],
      {
        vips: ["172.30.0.200", "fd30::200"],
      },
    ),
    [["10.244.0.1 8080"], ["fd44::1 8080"]],
  ],
  [
    "a broadcast address of a link here is nobody's",
    planned(
      [slice([endpoint(1, "n1"), endpoint(255, "n2")])],
      {},
      { broadcasts: new Map([["10.244.0.255", "10.244.0.0/24"]]) },
    ),
    [["10.244.0.1 8080"]],
  ],
];
for (const [what, found, wanted] of CASES) test(what, () => assert.deepEqual(found, wanted));

test("a family whose ranges are not named is open", () => {
  const of = { vips: ["172.30.0.200", "fd30::200"], sourceRanges: { IPv4: ["10.0.0.0/8"], IPv6: [] } };
  const { ports } = forwarded(of, [], CONTEXT).plan;
  assert.deepEqual(
    ports.map(({ sourceRanges }) => sourceRanges),
    [["10.0.0.0/8"], undefined],
  );
});

test("the nodes with a usable endpoint, by family, and the endpoints behind source NAT", () => {
  const slices = [
    slice([endpoint(1, "n1"), endpoint(2, "n2", unready), endpoint(3, "n3")]),
    slice([endpoint(1, "n2", { address: "fd44::1" })], { family: "IPv6" }),
  ];
  const of = { vips: ["172.30.0.200", "fd30::200"] };
  const { found, plan } = forwarded(of, slices, { ...CONTEXT, forwardingNodes: new Set(["n1", "n2"]) });
  assert.deepEqual(found.usableNodes, { IPv4: new Set(["n1", "n3"]), IPv6: new Set(["n2"]) });
  assert.equal(plan.translated, 1);
});
