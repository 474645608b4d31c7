/** What a router says it received, whichever router it is. Pure. */

export interface Route {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly number[];
  /** None: not sent, as to every eBGP peer. */
  readonly localPref?: number;
  /** "65001:100", sorted. */
  readonly communities: readonly string[];
  /** "65001:1:2", sorted. */
  readonly largeCommunities: readonly string[];
  /** Kept although its session is gone (RFC 4724). */
  readonly isStale?: boolean;
}

/** What the readers of the routers' own tools fill in. */
export interface RawRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly localPref?: number | undefined;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly isStale?: boolean;
}

const WELL_KNOWN: Readonly<Record<string, string>> = {
  gracefulShutdown: "65535:0",
  "graceful-shutdown": "65535:0",
  noExport: "65535:65281",
  "no-export": "65535:65281",
  noAdvertise: "65535:65282",
  "no-advertise": "65535:65282",
};

/** Both sorted, so that two equal routes are deeply equal. */
export function normalise({
  communities = [],
  largeCommunities = [],
  localPref,
  isStale = false,
  ...rest
}: RawRoute): Route {
  return {
    ...rest,
    communities: communities.map((text) => WELL_KNOWN[text] ?? text).sort(),
    largeCommunities: [...largeCommunities].sort(),
    ...(localPref !== undefined && { localPref }),
    ...(isStale && { isStale }),
  };
}
