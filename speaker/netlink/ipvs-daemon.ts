/** The threads of IPVS that send connections to other machines, and take them in, by generic netlink (linux/ip_vs.h). */
import { familyOf } from "#api/address.ts";
import { attributes, type ValueOf } from "./attribute.ts";
import { address, text, u8, u16, u32 } from "./bytes.ts";
import { decodeGeneric, encodeGeneric, resolveFamily } from "./genl.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const COMMAND = { newDaemon: 9, removeDaemon: 10, getDaemon: 11 } as const;
const VERSION = 1;

/** IP_VS_STATE_MASTER sends, IP_VS_STATE_BACKUP takes in; a network namespace has one of each at most. */
export const DAEMON = { master: 1, backup: 2 } as const;
export type DaemonRole = keyof typeof DAEMON;
const ROLES = Object.keys(DAEMON) as DaemonRole[];

export const daemon = attributes({
  state: [1, u32],
  link: [2, text],
  syncId: [3, u32],
  maxLength: [4, u16],
  group4: [5, address],
  group6: [6, address],
  port: [7, u16],
  hops: [8, u8],
});
const command = attributes({ daemon: [3, daemon] });

export interface Daemon {
  readonly role: DaemonRole;
  readonly link: string;
  readonly syncId: number;
  /** Multicast group, of either family. */
  readonly group: string;
  readonly port: number;
}

type Asking = Pick<NetlinkSocket, "get" | "dump" | "change">;

/** Requests throw NoFamilyError where the kernel has no ip_vs, and NetlinkError for what it refuses. */
export class IpvsDaemons {
  readonly #socket: Asking;
  #type: number | undefined;

  constructor(socket: Asking) {
    this.#socket = socket;
  }

  list(): Daemon[] {
    return this.#socket
      .dump(this.#request(COMMAND.getDaemon, Buffer.alloc(0), "list sync daemons"))
      .flatMap(({ payload }) => decodeDaemon(payload) ?? []);
  }

  /** `maxLength`: of a message that a master sends, bytes of UDP. */
  start({ role, link, syncId, group, port }: Daemon, maxLength?: number): void {
    const values = {
      state: DAEMON[role],
      ...{ link, syncId, port, hops: 1 },
      ...(maxLength === undefined ? {} : { maxLength }),
      ...(familyOf(group) === "IPv6" ? { group6: group } : { group4: group }),
    };
    const body = command.encode({ daemon: values });
    this.#socket.change(this.#request(COMMAND.newDaemon, body, `start sync ${role} on ${link}`));
  }

  stop(role: DaemonRole): void {
    const body = command.encode({ daemon: { state: DAEMON[role] } });
    this.#socket.change(this.#request(COMMAND.removeDaemon, body, `stop sync ${role}`));
  }

  #request(number: number, body: Buffer, attempt: string): Request {
    this.#type ??= resolveFamily(this.#socket, "IPVS");
    return { type: this.#type, payload: encodeGeneric(number, VERSION, body), attempt };
  }
}

/** Undefined: of a state that this build does not know. */
export function decodeDaemon(payload: Buffer): Daemon | undefined {
  const decoded: ValueOf<typeof daemon> = command.decode(decodeGeneric(payload).body).daemon ?? {};
  const role = ROLES.find((one) => DAEMON[one] === decoded.state);
  if (role === undefined) return undefined;
  const { link = "", syncId = 0, group4, group6, port = 0 } = decoded;
  return { role, link, syncId, group: group4 ?? group6 ?? "", port };
}
