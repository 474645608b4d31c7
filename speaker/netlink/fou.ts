/**
 * UDP ports at which the kernel takes off a GUE header (linux/fou.h), by generic netlink: what is inside goes on as if it
 * had come in the outer IP header alone.
 */
import { type Family, familyOf } from "#api/address.ts";
import { attributes } from "./attribute.ts";
import { address, u8, u16be } from "./bytes.ts";
import { AF_INET6, domainOf } from "./domain.ts";
import { decodeGeneric, encodeGeneric, familyIfThere, resolveFamily } from "./genl.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const COMMAND = { add: 1, remove: 2, get: 3 } as const;
const VERSION = 1;
/** FOU_ENCAP_GUE */
const GUE = 2;

export const listener = attributes({
  port: [1, u16be],
  family: [2, u8],
  kind: [4, u8],
  local4: [6, address],
  local6: [7, address],
});

/** One address and port. */
export interface GueListener {
  readonly address: string;
  readonly port: number;
}

type Asking = Pick<NetlinkSocket, "get" | "dump" | "change">;

/** Requests throw NoFamilyError where the kernel has no fou, and NetlinkError for what it refuses. */
export class GueListeners {
  readonly #socket: Asking;
  #type: number | undefined;

  constructor(socket: Asking) {
    this.#socket = socket;
  }

  /** Those that take off GUE headers at one address. */
  list(): GueListener[] {
    const request = this.#request(COMMAND.get, Buffer.alloc(0), "list GUE ports");
    return this.#socket.dump(request).flatMap(({ payload }) => decodeListener(payload) ?? []);
  }

  /** The same; none where the kernel's part for it is not loaded, and without its being loaded. */
  listIfLoaded(): GueListener[] {
    this.#type ??= familyIfThere(this.#socket, "fou");
    return this.#type === undefined ? [] : this.list();
  }

  add(one: GueListener): void {
    this.#socket.change(
      this.#request(COMMAND.add, bodyOf(one), `add GUE port ${one.port} of ${one.address}`),
    );
  }

  remove(one: GueListener): void {
    this.#socket.change(
      this.#request(COMMAND.remove, bodyOf(one), `remove GUE port ${one.port} of ${one.address}`),
    );
  }

  #request(number: number, body: Buffer, attempt: string): Request {
    this.#type ??= resolveFamily(this.#socket, "fou");
    return { type: this.#type, payload: encodeGeneric(number, VERSION, body), attempt };
  }
}

function bodyOf({ address: local, port }: GueListener): Buffer {
  const family: Family = familyOf(local);
  const end = family === "IPv4" ? { local4: local } : { local6: local };
  return listener.encode({ port, family: domainOf(family), kind: GUE, ...end });
}

/** Undefined: it takes off something else, or takes it at every address. */
export function decodeListener(payload: Buffer): GueListener | undefined {
  const { port, family, kind, local4, local6 } = listener.decode(decodeGeneric(payload).body);
  const local = family === AF_INET6 ? local6 : local4;
  return kind === GUE && port !== undefined && local !== undefined ? { address: local, port } : undefined;
}
