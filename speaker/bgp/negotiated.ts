/** What two OPENs have in common, and why one of them is refused (RFC 4271 section 6.2). Pure. */
import type { Family } from "#api/address.ts";
import { checkRoles, marksOnlyToCustomer, roleNumber } from "./role.ts";
import type { PeerSettings } from "./types.ts";
import { type Capabilities, familyCapability, type GracefulRestart } from "./wire/capability.ts";
import { BgpError, ErrorCode, OpenError } from "./wire/error.ts";
import { type Open, VERSION } from "./wire/open.ts";

export interface Negotiated {
  readonly remoteAsn: number;
  /** Dotted quad. */
  readonly remoteId: string;
  readonly isInternal: boolean;
  /** 0: neither keepalives nor a hold timer. */
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
  readonly families: readonly Family[];
  /** AS numbers of four octets in AS_PATH. */
  readonly as4: boolean;
  readonly extendedMessage: boolean;
  readonly enhancedRouteRefresh: boolean;
  /** The peer takes IPv4 prefixes with IPv6 next hops. */
  readonly extendedNextHop: boolean;
  /** Routes are told with the attribute OTC. */
  readonly marksOnlyToCustomer: boolean;
  /** The peer's, where both sides can. */
  readonly gracefulRestart: GracefulRestart | undefined;
}

/**
 * How long routers are asked to keep our routes while the speaker is replaced, unless the BGPPeer says so: as long as that
 * takes, and not much longer, since after a crash of the whole node they forward to nobody until then.
 */
const RESTART_TIME_MS = 30_000;
/** RFC 4271 section 4.4. */
export const MIN_KEEPALIVE_MS = 1_000;
/** RFC 4724 section 3: 12 bits. */
const LONGEST_RESTART_SECONDS = 4_095;

/** `isRestarting`: this is the first session since the process started. */
export function ownOpen(settings: PeerSettings, isRestarting: boolean): Open {
  const { families, role, gracefulRestart, restartTimeMs = RESTART_TIME_MS } = settings;
  const capabilities: Capabilities = {
    families,
    asn: settings.localAsn,
    routeRefresh: true,
    enhancedRouteRefresh: true,
    extendedMessage: true,
    extendedNextHop: families.includes("IPv4"),
    ...(role !== undefined && { roles: [roleNumber(role)] }),
    ...(gracefulRestart && {
      gracefulRestart: {
        isRestarting,
        coversNotifications: false,
        timeSeconds: Math.min(LONGEST_RESTART_SECONDS, Math.round(restartTimeMs / 1_000)),
        // The kernel goes on forwarding without us: that is what F says.
        families: families.map((family) => ({ family, isForwarding: true })),
      },
    }),
  };
  return {
    version: VERSION,
    asn: settings.localAsn,
    holdTimeSeconds: Math.floor(settings.holdTimeMs / 1_000),
    routerId: settings.routerId,
    capabilities,
  };
}

/** BgpError (code 2) for an OPEN that is not the one that is waited for. */
export function negotiate(settings: PeerSettings, own: Open, peer: Open): Negotiated {
  checkAsn(settings, peer);
  const isInternal = peer.asn === settings.localAsn;
  if (peer.routerId === "0.0.0.0" || (isInternal && peer.routerId === settings.routerId)) {
    throw new BgpError(ErrorCode.open, OpenError.identifier, `identifier ${peer.routerId}`);
  }
  if (peer.holdTimeSeconds === 1 || peer.holdTimeSeconds === 2) {
    throw new BgpError(ErrorCode.open, OpenError.holdTime, `hold time ${peer.holdTimeSeconds} s`);
  }
  const theirs = familiesOf(peer.capabilities);
  const families = settings.families.filter((family) => theirs.includes(family));
  if (families.length === 0) {
    const detail = `the peer speaks ${theirs.join(", ") || "other families"}, not ${settings.families.join(", ")}`;
    // RFC 5492 section 3: with the capabilities that are missed.
    const missed = Buffer.concat(settings.families.map(familyCapability));
    throw new BgpError(ErrorCode.open, OpenError.capability, detail, missed);
  }
  if (!isInternal) checkRoles(settings.role, peer.capabilities.roles ?? []);
  const holdTimeMs = Math.min(own.holdTimeSeconds, peer.holdTimeSeconds) * 1_000;
  return {
    remoteAsn: peer.asn,
    remoteId: peer.routerId,
    isInternal,
    holdTimeMs,
    keepaliveTimeMs: keepaliveTime(settings.keepaliveTimeMs, holdTimeMs),
    families,
    as4: peer.capabilities.asn !== undefined,
    extendedMessage: peer.capabilities.extendedMessage,
    enhancedRouteRefresh: peer.capabilities.enhancedRouteRefresh,
    extendedNextHop: peer.capabilities.extendedNextHop,
    marksOnlyToCustomer: !isInternal && marksOnlyToCustomer(settings.role),
    gracefulRestart: settings.gracefulRestart ? peer.capabilities.gracefulRestart : undefined,
  };
}

/** A peer that names no family at all speaks IPv4; one that names others only does not (RFC 4760 section 8). */
function familiesOf({ families, hasOtherFamilies }: Capabilities): readonly Family[] {
  return families.length === 0 && hasOtherFamilies !== true ? ["IPv4"] : families;
}

/** RFC 4271 section 4.4: three in a hold time, and never more than one a second. */
function keepaliveTime(asked: number | undefined, holdTimeMs: number): number {
  if (holdTimeMs === 0) return 0;
  return Math.max(MIN_KEEPALIVE_MS, Math.min(asked ?? Number.POSITIVE_INFINITY, holdTimeMs / 3));
}

function checkAsn({ peerAsn, localAsn }: PeerSettings, { asn }: Open): void {
  const isRight =
    peerAsn === "internal" ? asn === localAsn : peerAsn === "external" ? asn !== localAsn : asn === peerAsn;
  if (isRight && asn !== 0) return;
  const wanted =
    peerAsn === "internal"
      ? `${localAsn}`
      : peerAsn === "external"
        ? `another than ${localAsn}`
        : `${peerAsn}`;
  throw new BgpError(ErrorCode.open, OpenError.peerAsn, `AS ${asn} instead of ${wanted}`);
}
