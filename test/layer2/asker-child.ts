/**
 * Asks on eth0 every 10 ms (or ASK_EVERY_MS) who has each of the addresses of its arguments, by ARP or NDP, and prints
 * each answer as a line of JSON: the address, the hardware address, and when it came (milliseconds since the epoch).
 */
import { systemClock } from "#common/clock.ts";
import { monitorLinks } from "#speaker/known/node-links.ts";
import { ARP_OPERATION, decodeArp, encodeArp } from "#speaker/layer2/arp.ts";
import { BROADCAST, isFault } from "#speaker/layer2/frame.ts";
import { decodeAdvertisement } from "#speaker/layer2/ndp.ts";
import { PacketSocket } from "#speaker/native/packet.ts";
import { SocketError } from "#speaker/native/socket.ts";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { solicitation } from "./solicitation.ts";

const EVERY_MS = Number(process.env.ASK_EVERY_MS ?? 10);
const NO_ROOM: ReadonlySet<string> = new Set(["ENOBUFS", "EAGAIN"]);

const monitor = monitorLinks({ clock: systemClock, onChange() {}, onError() {} });
const link = monitor.links().find(({ name }) => name === "eth0");
monitor.close();
const hardware = Buffer.from(link?.hardware ?? "", "hex");
if (link === undefined || hardware.length !== 6) throw new Error("no link eth0");
const addresses = link.prefixes.map((prefix) => prefix.split("/")[0] ?? "");
const own = addresses.find((text) => text.includes("."));
const own6 = addresses.find((text) => text.includes(":") && !text.startsWith("fe80:"));
if (own === undefined) throw new Error("eth0 has no IPv4 address");

/** From an address of its own, and no probe: MetalLB answers none. */
function solicitationFor(target: Uint8Array): Buffer {
  if (own6 === undefined) throw new Error("eth0 has no IPv6 address");
  return solicitation({ target, source: parseAddress(own6), hardware });
}

function tell(address: Uint8Array, from: Uint8Array): void {
  const vip = formatAddress(Buffer.from(address));
  const at = performance.timeOrigin + performance.now();
  process.stdout.write(`${JSON.stringify({ vip, hardware: Buffer.from(from).toString("hex"), at })}\n`);
}

const shared = { linkIndex: link.index, onError() {} };
const arp = new PacketSocket({
  ...shared,
  receive: "arp",
  onFrames: (frames) => {
    for (const frame of frames) {
      const heard = decodeArp(frame);
      if (isFault(heard) || heard.packet.operation !== ARP_OPERATION.reply) continue;
      // An announcement is no answer.
      if (!Buffer.from(heard.destination).equals(hardware)) continue;
      tell(heard.packet.senderAddress, heard.packet.senderHardware);
    }
  },
});
const ndp = new PacketSocket({
  ...shared,
  receive: "neighborDiscovery",
  onFrames: (frames) => {
    for (const frame of frames) {
      const heard = decodeAdvertisement(frame);
      if (!isFault(heard)) tell(heard.target, heard.told);
    }
  },
});

const questions = process.argv.slice(2).map((vip) => {
  const target = parseAddress(vip);
  if (vip.includes(":")) return { socket: ndp, frame: solicitationFor(target) };
  const packet = {
    operation: ARP_OPERATION.request,
    senderHardware: hardware,
    senderAddress: parseAddress(own),
    targetHardware: new Uint8Array(6),
    targetAddress: target,
  };
  return { socket: arp, frame: encodeArp({ destination: BROADCAST, source: hardware, packet }) };
});

/** A question that finds no room is lost, as it may be on the wire: the next one follows soon. */
function ask(socket: PacketSocket, frame: Buffer): void {
  try {
    socket.send([frame]);
  } catch (error) {
    if (!(error instanceof SocketError) || !NO_ROOM.has(error.code)) throw error;
  }
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for (;;) {
  for (const { socket, frame } of questions) ask(socket, frame);
  await systemClock.sleep(EVERY_MS);
}
