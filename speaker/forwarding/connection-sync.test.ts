/** Which daemons run, whose are left alone, and who is said to be silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PORT } from "#api/names.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import type { Daemon, DaemonRole } from "#speaker/netlink/ipvs-daemon.ts";
import { ConnectionSync, type SyncDatagrams } from "./connection-sync.ts";
import { SILENT_MS } from "./heard.ts";
import { BEACON, SYNC_ID } from "./sync-message.ts";
import type { SyncInput, SyncTrouble } from "./types.ts";

const INPUT: SyncInput = {
  link: { name: "eth0", index: 2 },
  address: "192.0.2.1",
  peers: [{ node: "n2", address: "192.0.2.2" }],
};

class World {
  readonly running = new Map<DaemonRole, Daemon>();
  readonly lengths: (number | undefined)[] = [];
  readonly sent: SyncDatagrams[] = [];
  connections: Iterable<string> = [];
  heard = new Set(["192.0.2.2"]);
  refuse = false;
  mtu: number | undefined = 1500;
  readonly sync = new ConnectionSync({
    daemons: {
      list: () => [...this.running.values()],
      start: (daemon, length) => {
        if (this.refuse) throw new NetlinkError(`start sync ${daemon.role}`, 19);
        this.lengths.push(length);
        this.running.set(daemon.role, daemon);
      },
      stop: (role) => void this.running.delete(role),
    },
    mtuOf: () => this.mtu,
    heard: () => this.heard,
    send: (datagrams) => void this.sent.push(datagrams),
    connections: () => this.connections,
  });

  names(input: SyncInput | undefined, now = 0): string[] {
    return this.sync.ensure(input, now).map(({ action, name }) => `${action} ${name}`);
  }
}

test("both daemons start on the link, later passes change nothing, and off they end", () => {
  const world = new World();
  assert.deepEqual(world.names(INPUT), ["create backup on eth0", "create master on eth0"]);
  assert.deepEqual(
    [...world.running.values()].map(({ syncId, group, port }) => [syncId, group, port]),
    Array(2).fill([SYNC_ID, "224.0.0.81", PORT.sync]),
  );
  assert.deepEqual(world.names(INPUT, 3_000), []);
  assert.equal(world.sync.startedAt, 0);
  assert.deepEqual(world.names(undefined), ["remove backup on eth0", "remove master on eth0"]);
  assert.equal(world.running.size, 0);
});

test("a process that is new takes over what runs; over IPv6 the group is of IPv6", () => {
  const [world, next] = [new World(), new World()];
  const input = { ...INPUT, address: "2001:db8::1", peers: [] };
  world.names(input);
  for (const [role, daemon] of world.running) next.running.set(role, daemon);
  assert.deepEqual(next.names(input), []);
  assert.equal(next.sync.startedAt, undefined);
  assert.equal(next.running.get("master")?.group, "ff05::81");
});

test("another link, and another link of the same name, get daemons anew", () => {
  const world = new World();
  world.names(INPUT);
  const moved = { ...INPUT, link: { name: "bond0", index: 3 } };
  assert.equal(world.names(moved).length, 4);
  assert.equal(world.names({ ...moved, link: { name: "bond0", index: 4 } }).length, 4);
  assert.deepEqual(world.names({ ...moved, link: { name: "bond0", index: 4 } }), []);
});

test("messages fit the link", () => {
  for (const [mtu, length] of [
    [1500, 1472],
    [1400, 1372],
    [9000, 1472],
    [undefined, 1472],
  ] as const) {
    const world = new World();
    world.mtu = mtu;
    world.names(INPUT);
    assert.deepEqual(world.lengths, [undefined, length]);
  }
});

test("a foreign daemon is left alone and said, on and off and at removal", () => {
  const world = new World();
  const foreign: Daemon = { role: "master", link: "eth1", syncId: 9, group: "224.0.0.81", port: 8848 };
  world.running.set("master", foreign);
  assert.deepEqual(world.names(INPUT), ["create backup on eth0"]);
  assert.equal(world.sync.trouble?.code, "ForeignSync");
  assert.match(world.sync.trouble?.message ?? "", /sync master \(on eth1, syncid 9/);
  assert.deepEqual(world.names(undefined), ["remove backup on eth0"]);
  world.sync.remove();
  assert.deepEqual([...world.running.values()], [foreign]);
});

test("what the kernel refuses is said, and the next pass tries again", () => {
  const world = new World();
  world.refuse = true;
  world.names(INPUT);
  assert.equal(world.sync.trouble?.code, "SyncRefused");
  world.refuse = false;
  world.names(INPUT);
  assert.equal(world.sync.trouble, undefined);
  assert.equal(world.running.size, 2);
});

test("a beacon goes out every 5 s, and is a message of version 1 without connections", () => {
  const world = new World();
  for (const now of [0, 3_000, 6_000, 9_000, 12_000]) world.names(INPUT, now);
  assert.equal(world.sent.length, 3);
  const beacon = { isKeptHere: false, messages: [BEACON] };
  assert.deepEqual(world.sent[0], { family: "IPv4", from: "192.0.2.1", link: "eth0", ...beacon });
  assert.equal(BEACON.readUInt16BE(2), BEACON.length);
});

const TOLD = "TCP C0000201 03E8 CB007101 0050 0A000001 1F90 ESTABLISHED SYNC 900";

test("what was told is told again to this node alone, four messages at a time", () => {
  const world = new World();
  world.connections = Array.from({ length: 250 }, () => TOLD);
  world.names(INPUT);
  world.sent.length = 0;
  const work = world.sync.bindTold();
  assert.equal(work.next().done, false);
  assert.deepEqual(work.next(), { done: true, value: true });
  assert.deepEqual(
    world.sent.map(({ isKeptHere, messages }) => [isKeptHere, messages.length]),
    [
      [true, 4],
      [true, 3],
    ],
  );
});

test("it is told again also where one node of several is not heard", () => {
  const world = new World();
  world.connections = [TOLD];
  world.heard = new Set();
  world.names(INPUT, 0);
  world.names(INPUT, SILENT_MS);
  assert.equal(world.sync.trouble?.code, "SyncUnheard");
  assert.deepEqual(world.sync.bindTold().next(), { done: true, value: true });
  assert.equal(world.sent.at(-1)?.isKeptHere, true);
});

test("nothing is told where nothing is shared; what cannot be told is said", () => {
  const world = new World();
  world.connections = [TOLD];
  world.names(undefined);
  assert.deepEqual(world.sync.bindTold().next(), { done: true, value: true });
  assert.equal(world.sent.length, 0);
  world.names(INPUT);
  world.connections = {
    [Symbol.iterator]: () => {
      throw new Error("EACCES: permission denied");
    },
  };
  assert.deepEqual(world.sync.bindTold().next(), { done: true, value: false });
  assert.deepEqual(world.sync.trouble, {
    code: "SyncRefused",
    message: "tell this node's kernel of connections again: EACCES: permission denied",
  });
});

test("a node that is not heard is said after a while, and no more once it is heard or gone", () => {
  const world = new World();
  const trouble = (): SyncTrouble | undefined => world.sync.trouble;
  world.heard = new Set();
  world.names(INPUT, 0);
  world.names(INPUT, SILENT_MS - 1);
  assert.equal(trouble(), undefined);
  world.names(INPUT, SILENT_MS);
  assert.equal(trouble()?.code, "SyncUnheard");
  assert.match(trouble()?.message ?? "", /^eth0 brings no shared connections of n2: /);
  world.heard = new Set(["192.0.2.2"]);
  world.names(INPUT, SILENT_MS + 1);
  assert.equal(trouble(), undefined);
  world.heard = new Set();
  world.names(INPUT, SILENT_MS + 2);
  assert.equal(trouble(), undefined, "silent only since now");
  world.names({ ...INPUT, peers: [] }, 3 * SILENT_MS);
  assert.equal(trouble(), undefined);
});
