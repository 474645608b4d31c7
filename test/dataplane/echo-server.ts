/**
 * Program in a pod: TCP and UDP echo. Arguments: pod name, port. It prints "ready" when it listens.
 * TCP greets with a line "<pod> <client address>", then echoes; UDP answers "<pod> <client address>\n" and what came.
 * At the port after it HTTP answers with status 200. After SIGTERM it goes on for 2 s.
 */
import { createSocket } from "node:dgram";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";

/** From SIGTERM to its end, milliseconds. */
const ENDS_MS = 2_000;

const [name = "", port = ""] = process.argv.slice(2);
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.write(`${name} ${socket.remoteAddress?.replace("::ffff:", "")}\n`);
  socket.pipe(socket);
  // The client or a test's own damage ended the connection: the client is the one who judges that.
  socket.on("error", () => socket.destroy());
});
await new Promise<void>((resolve) => server.listen(Number(port), "::", resolve));
const health = createHttp((_request, response) => response.end());
await new Promise<void>((resolve) => health.listen(Number(port) + 1, "::", resolve));
for (const type of ["udp4", "udp6"] as const) {
  const socket = createSocket({ type, ipv6Only: type === "udp6" });
  socket.on("message", (message, from) => {
    socket.send(Buffer.concat([Buffer.from(`${name} ${from.address}\n`), message]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(Number(port), resolve));
}
// As a program that knows of no draining: it goes on for a while, and then it is gone with all that it has.
process.on("SIGTERM", () => void setTimeout(() => process.exit(0), ENDS_MS));
process.stdout.write("ready\n");
