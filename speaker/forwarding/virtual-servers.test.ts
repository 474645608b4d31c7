import assert from "node:assert/strict";
import { test } from "node:test";
import { METHOD, type Operation, type ReadDestination } from "#speaker/netlink/ipvs.ts";
import { keyOfServer, type ServerKey } from "./server-key.ts";
import type { RealServer, VirtualServer } from "./types.ts";
import { differServers, isAsWanted, type PresentServer } from "./virtual-servers.ts";

const real = (address: string, weight = 1): RealServer => ({
  address,
  port: 80,
  forwarding: "tunnel",
  weight,
});
const server = (...realServers: RealServer[]): VirtualServer => ({
  mark: 0x1001,
  family: "IPv4",
  scheduler: "mh",
  flags: 0x18,
  realServers,
});
const read = (one: RealServer): ReadDestination => ({
  address: one.address,
  port: one.port,
  method: METHOD.tunnel,
  weight: one.weight,
  activeConnections: 0,
  inactiveConnections: 0,
});
const present = (one: VirtualServer, scheduler = one.scheduler): Map<ServerKey, PresentServer> => {
  const service = { family: 2, mark: one.mark, scheduler, flags: one.flags };
  return new Map([[keyOfServer(one), { service, destinations: one.realServers.map(read) }]]);
};

/** As few words as tell one operation from any other. */
function wordsOf(operation: Operation): string {
  switch (operation.kind) {
    case "removeService":
      return `remove ${operation.service.mark}`;
    case "addService":
    case "editService": {
      const { mark, scheduler, flags } = operation.service;
      return `${operation.kind} ${mark} ${scheduler} flags ${flags}`;
    }
    case "removeDestination":
      return `remove ${operation.destination.address} of ${operation.service.mark}`;
    case "addDestination":
    case "editDestination": {
      const { address, port, method, weight } = operation.destination;
      return `${operation.kind} ${address} ${port} method ${method} weight ${weight} of ${operation.service.mark}`;
    }
  }
}

interface Case {
  readonly what: string;
  readonly wanted: readonly VirtualServer[];
  readonly present: ReadonlyMap<ServerKey, PresentServer>;
  readonly add: readonly string[];
  readonly remove?: readonly string[];
}
const [a, b] = [real("10.1.0.1"), real("10.1.0.2")];
const CASES: readonly Case[] = [
  { what: "as wanted: nothing", wanted: [server(a, b)], present: present(server(b, a)), add: [] },
  {
    what: "a new one is filled before its scheduler builds a table",
    wanted: [server(a)],
    present: new Map(),
    add: [
      "addService 4097 none flags 24",
      "addDestination 10.1.0.1 80 method 2 weight 1 of 4097",
      "editService 4097 mh flags 24",
    ],
  },
  {
    what: "a draining one comes with a weight first, so that it has its place in the table",
    wanted: [server(a, real("10.1.0.2", 0))],
    present: present(server(a)),
    add: [
      "addDestination 10.1.0.2 80 method 2 weight 1 of 4097",
      "editDestination 10.1.0.2 80 method 2 weight 0 of 4097",
    ],
  },
  {
    what: "another weight is edited, never removed and added",
    wanted: [server(real("10.1.0.1", 0))],
    present: present(server(a)),
    add: ["editDestination 10.1.0.1 80 method 2 weight 0 of 4097"],
  },
  {
    what: "another way to it is edited",
    wanted: [server({ ...a, forwarding: "masquerade" })],
    present: present(server(a)),
    add: ["editDestination 10.1.0.1 80 method 0 weight 1 of 4097"],
  },
  {
    what: "one that is gone goes by itself",
    wanted: [server(a)],
    present: present(server(a, b)),
    add: [],
    remove: ["remove 10.1.0.2 of 4097"],
  },
  {
    what: "one left half filled gets its scheduler",
    wanted: [server(a)],
    present: present(server(a), "none"),
    add: ["editService 4097 mh flags 24"],
  },
  {
    what: "another scheduler, and other flags, are edited",
    wanted: [{ ...server(a), scheduler: "rr", flags: 0 }],
    present: present(server(a)),
    add: ["editService 4097 rr flags 0"],
  },
  {
    what: "a service that is not wanted goes whole",
    wanted: [],
    present: present(server(a, b)),
    add: [],
    remove: ["remove 4097"],
  },
];
for (const one of CASES) {
  test(one.what, () => {
    const wanted = new Map(one.wanted.map((each) => [keyOfServer(each), each]));
    const difference = differServers(wanted, one.present);
    assert.deepEqual(
      difference.add.map(({ operation }) => wordsOf(operation)),
      one.add,
    );
    assert.deepEqual(
      difference.remove.map(({ operation }) => wordsOf(operation)),
      one.remove ?? [],
    );
    const [[key, should] = []] = wanted;
    const there = key === undefined ? undefined : one.present.get(key);
    if (should !== undefined && there !== undefined)
      assert.equal(isAsWanted(should, there), one.add.length + (one.remove ?? []).length === 0);
  });
}

test("thresholds are set, and taken away where nobody asks for them", () => {
  const limited = server({ ...real("10.0.0.1"), thresholds: { upper: 9, lower: 3 } });
  const unlimited = server(real("10.0.0.1"));
  const wanted = (one: VirtualServer) => new Map([[keyOfServer(one), one]]);
  const found = (one: VirtualServer, changes: Partial<ReadDestination>) => {
    const [[key, { service, destinations }] = assert.fail()] = present(one);
    return new Map([
      [key, { service, destinations: destinations.map((other) => ({ ...other, ...changes })) }],
    ]);
  };
  const edits = (one: VirtualServer, changes: Partial<ReadDestination>) =>
    differServers(wanted(one), found(one, changes)).add.map(({ operation }) =>
      operation.kind === "editDestination"
        ? [operation.destination.upperThreshold, operation.destination.lowerThreshold]
        : operation.kind,
    );
  assert.deepEqual(edits(limited, {}), [[9, 3]]);
  assert.deepEqual(edits(limited, { upperThreshold: 9, lowerThreshold: 3 }), []);
  assert.deepEqual(edits(limited, { upperThreshold: 9, lowerThreshold: 4 }), [[9, 3]]);
  assert.deepEqual(edits(unlimited, { upperThreshold: 9, lowerThreshold: 3 }), [[undefined, undefined]]);
  assert.deepEqual(edits(unlimited, {}), []);
});

test("who has weight 0 is given its other weight first, once, whatever it had", () => {
  const wanted = (one: VirtualServer) => new Map([[keyOfServer(one), one]]);
  const weighed = server({ ...real("10.0.0.1", 0), lastWeight: 3 });
  const plain = server(real("10.0.0.1", 0));
  /** What is asked for, and what is there after it. */
  const after = (one: VirtualServer, found: Partial<ReadDestination> | undefined) => {
    const [[key, { service, destinations }] = assert.fail()] = present(one);
    const there = found === undefined ? [] : destinations.map((other) => ({ ...other, ...found }));
    const { add } = differServers(wanted(one), new Map([[key, { service, destinations: there }]]));
    const asked = add.flatMap(({ operation }) =>
      operation.kind === "addDestination" || operation.kind === "editDestination"
        ? [operation.destination]
        : [],
    );
    return { weights: asked.map(({ weight }) => weight), last: asked.at(-1) };
  };
  const cases: readonly [VirtualServer, Partial<ReadDestination> | undefined, readonly number[]][] = [
    [weighed, undefined, [3, 0]],
    [weighed, { weight: 0 }, [3, 0]],
    [weighed, { weight: 3 }, [0]],
    [weighed, { weight: 7 }, [3, 0]],
    [plain, { weight: 3 }, [1, 0]],
    [plain, { weight: 1 }, [0]],
    [plain, { weight: 0 }, []],
  ];
  for (const [one, found, weights] of cases) {
    const { weights: asked, last } = after(one, found);
    assert.deepEqual(asked, weights, JSON.stringify(found));
    // It is known from what is there.
    if (last !== undefined) assert.deepEqual(after(one, last).weights, []);
  }
  const { last } = after(weighed, undefined);
  assert.deepEqual(after(plain, last).weights, [1, 0]);
});
