/** What the kernel has dropped before it came into a BFD socket of a namespace (proc(5): the last column of net/udp). */
import { output } from "#test/interop/process.ts";

/** Ports 3784 and 4784, as the kernel writes them. */
const PORTS = /:(?:0EC8|12B0)$/;

export async function dropped(namespace: string): Promise<number> {
  const text = await output(namespace, "cat", "/proc/net/udp", "/proc/net/udp6");
  const sockets = text.split("\n").map((line) => line.trim().split(/\s+/));
  const ours = sockets.filter(([, local = ""]) => PORTS.test(local));
  return ours.reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}
