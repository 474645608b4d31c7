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
  u8,
  u16,
  u16be,
  u32,
  writeU32,
} from "./bytes.ts";
import { AF_INET, AF_INET6 } from "./domain.ts";
import { NetlinkError, NOT_THERE } from "./error.ts";
import { decodeGeneric, encodeGeneric, resolveFamily } from "./genl.ts";
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
  getInfo: 15,
} as const;
const VERSION = 1;

/** IP_VS_SVC_F_SCHED1 and SCHED2 as mh reads them. */
export const MH = { fallback: 0x8, port: 0x10 } as const;
/** Bits of the flags word that say what the scheduler does; the rest is the kernel's business. */
const SCHEDULER_FLAGS = 0x38;
/** A service with it gives nobody a new connection, and has no table. */
export const NO_SCHEDULER = "none";
export const METHOD = { masquerade: 0, tunnel: 2, direct: 3 } as const;
const METHOD_MASK = 7;
/** IP_VS_CONN_F_TUNNEL_TYPE_*; a kernel before 5.3 knows ipip alone, and does not say that it was asked for another one. */
export const TUNNEL_TYPE = { ipip: 0, gue: 1, gre: 2 } as const;
/** IP_VS_TUNNEL_ENCAP_FLAG_*: whether the header round the packet has a checksum of all that is in it. */
export const TUNNEL_CHECKSUM = { none: 0, full: 1 } as const;

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
  tunnelType: [13, u8],
  tunnelPort: [14, u16be],
  tunnelFlags: [15, u16],
});

const command = attributes({ service: [1, service], destination: [2, destination] });

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
  /** Absent: no limit. */
  upperThreshold?: number;
  lowerThreshold?: number;
  /** Of the method tunnel; absent: ipip. */
  tunnel?: DestinationTunnel;
}
/** TUNNEL_TYPE and TUNNEL_CHECKSUM. `port`: of the UDP header, where the type has one, else 0. */
export interface DestinationTunnel {
  type: number;
  port: number;
  checksum: number;
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
  const { upperThreshold = 0, lowerThreshold = 0, tunnelType = TUNNEL_TYPE.ipip } = decoded;
  const method = (decoded.method ?? 0) & METHOD_MASK;
  const { tunnelPort: tunnelsTo = 0, tunnelFlags = 0 } = decoded;
  return {
    address: formatAddress(decoded.address.subarray(0, isIPv6 ? 16 : 4)),
    port: decoded.port,
    method,
    weight: decoded.weight ?? 0,
    ...(upperThreshold + lowerThreshold > 0 && { upperThreshold, lowerThreshold }),
    ...(method === METHOD.tunnel &&
      tunnelType !== TUNNEL_TYPE.ipip && {
        tunnel: { type: tunnelType, port: tunnelsTo, checksum: tunnelFlags },
      }),
    activeConnections: decoded.activeConnections ?? 0,
    inactiveConnections: decoded.inactiveConnections ?? 0,
  };
}

/** One change of IPVS. */
export type Operation =
  | { readonly kind: "addService" | "editService"; readonly service: MarkService }
  | { readonly kind: "removeService"; readonly service: ServiceKey }
  | {
      readonly kind: "addDestination" | "editDestination";
      readonly service: ServiceKey;
      readonly destination: Destination;
    }
  | {
      readonly kind: "removeDestination";
      readonly service: ServiceKey;
      readonly destination: Pick<Destination, "address" | "port">;
    };

/** A change that the kernel refused: its index, and why. */
export interface RefusedOperation {
  readonly index: number;
  readonly error: NetlinkError;
}

/** For people and errors. */
export function attemptOf(operation: Operation): string {
  const verb = /^[a-z]+/.exec(operation.kind)?.[0] ?? operation.kind;
  const name = keyName(operation.service);
  switch (operation.kind) {
    case "removeService":
      return `${verb} service ${name}`;
    case "addService":
    case "editService":
      return `${verb} service ${name} scheduler ${operation.service.scheduler}`;
    default: {
      const { address, port } = operation.destination;
      return `${verb} destination ${address} port ${port} of ${name}`;
    }
  }
}

const NUMBER: Readonly<Record<Operation["kind"], number>> = {
  addService: COMMAND.newService,
  editService: COMMAND.setService,
  removeService: COMMAND.removeService,
  addDestination: COMMAND.newDestination,
  editDestination: COMMAND.setDestination,
  removeDestination: COMMAND.removeDestination,
};

function bodyOf(operation: Operation): Buffer {
  const { family, mark } = operation.service;
  switch (operation.kind) {
    case "removeService":
      return command.encode({ service: { family, mark } });
    case "addService":
    case "editService": {
      const { scheduler, flags: schedulerFlags } = operation.service;
      return command.encode({
        service: { family, mark, scheduler, flags: schedulerFlags, timeout: 0, netmask: netmask(family) },
      });
    }
    case "removeDestination": {
      const { address, port } = operation.destination;
      return command.encode({
        service: { family, mark },
        destination: { address: addressBytes(address), port, family },
      });
    }
    default: {
      const { address, port, method, weight, upperThreshold = 0, lowerThreshold = 0 } = operation.destination;
      const { tunnel } = operation.destination;
      const values = {
        ...{ port, method, weight, upperThreshold, lowerThreshold, family },
        ...(tunnel && {
          ...{ tunnelType: tunnel.type, tunnelFlags: tunnel.checksum },
          ...(tunnel.port > 0 && { tunnelPort: tunnel.port }),
        }),
      };
      return command.encode({
        service: { family, mark },
        destination: { address: addressBytes(address), ...values },
      });
    }
  }
}

type Asking = Pick<NetlinkSocket, "get" | "gets" | "dump" | "batch">;

/** The kernel's virtual servers that are found by mark. Requests throw NoFamilyError where the kernel has no ip_vs. */
export class Ipvs {
  readonly #socket: Asking;
  readonly #walker: Pick<NetlinkSocket, "walk">;
  #type: number | undefined;

  /** `walker`: a socket of its own, which may be in the middle of a list while the other one works. */
  constructor(socket: Asking, walker: Pick<NetlinkSocket, "walk">) {
    this.#socket = socket;
    this.#walker = walker;
  }

  /** Makes the kernel load ip_vs, as the first request of whatever kind does. */
  load(): void {
    this.#type ??= resolveFamily(this.#socket, "IPVS");
  }

  /** All of them, part by part. */
  *walk(): Generator<readonly MarkService[], void> {
    const request = this.#request(COMMAND.getService, Buffer.alloc(0), "list services");
    for (const part of this.#walker.walk(request))
      yield part.flatMap(({ payload }) => decodeService(payload) ?? []);
  }

  /** In the order of the keys; undefined where there is none. */
  find(keys: readonly ServiceKey[]): (MarkService | undefined)[] {
    const requests = keys.map((key) =>
      this.#request(
        COMMAND.getService,
        command.encode({ service: { family: key.family, mark: key.mark } }),
        `get service ${keyName(key)}`,
      ),
    );
    return this.#socket.gets(requests).map((answer, at) => {
      if ("payload" in answer) return decodeService(answer.payload);
      if (NOT_THERE.includes(answer.errno)) return undefined;
      throw new NetlinkError(requests[at]?.attempt ?? "get services", answer.errno);
    });
  }

  /** In the kernel's order: the one added last comes first. None of a service that is not there. */
  destinations(key: ServiceKey): ReadDestination[] {
    const body = command.encode({ service: { family: key.family, mark: key.mark } });
    return this.#socket
      .dump(this.#request(COMMAND.getDestination, body, `list destinations of ${keyName(key)}`))
      .map((answer) => decodeDestination(decodeGeneric(answer.payload).body));
  }

  /** Later ones run though earlier ones were refused; only reading back shows what is there. */
  write(operations: readonly Operation[]): RefusedOperation[] {
    return this.#socket.batch(
      operations.map((operation) =>
        this.#request(NUMBER[operation.kind], bodyOf(operation), attemptOf(operation)),
      ),
    );
  }

  #request(number: number, body: Buffer, attempt: string): Request {
    this.#type ??= resolveFamily(this.#socket, "IPVS");
    return { type: this.#type, payload: encodeGeneric(number, VERSION, body), attempt };
  }
}

/** Undefined: it is found by address, and none of ours. */
function decodeService(payload: Buffer): MarkService | undefined {
  const decoded = command.decode(decodeGeneric(payload).body).service;
  if (!decoded?.mark) return undefined;
  return {
    family: decoded.family ?? AF_INET,
    mark: decoded.mark,
    scheduler: decoded.scheduler ?? NO_SCHEDULER,
    flags: (decoded.flags ?? 0) & SCHEDULER_FLAGS,
  };
}
