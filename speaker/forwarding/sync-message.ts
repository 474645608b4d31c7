/**
 * Messages by which kernels tell each other of connections (net/netfilter/ipvs/ip_vs_sync.c, version 1), made of what the
 * kernel lists (ip_vs_conn.c, ip_vs_conn_sync_seq_show). Pure.
 */

/** Of all clusters: who else is on the link is kept out by address. */
export const SYNC_ID = 71;
const HEADER_BYTES = 8;
const VERSION = 1;
/** The count is an octet. */
const MOST_ENTRIES = 255;
const TYPE = { IPv4: 0, IPv6: 1 } as const;
/** IP_VS_CONN_F_INACTIVE: counted as one of a real server's connections that are not in use. */
const INACTIVE = 0x100;
/** One that ends before it is told of again would be made anew, bound to nothing. */
const LEAST_LEFT_S = 2;
/** In the order of the kernel's numbers, and those that count as in use. */
const TCP_STATES =
  "NONE ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN SYNACK".split(" ");
const TCP_ACTIVE = new Set(["ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"]);
const SCTP_STATES =
  "NONE INIT1 INIT COOKIE_SENT COOKIE_REPLIED COOKIE_WAIT COOKIE COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECEIVED SHUTDOWN_ACK_SENT REJECTED CLOSED".split(
    " ",
  );

interface Protocol {
  readonly number: number;
  readonly states: readonly string[];
  readonly isActive: (state: string) => boolean;
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  TCP: { number: 6, states: TCP_STATES, isActive: (state) => TCP_ACTIVE.has(state) },
  UDP: { number: 17, states: ["UDP"], isActive: () => true },
  SCTP: { number: 132, states: SCTP_STATES, isActive: (state) => state === "ESTABLISHED" },
};

/**
 * The entry of a message that tells of the connection of a line of /proc/net/ip_vs_conn_sync as it is. Undefined: it began
 * here, it is about to end, or it is the memory of a client (session affinity), which the kernel looks after itself.
 */
export function entryOf(line: string): Buffer | undefined {
  const [name = "", client = "", clientPort, vip = "", vipPort, pod = "", podPort, state = "", origin, left] =
    line.trim().split(/\s+/);
  const protocol = PROTOCOLS[name];
  const stateNumber = protocol?.states.indexOf(state) ?? -1;
  const isTold = origin === "SYNC" && Number(left) >= LEAST_LEFT_S;
  if (protocol === undefined || stateNumber < 0 || !isTold) return undefined;
  const addresses = Buffer.from([client, vip, pod].join("").replaceAll(":", ""), "hex");
  const fixed = Buffer.alloc(24);
  fixed.writeUInt8(client.includes(":") ? TYPE.IPv6 : TYPE.IPv4, 0);
  fixed.writeUInt8(protocol.number, 1);
  // The version, in the upper four bits, is 0.
  fixed.writeUInt16BE(fixed.length + addresses.length, 2);
  fixed.writeUInt32BE(protocol.isActive(state) ? 0 : INACTIVE, 4);
  fixed.writeUInt16BE(stateNumber, 8);
  for (const [at, port] of [clientPort, vipPort, podPort].entries())
    fixed.writeUInt16BE(Number.parseInt(port ?? "0", 16), 10 + 2 * at);
  // The mark at 16 stays 0: the kernel takes that of the connection that it has.
  fixed.writeUInt32BE(Number(left), 20);
  return Buffer.concat([fixed, addresses]);
}

/** As few messages as hold the entries, none longer than `length` bytes. */
export function* messagesOf(entries: Iterable<Buffer>, length: number): Generator<Buffer> {
  let some: Buffer[] = [];
  let bytes = HEADER_BYTES;
  for (const entry of entries) {
    if (some.length === MOST_ENTRIES || bytes + entry.length > length) {
      yield messageOf(some);
      [some, bytes] = [[], HEADER_BYTES];
    }
    some.push(entry);
    bytes += entry.length;
  }
  if (some.length > 0) yield messageOf(some);
}

/** A message without a connection shows who is heard. */
export const BEACON = messageOf([]);

function messageOf(entries: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const message = Buffer.concat([header, ...entries]);
  message.writeUInt8(SYNC_ID, 1);
  message.writeUInt16BE(message.length, 2);
  message.writeUInt8(entries.length, 4);
  message.writeUInt8(VERSION, 5);
  return message;
}
