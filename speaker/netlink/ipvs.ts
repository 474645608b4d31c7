/**
 * IPVS by generic netlink (linux/ip_vs.h): services found by firewall mark and their destinations.
 * Services that are not found by mark are read (so that they are known to be somebody else's) and never written.
 */
import { attributes, type ValueOf } from "./attribute.ts";
import {
  type Codec,
  DecodeError,
  formatAddress,
  parseAddress,
  raw,
  readU32,
  text,
  u16,
  u16be,
  u32,
  writeU32,
} from "./bytes.ts";
import { decodeGeneric, encodeGeneric, resolveFamily } from "./genl.ts";
import { AF_INET, AF_INET6 } from "./route.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const COMMAND = {
  newService: 1,
  setService: 2,
  removeService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  removeDestination: 7,
  getDestination: 8,
  newDaemon: 9,
  removeDaemon: 10,
  getDaemon: 11,
  getInfo: 15,
} as const;
const VERSION = 1;

/** IP_VS_SVC_F_SCHED1 and SCHED2 as mh reads them. */
export const MH = { fallback: 0x8, port: 0x10 } as const;
/** Bits of the flags word that say what the scheduler does; the rest is the kernel's business. */
const SCHEDULER_FLAGS = 0x38;
export const METHOD = { masquerade: 0, tunnel: 2, direct: 3 } as const;
const METHOD_MASK = 7;

/** struct ip_vs_flags: flags, and which of them count. */
const flags: Codec<number> = {
  encode(value) {
    const bytes = Buffer.alloc(8);
    writeU32(bytes, value, 0);
    writeU32(bytes, 0xffffffff, 4);
    return bytes;
  },
  decode(bytes) {
    if (bytes.length < 8) throw new DecodeError(`flags of ${bytes.length} bytes`);
    return readU32(bytes, 0);
  },
};

export const service = attributes({
  family: [1, u16],
  protocol: [2, u16],
  address: [3, raw],
  port: [4, u16be],
  mark: [5, u32],
  scheduler: [6, text],
  flags: [7, flags],
  timeout: [8, u32],
  netmask: [9, u32],
});
export type Service = ValueOf<typeof service>;

export const destination = attributes({
  address: [1, raw],
  port: [2, u16be],
  method: [3, u32],
  weight: [4, u32],
  upperThreshold: [5, u32],
  lowerThreshold: [6, u32],
  activeConnections: [7, u32],
  inactiveConnections: [8, u32],
  family: [11, u16],
});

export const daemon = attributes({ state: [1, u32], link: [2, text], syncId: [3, u32] });
const command = attributes({ service: [1, service], destination: [2, destination], daemon: [3, daemon] });

export interface ServiceKey {
  family: number;
  mark: number;
}
export interface MarkService extends ServiceKey {
  scheduler: string;
  flags: number;
}
export interface Destination {
  address: string;
  port: number;
  method: number;
  weight: number;
}
export interface ReadDestination extends Destination {
  activeConnections: number;
  inactiveConnections: number;
}

/** The netmask of persistence means nothing here, but an IPv6 service is refused without a length of 1 to 128. */
const netmask = (family: number): number => (family === AF_INET6 ? 128 : 0xffffffff);
const keyName = (key: ServiceKey): string =>
  `fwmark ${key.mark} ${key.family === AF_INET6 ? "IPv6" : "IPv4"}`;

function addressBytes(value: string): Buffer {
  const bytes = parseAddress(value);
  return bytes.length === 16 ? bytes : Buffer.concat([bytes, Buffer.alloc(12)]);
}

export function decodeDestination(body: Buffer): ReadDestination {
  const decoded = command.decode(body).destination;
  if (decoded?.address === undefined || decoded.address.length < 16 || decoded.port === undefined) {
    throw new DecodeError("a destination without an address or a port");
  }
  const isIPv6 = decoded.family === AF_INET6;
  return {
    address: formatAddress(decoded.address.subarray(0, isIPv6 ? 16 : 4)),
    port: decoded.port,
    method: (decoded.method ?? 0) & METHOD_MASK,
    weight: decoded.weight ?? 0,
    activeConnections: decoded.activeConnections ?? 0,
    inactiveConnections: decoded.inactiveConnections ?? 0,
  };
}

/** Requests of the family; `open` finds its number and makes the kernel load ip_vs. */
export class Ipvs {
  readonly #socket: NetlinkSocket;
  readonly #type: number;

  /** Throws NetlinkError ENOENT where the kernel has no IPVS. */
  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#type = resolveFamily(socket, "IPVS");
  }

  /** Services by mark, and how many others there are. */
  services(): { byMark: MarkService[]; others: number } {
    const answers = this.#socket.dump(this.#request(COMMAND.getService, Buffer.alloc(0), "list services"));
    const byMark: MarkService[] = [];
    for (const answer of answers) {
      const decoded = command.decode(decodeGeneric(answer.payload).body).service;
      if (!decoded?.mark) continue;
      byMark.push({
        family: decoded.family ?? AF_INET,
        mark: decoded.mark,
        scheduler: decoded.scheduler ?? "none",
        flags: (decoded.flags ?? 0) & SCHEDULER_FLAGS,
      });
    }
    return { byMark, others: answers.length - byMark.length };
  }

  /** In the kernel's order: the one added last comes first. */
  destinations(key: ServiceKey): ReadDestination[] {
    const body = command.encode({ service: { family: key.family, mark: key.mark } });
    return this.#socket
      .dump(this.#request(COMMAND.getDestination, body, `list destinations of ${keyName(key)}`))
      .map((answer) => decodeDestination(decodeGeneric(answer.payload).body));
  }

  addService(value: MarkService): Request {
    return this.#writeService(COMMAND.newService, value, "add service");
  }

  /** Scheduler and flags. */
  editService(value: MarkService): Request {
    return this.#writeService(COMMAND.setService, value, "edit service");
  }

  removeService(key: ServiceKey): Request {
    const body = command.encode({ service: { family: key.family, mark: key.mark } });
    return this.#request(COMMAND.removeService, body, `remove service ${keyName(key)}`);
  }

  addDestination(key: ServiceKey, value: Destination): Request {
    return this.#writeDestination(COMMAND.newDestination, key, value, "add");
  }

  editDestination(key: ServiceKey, value: Destination): Request {
    return this.#writeDestination(COMMAND.setDestination, key, value, "edit");
  }

  removeDestination(key: ServiceKey, value: Pick<Destination, "address" | "port">): Request {
    const body = command.encode({
      service: { family: key.family, mark: key.mark },
      destination: { address: addressBytes(value.address), port: value.port, family: key.family },
    });
    const attempt = `remove destination ${value.address} port ${value.port} of ${keyName(key)}`;
    return this.#request(COMMAND.removeDestination, body, attempt);
  }

  #writeService(number: number, value: MarkService, verb: string): Request {
    const { family, mark, scheduler } = value;
    const body = command.encode({
      service: { family, mark, scheduler, flags: value.flags, timeout: 0, netmask: netmask(family) },
    });
    return this.#request(number, body, `${verb} ${keyName(value)} scheduler ${scheduler}`);
  }

  #writeDestination(number: number, key: ServiceKey, value: Destination, verb: string): Request {
    const body = command.encode({
      service: { family: key.family, mark: key.mark },
      destination: {
        address: addressBytes(value.address),
        port: value.port,
        method: value.method,
        weight: value.weight,
        upperThreshold: 0,
        lowerThreshold: 0,
        family: key.family,
      },
    });
    return this.#request(
      number,
      body,
      `${verb} destination ${value.address} port ${value.port} of ${keyName(key)}`,
    );
  }

  #request(number: number, body: Buffer, attempt: string): Request {
    return { type: this.#type, payload: encodeGeneric(number, VERSION, body), attempt };
  }
}
