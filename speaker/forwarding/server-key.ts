/** By what virtual servers are known. Pure. */
import type { Family } from "#api/address.ts";
import type { VirtualServer } from "#speaker/forwarding/types.ts";
import { AF_INET, AF_INET6, domainOf } from "#speaker/netlink/domain.ts";
import type { ServiceKey } from "#speaker/netlink/ipvs.ts";

/**
 * The mark of a virtual server, below 0 where its family is IPv6. No mark of a server is 0. There may be hundreds of thousands,
 * and a small number takes a fifth of a text's memory.
 */
export type ServerKey = number;

/** `family`: as the kernel numbers it. */
export const serverKey = (family: number, mark: number): ServerKey => (family === AF_INET ? mark : -mark);

export const keyOfServer = ({ family, mark }: Pick<VirtualServer, "family" | "mark">): ServerKey =>
  serverKey(domainOf(family), mark);

export const markOfKey = (key: ServerKey): number => Math.abs(key);

export const parseServerKey = (key: ServerKey): ServiceKey => ({
  family: key > 0 ? AF_INET : AF_INET6,
  mark: markOfKey(key),
});

/** For people. */
export const describeKey = (key: ServerKey): { family: Family; mark: number } => ({
  family: key > 0 ? "IPv4" : "IPv6",
  mark: markOfKey(key),
});
