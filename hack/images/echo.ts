/**
 * What the demo's and the tests' pods run. On one port:
 *   - a request that begins like HTTP is answered with who answers and whom it saw, as JSON;
 *   - any other bytes are echoed as they came (a long flow that must survive), UDP datagrams too.
 * Environment: PORT (8080), POD_NAME, NODE_NAME.
 */
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";

const port = Number(process.env.PORT ?? 8080);
const pod = process.env.POD_NAME ?? "unknown";
const node = process.env.NODE_NAME ?? "unknown";

/** An IPv4 client of a dual-stack socket is seen as ::ffff:a.b.c.d. */
const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

function answerHttp(socket: Socket): void {
  const body = `${JSON.stringify({ pod, node, client: plain(socket.remoteAddress) })}\n`;
  socket.end(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const tcp = createServer((socket) => {
  // A client that goes away in the middle is its own business.
  socket.on("error", () => socket.destroy());
  socket.once("data", (first) => {
    if (/^(GET|HEAD|POST) /.test(first.toString("latin1"))) {
      answerHttp(socket);
      return;
    }
    socket.write(first);
    socket.pipe(socket);
  });
});
tcp.listen(port, "::");

const udp = createSocket({ type: "udp6" });
udp.on("message", (message, from) => udp.send(message, from.port, from.address));
udp.bind(port, "::");

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));
