/**
 * A client that uses one port for datagrams to several addresses at once (echo-server.ts). As a program: an argument for each
 * port, `PORT ADDRESS ADDRESS...`, of servers at port 80. It prints a line for each port: what came of each address, with
 * " / " between them.
 */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";

const SERVER_PORT = 80;
/** Each goes to all addresses before the first answer is waited for. */
const ROUNDS = 5;
/** An answer that has not come in this time does not come. */
const DEADLINE_MS = 3_000;

/** Who answered from each address what was sent there, or `<address>: <what is wrong>`. */
export async function datagramsFromPort(localPort: number, hosts: readonly string[]): Promise<string[]> {
  const isSix = hosts.some((host) => host.includes(":"));
  await using socket = createSocket({ type: isSix ? "udp6" : "udp4", ipv6Only: isSix });
  const came = new Map(hosts.map((host) => [host, new Set<string>()]));
  const answered = new Set<string>();
  let onAnswer = (): void => {};
  socket.on("message", (message: Buffer, { address }: RemoteInfo) => {
    const [greeting = "", sent = ""] = message.toString().split("\n");
    const [host = ""] = sent.split(" ");
    came.get(host)?.add(address === host ? (greeting.split(" ")[0] ?? "") : `${host}: from ${address}`);
    answered.add(sent);
    onAnswer();
  });
  socket.bind(localPort);
  await once(socket, "listening");
  for (let round = 0; round < ROUNDS; round += 1) {
    const all = hosts.map((host) => `${host} ${round}`);
    const isOver = new Promise<void>((resolve) => {
      onAnswer = () => {
        if (all.every((one) => answered.has(one))) resolve();
      };
      setTimeout(resolve, DEADLINE_MS).unref();
    });
    for (const [at, host] of hosts.entries()) socket.send(all[at] ?? "", SERVER_PORT, host);
    await isOver;
    for (const [at, host] of hosts.entries())
      if (!answered.has(all[at] ?? "")) came.get(host)?.add(`${host}: no answer`);
  }
  return hosts.map((host) => [...(came.get(host) ?? [])].join(", "));
}

if (import.meta.main) {
  for (const argument of process.argv.slice(2)) {
    const [port, ...hosts] = argument.split(" ");
    process.stdout.write(`${(await datagramsFromPort(Number(port), hosts)).join(" / ")}\n`);
  }
}
