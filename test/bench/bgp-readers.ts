/**
 * Child process of bgp-tables.ts: routers on loopback that take whatever they are told and use nothing of it. Their ports go
 * to the parent; at its word all of them say OPEN in one turn, so that all sessions begin at once.
 *
 *     node test/bench/bgp-readers.ts <routers>
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { KEEPALIVE, OPEN, open } from "#test/fakes/bgp-peer.ts";

const sockets: Socket[] = [];
const isReady = Promise.withResolvers<void>();
const count = Number(process.argv[2]);
const ports: number[] = [];

/** An octet of a message is looked at by nobody: the parent's time is measured, not this one's. */
function take(socket: Socket): void {
  socket.on("error", () => {});
  socket.resume();
  sockets.push(socket);
  if (sockets.length === count) isReady.resolve();
}

for (let at = 0; at < count; at += 1) {
  const server = createServer(take).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  ports.push(typeof address === "object" && address !== null ? address.port : 0);
}
process.send?.({ ports });
const capabilities = { ...OPEN.capabilities, extendedMessage: true };
await once(process, "message");
await isReady.promise;
for (const socket of sockets) socket.write(Buffer.concat([open({ capabilities }), KEEPALIVE]));
// The sessions' hold time is longer than the measurement.
process.on("disconnect", () => process.exit(0));
