/** The sessions of the matrix: which router, over what, between which addresses. Pure. */
import { FAMILIES, type Family } from "#api/address.ts";

export const ROUTERS = ["frr", "bird", "gobgp", "exabgp"] as const;
export type RouterKind = (typeof ROUTERS)[number];
export const RELATIONS = ["iBGP", "eBGP"] as const;
export type Relation = (typeof RELATIONS)[number];
export const TRANSPORTS = ["plain", "md5", "multihop"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** The device under test towards eBGP peers; towards iBGP peers it has the router's number. */
const DEVICE_ASN = 4_200_000_100;
/** Link of every namespace on the common segment. */
export const LINK = "eth0";

export interface Session {
  /** "frr-eBGP-IPv4-md5" */
  readonly name: string;
  readonly router: RouterKind;
  readonly relation: Relation;
  readonly family: Family;
  readonly transport: Transport;
  /** 1 to 12 at each router. */
  readonly number: number;
  /** Of the device under test and of the router. */
  readonly device: Side;
  readonly peer: Side;
  readonly password?: string;
}

export interface Side {
  readonly address: string;
  readonly asn: number;
}

/** 1 to 4: part of a router's addresses. */
export const numberOf = (router: RouterKind): number => ROUTERS.indexOf(router) + 1;
export const asnOf = (router: RouterKind): number => 65_000 + numberOf(router);

/** The address that a namespace has on the segment for everything but sessions. */
export const mainAddress = {
  IPv4: (number: number) => `10.0.${number}.250`,
  IPv6: (number: number) => `fd00:a::${number}:250`,
};
/** Where it goes to other networks: three hops between the ends of a multihop session. */
export const GATEWAY = { IPv4: "10.0.255.254", IPv6: "fd00:a::254" } as const;

interface Place {
  readonly isMultihop: boolean;
  readonly router: number;
  readonly number: number;
}

function addressesOf(
  family: Family,
  { isMultihop, router, number }: Place,
): { device: string; peer: string } {
  if (family === "IPv4") {
    return isMultihop
      ? { device: `10.8.${router}.${number}`, peer: `10.9.${router}.${number}` }
      : { device: `10.0.${router}.${100 + number}`, peer: `10.0.${router}.${number}` };
  }
  return isMultihop
    ? { device: `fd00:8::${router}:${number}`, peer: `fd00:9::${router}:${number}` }
    : { device: `fd00:a::${router}:${100 + number}`, peer: `fd00:a::${router}:${number}` };
}

/** Every combination for one router, in a fixed order. */
export function sessionsOf(router: RouterKind): Session[] {
  const combinations = RELATIONS.flatMap((relation) =>
    FAMILIES.flatMap((family) => TRANSPORTS.map((transport) => ({ relation, family, transport }))),
  );
  return combinations.map(({ relation, family, transport }, at) => {
    const place = { isMultihop: transport === "multihop", router: numberOf(router), number: at + 1 };
    const { device, peer } = addressesOf(family, place);
    return {
      name: `${router}-${relation}-${family}-${transport}`,
      router,
      relation,
      family,
      transport,
      number: at + 1,
      device: { address: device, asn: relation === "iBGP" ? asnOf(router) : DEVICE_ASN },
      peer: { address: peer, asn: asnOf(router) },
      ...(transport === "md5" && { password: `secret-${router}-${at + 1}` }),
    };
  });
}

/** "frr-eBGP-IPv4-plain" and its like. Throws for a name that none has. */
export function sessionNamed(name: string): Session {
  const found = ROUTERS.flatMap(sessionsOf).find((session) => session.name === name);
  if (found === undefined) throw new Error(`no session ${name}`);
  return found;
}
