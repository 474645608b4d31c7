/** What IPVS is asked for, value by value: the weights, flags and methods that a request's name does not say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DestinationTunnel, METHOD, type Operation } from "#speaker/netlink/ipvs.ts";
import { destinationTunnel } from "./encapsulation.ts";
import { keyOfServer, type ServerKey, serverKey } from "./server-key.ts";
import type { RealServer, VirtualServer } from "./types.ts";
import { differServers, type PresentServer } from "./virtual-servers.ts";

const FAMILY = { IPv4: 2, IPv6: 10 } as const;
const METHODS: Readonly<Record<number, string>> = {
  [METHOD.tunnel]: "tunnel",
  [METHOD.masquerade]: "masquerade",
  [METHOD.direct]: "direct",
};

function wordsOf(operation: Operation): string {
  const { family, mark } = operation.service;
  switch (operation.kind) {
    case "addService":
    case "editService": {
      const { scheduler, flags } = operation.service;
      return `${operation.kind === "addService" ? "add" : "edit"} ${family}/${mark} ${scheduler} flags ${flags}`;
    }
    case "removeService":
      return `remove ${family}/${mark}`;
    case "addDestination":
    case "editDestination": {
      const { address, port, method, weight, tunnel } = operation.destination;
      const verb = operation.kind === "addDestination" ? "add" : "edit";
      const by =
        tunnel === undefined ? "" : ` by ${tunnel.type} port ${tunnel.port} checksum ${tunnel.checksum}`;
      return `${verb} ${family}/${mark} ${address} ${port} ${METHODS[method]}${by} weight ${weight}`;
    }
    case "removeDestination":
      return `remove ${family}/${mark} ${operation.destination.address}`;
  }
}

const real = (address: string, changes: Partial<RealServer> = {}): RealServer => ({
  address,
  port: 8080,
  forwarding: "tunnel",
  weight: 1,
  ...changes,
});
const server = (realServers: readonly RealServer[], changes: Partial<VirtualServer> = {}): VirtualServer => ({
  mark: 7,
  family: "IPv4",
  scheduler: "mh",
  flags: 0x18,
  realServers,
  ...changes,
});
const byTunnel = (tunnel: DestinationTunnel | undefined) => (tunnel === undefined ? {} : { tunnel });
const present = (one: VirtualServer): [ServerKey, PresentServer] => {
  const { mark, scheduler, flags } = one;
  const service = { family: FAMILY[one.family], mark, scheduler, flags };
  const destinations = one.realServers.map(({ address, port, forwarding, weight, tunnel }) => ({
    address,
    port,
    method: METHOD[forwarding],
    weight,
    ...byTunnel(destinationTunnel(one.family, tunnel)),
    activeConnections: 0,
    inactiveConnections: 0,
  }));
  return [serverKey(service.family, mark), { service, destinations }];
};

const one = real("10.1.0.1");
const CASES: readonly {
  readonly what: string;
  readonly wanted: VirtualServer;
  readonly before?: VirtualServer;
  readonly asked: readonly string[];
}[] = [
  {
    what: "new: filled under no scheduler, then with its own, flags from the beginning",
    wanted: server([one, real("10.1.0.2", { forwarding: "masquerade" })]),
    asked: [
      "add 2/7 none flags 24",
      "add 2/7 10.1.0.1 8080 tunnel weight 1",
      "add 2/7 10.1.0.2 8080 masquerade weight 1",
      "edit 2/7 mh flags 24",
    ],
  },
  {
    what: "new, of IPv6, and one of its pods drains: mh keeps its place by a weight above 0",
    wanted: server([real("fd44::1", { weight: 0 })], { family: "IPv6", flags: 8 }),
    asked: [
      "add 10/7 none flags 8",
      "add 10/7 fd44::1 8080 tunnel weight 1",
      "edit 10/7 fd44::1 8080 tunnel weight 0",
      "edit 10/7 mh flags 8",
    ],
  },
  {
    what: "a draining pod more: by a weight above 0, too",
    wanted: server([one, real("10.1.0.2", { weight: 0 })]),
    before: server([one]),
    asked: ["add 2/7 10.1.0.2 8080 tunnel weight 1", "edit 2/7 10.1.0.2 8080 tunnel weight 0"],
  },
  {
    what: "a pod drains, and serves again",
    wanted: server([real("10.1.0.1", { weight: 0 }), real("10.1.0.2")]),
    before: server([one, real("10.1.0.2", { weight: 0 })]),
    asked: ["edit 2/7 10.1.0.1 8080 tunnel weight 0", "edit 2/7 10.1.0.2 8080 tunnel weight 1"],
  },
  {
    what: "a pod is reached in another way",
    wanted: server([real("10.1.0.1", { forwarding: "masquerade" })]),
    before: server([one]),
    asked: ["edit 2/7 10.1.0.1 8080 masquerade weight 1"],
  },
  {
    what: "pods of other nodes by GRE, by UDP, and as it is; UDP has a checksum in IPv6 alone",
    wanted: server([
      real("10.1.0.1", { tunnel: "gre" }),
      real("10.1.0.2", { tunnel: "gue" }),
      real("10.1.0.3", { forwarding: "direct" }),
    ]),
    before: server([]),
    asked: [
      "add 2/7 10.1.0.1 8080 tunnel by 2 port 0 checksum 0 weight 1",
      "add 2/7 10.1.0.2 8080 tunnel by 1 port 7476 checksum 0 weight 1",
      "add 2/7 10.1.0.3 8080 direct weight 1",
    ],
  },
  {
    what: "the same in IPv6",
    wanted: server([real("fd44::1", { tunnel: "gue" })], { family: "IPv6" }),
    before: server([], { family: "IPv6" }),
    asked: ["add 10/7 fd44::1 8080 tunnel by 1 port 7476 checksum 1 weight 1"],
  },
  {
    what: "another tunnel is an edit, and so is the way back to ipip; the same one is none",
    wanted: server([one, real("10.1.0.2", { tunnel: "gue" }), real("10.1.0.3", { tunnel: "gre" })]),
    before: server([
      real("10.1.0.1", { tunnel: "gre" }),
      real("10.1.0.2"),
      real("10.1.0.3", { tunnel: "gre" }),
    ]),
    asked: [
      "edit 2/7 10.1.0.1 8080 tunnel weight 1",
      "edit 2/7 10.1.0.2 8080 tunnel by 1 port 7476 checksum 0 weight 1",
    ],
  },
  {
    what: "other flags alone: affinity was turned on",
    wanted: server([one], { flags: 8 }),
    before: server([one]),
    asked: ["edit 2/7 mh flags 8"],
  },
  {
    what: "another scheduler alone",
    wanted: server([one], { scheduler: "rr", flags: 0 }),
    before: server([one], { flags: 0 }),
    asked: ["edit 2/7 rr flags 0"],
  },
  {
    what: "another port of the same address is another server",
    wanted: server([real("10.1.0.1", { port: 9090 })]),
    before: server([one]),
    asked: ["add 2/7 10.1.0.1 9090 tunnel weight 1", "remove 2/7 10.1.0.1"],
  },
];
for (const { what, wanted, before, asked } of CASES) {
  test(what, () => {
    const { add, remove } = differServers(
      new Map([[keyOfServer(wanted), wanted]]),
      new Map(before === undefined ? [] : [present(before)]),
    );
    assert.deepEqual(
      [...add, ...remove].map(({ operation }) => wordsOf(operation)),
      asked,
    );
  });
}
