/** Sends each line of standard input, a frame in hex, on eth0; answers "sent". For conflict.test.ts: a stranger. */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { monitorLinks } from "#speaker/known/node-links.ts";
import { PacketSocket } from "#speaker/native/packet.ts";

const monitor = monitorLinks({ clock: systemClock, onChange() {}, onError() {} });
const link = monitor.links().find(({ name }) => name === "eth0");
monitor.close();
if (link === undefined) throw new Error("no link eth0");
const socket = new PacketSocket({ linkIndex: link.index, receive: "arp", onFrames() {}, onError() {} });
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`sent ${socket.send([Buffer.from(line, "hex")])}\n`);
}
socket.close();
