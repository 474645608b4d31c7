/**
 * Program in a pod: TCP and UDP echo. Arguments: pod name, port. It prints "ready" when it listens.
 * TCP greets with a line "<pod> <client address>", then echoes; UDP answers "<pod> <client address>\n" and what came.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [name = "", port = ""] = process.argv.slice(2);
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.write(`${name} ${socket.remoteAddress?.replace("::ffff:", "")}\n`);
  socket.pipe(socket);
  // The client or a test's own damage ended the connection: the client is the one who judges that.
  socket.on("error", () => socket.destroy());
});
await new Promise<void>((resolve) => server.listen(Number(port), "::", resolve));
for (const type of ["udp4", "udp6"] as const) {
  const socket = createSocket({ type, ipv6Only: type === "udp6" });
  socket.on("message", (message, from) => {
    socket.send(Buffer.concat([Buffer.from(`${name} ${from.address}\n`), message]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(Number(port), resolve));
}
process.stdout.write("ready\n");
