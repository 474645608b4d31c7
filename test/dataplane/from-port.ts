/**
 * A client that uses one port for connections to several addresses, one after the other, and ends each as soon as it was
 * greeted (echo-server.ts). As a program: an argument for each port, `PORT ADDRESS ADDRESS...`, of servers at port 80. It
 * prints a line for each port: what came of each connection, with " / " between them.
 */
import { connect } from "node:net";

const SERVER_PORT = 80;
/** A connection whose answers come from elsewhere hangs until SYNs are sent no more; a dropped SYN comes again after 1 s. */
const DEADLINE_MS = 8_000;

/** Resolves with who greeted, or `<address>: <error>`, when both sides have ended: only then is the port free. */
function greeted(host: string, localPort: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: SERVER_PORT, localPort });
    let said = "";
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("\n")) socket.end();
    });
    socket.on("error", (error) => resolve(`${host}: ${error.message}`));
    socket.on("close", () => resolve(said.split(" ")[0] ?? ""));
  });
}

/** What came of each connection. */
export async function fromPort(localPort: number, hosts: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const host of hosts) answers.push(await greeted(host, localPort));
  return answers;
}

if (import.meta.main) {
  for (const argument of process.argv.slice(2)) {
    const [port, ...hosts] = argument.split(" ");
    const answers = await fromPort(Number(port), hosts);
    process.stdout.write(`${answers.join(" / ")}\n`);
  }
}
