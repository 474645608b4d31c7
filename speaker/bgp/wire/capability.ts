/** Capabilities of an OPEN (RFC 5492): what each side can do. */
import type { Family } from "#api/address.ts";
import { BgpError, ErrorCode } from "./error.ts";
import { AFI, familyOfAfi, SAFI_UNICAST } from "./family.ts";
import { Reader, u16be, u32be } from "./reader.ts";

const CapabilityCode = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  role: 9,
  gracefulRestart: 64,
  fourOctetAsn: 65,
  enhancedRouteRefresh: 70,
} as const;

/** RFC 4724 section 3, RFC 8538 (N). */
export interface GracefulRestart {
  /** R: it has restarted, and says so in the first OPEN after it. */
  readonly isRestarting: boolean;
  /** N: a NOTIFICATION begins a graceful restart too. */
  readonly coversNotifications: boolean;
  /** How long its routes are to be kept without it, 0 to 4095. */
  readonly timeSeconds: number;
  /** F: forwarding went on while it was away. */
  readonly families: readonly { readonly family: Family; readonly isForwarding: boolean }[];
}

/** Those that we know; others are passed over. */
export interface Capabilities {
  readonly families: readonly Family[];
  /** It names families that we do not speak. */
  readonly hasOtherFamilies?: true;
  readonly asn?: number;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly extendedMessage: boolean;
  /** IPv4 prefixes with IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean;
  readonly gracefulRestart?: GracefulRestart;
  /** Numbers of its role (RFC 9234 section 4.1): one, but for a peer that contradicts itself. None: it says none. */
  readonly roles?: readonly number[];
}

const NEXT_HOP_IPV6 = Buffer.concat([u16be(AFI.IPv4), u16be(SAFI_UNICAST), u16be(AFI.IPv6)]);
const RESTARTING = 0x8;
const NOTIFICATIONS = 0x4;
const FORWARDING = 0x80;

/** The capability of a family (RFC 4760 section 8). */
export function familyCapability(family: Family): Buffer {
  return Buffer.concat([
    Buffer.from([CapabilityCode.multiprotocol, 4]),
    u16be(AFI[family]),
    Buffer.from([0, SAFI_UNICAST]),
  ]);
}

export function encodeCapabilities(capabilities: Capabilities): Buffer {
  const { families, asn, gracefulRestart } = capabilities;
  const parts: Buffer[] = [];
  const add = (code: number, value: Buffer = Buffer.alloc(0)): void => {
    parts.push(Buffer.from([code, value.length]), value);
  };
  for (const family of families) parts.push(familyCapability(family));
  if (capabilities.routeRefresh) add(CapabilityCode.routeRefresh);
  if (capabilities.extendedNextHop) add(CapabilityCode.extendedNextHop, NEXT_HOP_IPV6);
  if (capabilities.extendedMessage) add(CapabilityCode.extendedMessage);
  for (const role of capabilities.roles ?? []) add(CapabilityCode.role, Buffer.from([role]));
  if (gracefulRestart !== undefined)
    add(CapabilityCode.gracefulRestart, encodeGracefulRestart(gracefulRestart));
  if (asn !== undefined) add(CapabilityCode.fourOctetAsn, u32be(asn));
  if (capabilities.enhancedRouteRefresh) add(CapabilityCode.enhancedRouteRefresh);
  return Buffer.concat(parts);
}

type Found = { -readonly [K in keyof Capabilities]: Capabilities[K] };

/** BgpError (code 2) where a capability that we know is not what its RFC says. */
export function decodeCapabilities(bytes: Buffer): Capabilities {
  const found: Found = {
    families: [],
    routeRefresh: false,
    enhancedRouteRefresh: false,
    extendedMessage: false,
    extendedNextHop: false,
  };
  const reader = new Reader(bytes, malformed);
  while (reader.left > 0) {
    const code = reader.u8("capability code");
    const value = reader.bytes(reader.u8("capability length"), `capability ${code}`);
    const field = new Reader(value, malformed);
    switch (code) {
      case CapabilityCode.multiprotocol:
        addFamily(found, field);
        break;
      case CapabilityCode.routeRefresh:
        found.routeRefresh = true;
        break;
      case CapabilityCode.enhancedRouteRefresh:
        found.enhancedRouteRefresh = true;
        break;
      case CapabilityCode.extendedMessage:
        found.extendedMessage = true;
        break;
      case CapabilityCode.extendedNextHop:
        found.extendedNextHop ||= hasIpv6NextHop(field);
        break;
      case CapabilityCode.gracefulRestart:
        found.gracefulRestart = decodeGracefulRestart(field);
        break;
      case CapabilityCode.role:
        found.roles = [...(found.roles ?? []), field.u8("role")];
        break;
      case CapabilityCode.fourOctetAsn:
        found.asn = field.u32("4-octet AS number");
        break;
      // Others are for features that we do not have: RFC 5492 has them ignored.
    }
  }
  return found;
}

function addFamily(found: Pick<Found, "families" | "hasOtherFamilies">, field: Reader): void {
  const afi = field.u16("address family");
  field.u8("reserved");
  const family = familyOfAfi(afi, field.u8("subsequent address family"));
  if (family === undefined) found.hasOtherFamilies = true;
  else if (!found.families.includes(family)) found.families = [...found.families, family];
}

function hasIpv6NextHop(field: Reader): boolean {
  let has = false;
  while (field.left > 0) has ||= field.bytes(6, "extended next hop").equals(NEXT_HOP_IPV6);
  return has;
}

function encodeGracefulRestart({ families, ...restart }: GracefulRestart): Buffer {
  const flags = (restart.isRestarting ? RESTARTING : 0) | (restart.coversNotifications ? NOTIFICATIONS : 0);
  const tuples = families.map(({ family, isForwarding }) =>
    Buffer.concat([u16be(AFI[family]), Buffer.from([SAFI_UNICAST, isForwarding ? FORWARDING : 0])]),
  );
  return Buffer.concat([u16be((flags << 12) | restart.timeSeconds), ...tuples]);
}

function decodeGracefulRestart(field: Reader): GracefulRestart {
  const head = field.u16("graceful restart");
  const families: { family: Family; isForwarding: boolean }[] = [];
  while (field.left > 0) {
    const family = familyOfAfi(field.u16("address family"), field.u8("subsequent address family"));
    const isForwarding = (field.u8("flags") & FORWARDING) !== 0;
    if (family !== undefined) families.push({ family, isForwarding });
  }
  return {
    isRestarting: ((head >> 12) & RESTARTING) !== 0,
    coversNotifications: ((head >> 12) & NOTIFICATIONS) !== 0,
    timeSeconds: head & 0xfff,
    families,
  };
}

function malformed(what: string): BgpError {
  // RFC 4271 section 6.2: a parameter that is known and malformed is an error without a subcode.
  return new BgpError(ErrorCode.open, 0, `${what} is cut short`);
}
