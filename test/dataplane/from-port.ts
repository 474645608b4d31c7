/**
 * A client that uses one port for connections to several addresses, one after the other, and ends each as soon as it was
 * greeted (echo-server.ts). Arguments: its port, the servers' port, addresses. It prints a line for each: "pod" or an error.
 */
import { connect } from "node:net";

const [localPort, port, ...hosts] = process.argv.slice(2);
/** A connection whose answers come from elsewhere hangs until SYNs are sent no more; a dropped SYN comes again after 1 s. */
const DEADLINE_MS = 8_000;

function greeted(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), localPort: Number(localPort) });
    let said = "";
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("\n")) socket.end();
    });
    socket.on("error", (error) => resolve(`${host}: ${error.message}`));
    // Not before the end is over on both sides, or the port is not free.
    socket.on("close", () => resolve(said.split(" ")[0] ?? ""));
  });
}

for (const host of hosts) process.stdout.write(`${await greeted(host)}\n`);
