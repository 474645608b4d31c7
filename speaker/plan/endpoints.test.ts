/** From a Service and its EndpointSlices to what this node (n1) forwards to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoint, NAMES, service, slice, state, view, type World } from "#test/fakes/speaker-view.ts";
import type { ServiceView, SliceView } from "../known/view.ts";
import { endpointsOf } from "./endpoints.ts";
import { Planner } from "./plan.ts";

const starting = { isReady: false, isServing: false };
const unready = { isReady: false, isServing: true };
const draining = { isReady: false, isServing: true, isTerminating: true };
const dying = { isReady: false, isServing: false, isTerminating: true };
const UDP = { ports: [{ name: "http", protocol: "UDP" as const, port: 80 }], ids: { "IPv4/UDP/80": 7 } };
const udpSlice = { ports: [{ name: "http", protocol: "UDP", port: 8080 }] };

/** Of each port: `address port`, with `!` where it gets no new connections and `*` where it is reached by source NAT. */
function planned(slices: readonly SliceView[], of: Partial<ServiceView> = {}, world: World = {}): string[][] {
  const { ports } = new Planner().plan(view({ services: [service(of)], slices, ...world }));
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
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2")])], {}, { live: ["n1", "n3"], dead: ["n2"] }),
    [["10.244.0.1 8080", "10.244.0.2 8080!"]],
  ],
  [
    "all nodes of the pods are silent: all serve",
    planned([slice([endpoint(1, "n1"), endpoint(2, "n2")])], {}, { live: ["n3"], dead: ["n1", "n2"] }),
    [["10.244.0.1 8080", "10.244.0.2 8080"]],
  ],
  [
    "a node without a speaker cannot answer clients itself; this one can",
    planned(
      [slice([endpoint(1, "n1"), endpoint(2, "n2")])],
      {},
      { states: { n1: state("n1"), n3: state("n3") } },
    ),
    [["10.244.0.1 8080", "10.244.0.2 8080*"]],
  ],
  [
    "publishNotReadyAddresses: who the slice says is ready is, whatever else it says",
    planned([slice([endpoint(1, "n1", { isServing: false, isTerminating: true })])]),
    [["10.244.0.1 8080"]],
  ],
  [
    "of a Service without selector, endpoints that are on no node: with this node's address as source",
    planned([slice([endpoint(1, ""), endpoint(2, "")])]),
    [["10.244.0.1 8080*", "10.244.0.2 8080*"]],
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
      {
        states: {
          ...Object.fromEntries(NAMES.map((name) => [name, state(name)])),
          n1: state("n1", { links: [{ name: "eth0", prefixes: ["10.244.0.9/24"] }] }),
        },
      },
    ),
    [["10.244.0.1 8080"]],
  ],
];
for (const [what, found, wanted] of CASES) test(what, () => assert.deepEqual(found, wanted));

test("a family whose ranges are not named is open", () => {
  const of = { vips: ["172.30.0.200", "fd30::200"], sourceRanges: { IPv4: ["10.0.0.0/8"], IPv6: [] } };
  const { ports } = new Planner().plan(view({ services: [service(of)] }));
  assert.deepEqual(
    ports.map(({ sourceRanges }) => sourceRanges),
    [["10.0.0.0/8"], undefined],
  );
});

test("a Service may have more endpoints than one slice holds", () => {
  const slices = Array.from({ length: 3 }, (_, part) =>
    slice(
      Array.from({ length: 1_000 }, (_, at) =>
        endpoint(1, "n1", { address: `10.24${part}.${at >> 8}.${at & 255}` }),
      ),
    ),
  );
  assert.equal(planned(slices)[0]?.length, 3_000);
});

test("the nodes with a usable endpoint, by family, and how many these have", () => {
  const slices = [
    slice([endpoint(1, "n1"), endpoint(2, "n2", unready), endpoint(3, "n3"), endpoint(4, "n3")]),
    slice([endpoint(1, "n2", { address: "fd44::1" })], { family: "IPv6" }),
  ];
  const { usableNodes } = endpointsOf(service({ vips: ["172.30.0.200", "fd30::200"] }), slices, new Map());
  assert.deepEqual(usableNodes, {
    IPv4: new Map([
      ["n1", 1],
      ["n3", 2],
    ]),
    IPv6: new Map([["n2", 1]]),
  });
});
