/** The numbers of address families: the same for rtnetlink, IPVS, socket(2) and struct sockaddr. */
import { type Family, familyOf } from "#api/address.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

const DOMAINS: Readonly<Record<Family, number>> = { IPv4: AF_INET, IPv6: AF_INET6 };

export const domainOf = (family: Family): number => DOMAINS[family];
export const domainOfAddress = (text: string): number => domainOf(familyOf(text));
