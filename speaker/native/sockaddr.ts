/** struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)), in the machine's byte order. */
import { readFileSync } from "node:fs";
import { endianness, networkInterfaces } from "node:os";
import type { Family } from "#api/address.ts";
import { formatAddress, parseAddress } from "../netlink/bytes.ts";
import { AF_INET, domainOf } from "../netlink/domain.ts";
import { SocketError } from "./socket.ts";

/** Bytes that hold any sockaddr (struct sockaddr_storage). */
export const ADDRESS_BYTES = 128;

const isLittle = endianness() === "LE";

/** An int or a 16-bit number as setsockopt(2) takes it. */
export const int = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer);
export const short = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);

/** The index of a link; throws SocketError ENODEV. */
function linkIndex(link: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${link}/ifindex`, "utf8"));
  } catch (cause) {
    const message = `no link ${link}: ${cause}`;
    throw new SocketError({ syscall: "if_nametoindex", code: "ENODEV", errno: 19, message });
  }
}

/** The link whose link-local addresses have this scope. */
function linkOf(scope: number): string | undefined {
  const links = Object.entries(networkInterfaces());
  return links.find(([, addresses]) =>
    addresses?.some((one) => one.family === "IPv6" && one.scopeid === scope),
  )?.[0];
}

const isLinkLocal = (bytes: Uint8Array): boolean => bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;

export interface Endpoint {
  readonly family: Family;
  /** Without a zone; none: every address. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** Scope of a link-local address; of no meaning for others. */
  readonly link?: string | undefined;
}

/** Throws SocketError EAFNOSUPPORT, ENODEV; DecodeError for text that is no address. */
export function sockaddr({ family, address, port = 0, link }: Endpoint): Buffer {
  const length = family === "IPv4" ? 4 : 16;
  const bytes = address === undefined ? Buffer.alloc(length) : parseAddress(address);
  if (bytes.length !== length) {
    const message = `${address} is not ${family}`;
    throw new SocketError({ syscall: "sockaddr", code: "EAFNOSUPPORT", errno: 97, message });
  }
  const out = Buffer.alloc(family === "IPv4" ? 16 : 28);
  short(domainOf(family)).copy(out, 0);
  out.writeUInt16BE(port, 2);
  bytes.copy(out, family === "IPv4" ? 4 : 8);
  if (link !== undefined && family === "IPv6" && isLinkLocal(bytes)) int(linkIndex(link)).copy(out, 24);
  return out;
}

/** What accept(2) or getsockname(2) gave; `link` only of a link-local address. */
export function endpointOf(bytes: Buffer): { address: string; port: number; link?: string } {
  const port = bytes.readUInt16BE(2);
  const number = isLittle ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0);
  if (number === AF_INET) return { address: formatAddress(bytes.subarray(4, 8)), port };
  const address = formatAddress(bytes.subarray(8, 24));
  const scope = isLittle ? bytes.readUInt32LE(24) : bytes.readUInt32BE(24);
  const link = isLinkLocal(bytes.subarray(8, 24)) ? linkOf(scope) : undefined;
  return { address, port, ...(link !== undefined && { link }) };
}
