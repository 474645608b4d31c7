import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Connections, type ConnectionsOptions } from "#common/connections.ts";
import { until } from "#test/until.ts";

async function serving(options: ConnectionsOptions) {
  const server = createServer();
  const accepted: Socket[] = [];
  const connections = new Connections(options);
  connections.watch(server);
  server.on("connection", (socket) => {
    socket.on("error", () => undefined);
    accepted.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients: Socket[] = [];
  return {
    connections,
    accepted,
    isOpen: (index: number) => accepted[index]?.destroyed === false,
    /** Resolves to what the server has of it. */
    open: async (): Promise<Socket> => {
      const [count, client] = [accepted.length, connect(port, "127.0.0.1")];
      client.on("error", () => undefined);
      clients.push(client);
      return await until("the connection", () => accepted[count]);
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("at the bound the one without progress for the longest time goes, and the newcomer stays", async () => {
  let closed = 0;
  const onClosed = (): void => {
    closed += 1;
  };
  await using server = await serving({ most: 2, mostBytes: 100, onClosed });
  const first = await server.open();
  await server.open();
  await server.connections.during(first, async () => undefined);
  await server.open();
  assert.deepEqual([0, 1, 2].map(server.isOpen), [true, false, true]);
  assert.deepEqual([server.connections.count, closed], [2, 1]);
});

test("who is being answered is closed for nobody; where all are, the newcomer goes", async () => {
  await using server = await serving({ most: 2, mostBytes: 100 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const answering = server.connections.during(await server.open(), () => promise);
  await server.open();
  await server.open();
  assert.deepEqual([0, 1, 2].map(server.isOpen), [true, false, true]);
  const both = server.connections.during(server.accepted[2] as Socket, () => promise);
  await server.open();
  assert.deepEqual([0, 2, 3].map(server.isOpen), [true, true, false]);
  resolve();
  await Promise.all([answering, both]);
  await server.open();
  assert.deepEqual([0, 2, 4].map(server.isOpen), [false, true, true]);
});

test("at the bound for bytes who has waited longest with some goes, and gives its own back", async () => {
  await using server = await serving({ most: 8, mostBytes: 100 });
  const { connections } = server;
  const [, second, third] = [await server.open(), await server.open(), await server.open()];
  const release = connections.hold(second, 60);
  connections.hold(third, 30)();
  assert.equal(connections.bytes, 60);
  connections.hold(third, 50);
  assert.deepEqual([0, 1, 2].map(server.isOpen), [true, false, true]);
  assert.equal(connections.bytes, 50);
  release();
  assert.equal(connections.bytes, 50);
});

test("nothing is kept for connections that went away", async () => {
  await using server = await serving({ most: 8, mostBytes: 100 });
  const socket = await server.open();
  server.connections.hold(socket, 60);
  socket.destroy();
  await until("it to be forgotten", () => server.connections.count === 0);
  assert.equal(server.connections.bytes, 0);
});
