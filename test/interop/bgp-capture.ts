/** BGP messages out of a packet capture: streams put together, messages cut out. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { formatAddress } from "#speaker/netlink/bytes.ts";

export interface CapturedMessage {
  readonly from: string;
  readonly to: string;
  /** RFC 4271 section 4.1: 1 OPEN, 2 UPDATE, 3 NOTIFICATION, 4 KEEPALIVE; RFC 2918: 5 ROUTE-REFRESH. */
  readonly type: number;
  readonly bytes: Buffer;
  /** Seconds since 1970 at which its last byte was seen. */
  readonly at: number;
}

interface Segment {
  readonly from: string;
  readonly to: string;
  /** Also ports: one direction of one connection. */
  readonly stream: string;
  readonly sequence: number;
  readonly isStart: boolean;
  readonly payload: Buffer;
  readonly at: number;
}

const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET_HEADER = 14;
const IPV6_HEADER = 40;
const BGP_HEADER = 19;
const SYN = 0x02;
/** The kernel hands packets to tcpdump after a second at the latest; at once, it would lose some of many. */
const FLUSH_MS = 1_200;

function segmentOf(frame: Buffer, at: number): Segment | undefined {
  const ether = frame.readUInt16BE(12);
  const packet = frame.subarray(ETHERNET_HEADER);
  if (ether !== 0x0800 && ether !== 0x86dd) return undefined;
  const isIpv4 = ether === 0x0800;
  const header = isIpv4 ? ((packet[0] ?? 0) & 0xf) * 4 : IPV6_HEADER;
  const end = isIpv4 ? packet.readUInt16BE(2) : IPV6_HEADER + packet.readUInt16BE(4);
  const tcp = packet.subarray(header, end);
  const from = formatAddress(isIpv4 ? packet.subarray(12, 16) : packet.subarray(8, 24));
  const to = formatAddress(isIpv4 ? packet.subarray(16, 20) : packet.subarray(24, 40));
  return {
    from,
    to,
    stream: `${from} ${tcp.readUInt16BE(0)} ${to} ${tcp.readUInt16BE(2)}`,
    sequence: tcp.readUInt32BE(4),
    isStart: ((tcp[13] ?? 0) & SYN) !== 0,
    payload: tcp.subarray(((tcp[12] ?? 0) >> 4) * 4),
    at,
  };
}

/** Records of a little-endian pcap file of Ethernet frames, microseconds. */
function segmentsOf(file: Buffer): Segment[] {
  const segments: Segment[] = [];
  for (let at = PCAP_HEADER; at + RECORD_HEADER <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const time = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / 1e6;
    const start = at + RECORD_HEADER;
    if (start + length > file.length) break;
    const segment = segmentOf(file.subarray(start, start + length), time);
    if (segment !== undefined) segments.push(segment);
    at = start + length;
  }
  return segments;
}

/** Segments of one direction in order, repeated bytes left out, then cut by the length field (RFC 4271 section 4.1). */
function messagesOf(segments: readonly Segment[]): CapturedMessage[] {
  const found: CapturedMessage[] = [];
  let next: number | undefined;
  let rest = Buffer.alloc(0);
  for (const { from, to, sequence, isStart, payload, at } of segments) {
    if (isStart) {
      next = (sequence + 1) >>> 0;
      rest = Buffer.alloc(0);
      continue;
    }
    if (payload.length === 0) continue;
    next ??= sequence;
    const repeated = (next - sequence) | 0;
    if (repeated < 0) throw new Error(`the capture lost ${-repeated} bytes from ${from} to ${to}`);
    if (repeated >= payload.length) continue;
    rest = Buffer.concat([rest, payload.subarray(repeated)]);
    next = (sequence + payload.length) >>> 0;
    while (rest.length >= BGP_HEADER && rest.length >= rest.readUInt16BE(16)) {
      const length = rest.readUInt16BE(16);
      if (length < BGP_HEADER) throw new Error(`a message of ${length} bytes from ${from}`);
      found.push({ from, to, type: rest[18] ?? 0, bytes: rest.subarray(0, length), at });
      rest = rest.subarray(length);
    }
  }
  return found;
}

export function messagesIn(file: string): CapturedMessage[] {
  const streams = Map.groupBy(segmentsOf(readFileSync(file)), ({ stream }) => stream);
  return [...streams.values()].flatMap(messagesOf).sort((a, b) => a.at - b.at);
}

/** tcpdump on a link of a namespace. */
export class Capture {
  readonly #child: ChildProcess;
  readonly file: string;

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.file = file;
  }

  static async start(namespace: string, link: string, file: string): Promise<Capture> {
    const options = [
      "-i",
      link,
      "-U",
      "--immediate-mode",
      "-s",
      "0",
      "-B",
      "32768",
      "-w",
      file,
      "tcp port 179",
    ];
    const child = spawn("ip", ["netns", "exec", namespace, "tcpdump", ...options], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let said = "";
    // Read to the end: it dies of a closed standard error.
    child.stderr.on("data", (data) => {
      said += data;
      if (said.includes("listening on")) resolve();
    });
    child.on("exit", () => reject(new Error(`tcpdump has ended: ${said}`)));
    await promise;
    return new Capture(child, file);
  }

  /** Ends it after what is on its way has been written. */
  async stop(): Promise<CapturedMessage[]> {
    await delay(FLUSH_MS);
    if (this.#child.exitCode !== null) throw new Error("tcpdump had ended before it was told to");
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGINT");
    await ended;
    return messagesIn(this.file);
  }
}
