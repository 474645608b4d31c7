import assert from "node:assert/strict";
import { test } from "node:test";
import { attributes } from "#speaker/netlink/attribute.ts";
import { text, u16 } from "#speaker/netlink/bytes.ts";
import { encodeGeneric } from "#speaker/netlink/genl.ts";
import { Ipvs, METHOD, type ReadDestination } from "#speaker/netlink/ipvs.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";
import type { RealServer, VirtualServer } from "./types.ts";
import { differServers, type PresentServer } from "./virtual-servers.ts";

const controller = attributes({ id: [1, u16], name: [2, text] });
const answer = { payload: encodeGeneric(1, 1, controller.encode({ id: 30, name: "IPVS" })) };
/** A kernel that knows the family's number and is asked nothing else. */
const ipvs = new Ipvs({ get: () => answer } as unknown as NetlinkSocket);

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
const present = (one: VirtualServer, scheduler = one.scheduler): Map<string, PresentServer> => {
  const service = { family: 2, mark: one.mark, scheduler, flags: one.flags };
  return new Map([[`2/${one.mark}`, { service, destinations: one.realServers.map(read) }]]);
};

interface Case {
  readonly what: string;
  readonly wanted: readonly VirtualServer[];
  readonly present: ReadonlyMap<string, PresentServer>;
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
      "add service fwmark 4097 IPv4 scheduler none",
      "add destination 10.1.0.1 port 80 of fwmark 4097 IPv4",
      "edit service fwmark 4097 IPv4 scheduler mh",
    ],
  },
  {
    what: "a draining one comes with a weight first, so that it has its place in the table",
    wanted: [server(a, real("10.1.0.2", 0))],
    present: present(server(a)),
    add: [
      "add destination 10.1.0.2 port 80 of fwmark 4097 IPv4",
      "edit destination 10.1.0.2 port 80 of fwmark 4097 IPv4",
    ],
  },
  {
    what: "another weight is edited, never removed and added",
    wanted: [server(real("10.1.0.1", 0))],
    present: present(server(a)),
    add: ["edit destination 10.1.0.1 port 80 of fwmark 4097 IPv4"],
  },
  {
    what: "one that is gone goes by itself",
    wanted: [server(a)],
    present: present(server(a, b)),
    add: [],
    remove: ["remove destination 10.1.0.2 port 80 of fwmark 4097 IPv4"],
  },
  {
    what: "one left half filled gets its scheduler",
    wanted: [server(a)],
    present: present(server(a), "none"),
    add: ["edit service fwmark 4097 IPv4 scheduler mh"],
  },
  {
    what: "a service that is not wanted goes whole",
    wanted: [],
    present: present(server(a, b)),
    add: [],
    remove: ["remove service fwmark 4097 IPv4"],
  },
];
for (const one of CASES) {
  test(one.what, () => {
    const difference = differServers(ipvs, one.wanted, one.present);
    assert.deepEqual(
      difference.add.map(({ request }) => request.attempt),
      one.add,
    );
    assert.deepEqual(
      difference.remove.map(({ request }) => request.attempt),
      one.remove ?? [],
    );
  });
}
