/** GoBGP, asked by `gobgp -j`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Family } from "#api/address.ts";
import { until } from "#test/until.ts";
import { Daemon, output } from "./process.ts";
import { normalise, type Route } from "./route.ts";
import { byPeer, type Router, type RouterOptions } from "./router.ts";
import { asnOf, mainAddress, numberOf, type Session } from "./session.ts";

const AFI = { IPv4: "ipv4-unicast", IPv6: "ipv6-unicast" } as const;

function neighborOf(session: Session): Record<string, unknown> {
  const { device, peer, family, relation, transport, password } = session;
  return {
    config: {
      "neighbor-address": device.address,
      "peer-as": device.asn,
      ...(password === undefined ? {} : { "auth-password": password }),
    },
    transport: { config: { "local-address": peer.address } },
    timers: {
      config: {
        "connect-retry": 5,
        "hold-time": 9,
        "keepalive-interval": 3,
        "idle-hold-time-after-reset": 1,
      },
    },
    ...(transport === "multihop" && relation === "eBGP"
      ? { "ebgp-multihop": { config: { enabled: true, "multihop-ttl": 4 } } }
      : {}),
    "graceful-restart": { config: { enabled: true, "restart-time": 30 } },
    "afi-safis": [
      { config: { "afi-safi-name": AFI[family] }, "mp-graceful-restart": { config: { enabled: true } } },
    ],
  };
}

export interface GobgpOptions extends RouterOptions {
  /** Of the router itself; the matrix's own when not given. */
  readonly asn?: number;
  readonly listen?: { readonly port: number; readonly addresses: readonly string[] };
  /** More of them, as GoBGP's configuration has them. */
  readonly neighbors?: readonly Record<string, unknown>[];
}

export function gobgpConfig({
  sessions,
  asn = asnOf("gobgp"),
  listen,
  neighbors = [],
}: GobgpOptions): string {
  const { port, addresses } = listen ?? { port: 179, addresses: ["0.0.0.0", "::"] };
  const routerId = mainAddress.IPv4(numberOf("gobgp"));
  return stringify({
    global: { config: { as: asn, "router-id": routerId, port, "local-address-list": addresses } },
    neighbors: [...sessions.map(neighborOf), ...neighbors],
  });
}

interface GobgpAttribute {
  type: number;
  value?: unknown;
  nexthop?: string;
  as_paths?: { asns: number[] }[];
  communities?: number[];
}
interface GobgpPath {
  nlri: { prefix: string };
  attrs: GobgpAttribute[];
  stale?: boolean;
}
/** Type codes of path attributes (IANA). */
const ATTRIBUTE = {
  asPath: 2,
  nextHop: 3,
  localPref: 5,
  communities: 8,
  mpReach: 14,
  largeCommunities: 32,
} as const;

function large(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.map((one: { ASN: number; LocalData1: number; LocalData2: number }) =>
    [one.ASN, one.LocalData1, one.LocalData2].join(":"),
  );
}

/** One path of `gobgp -j neighbor <address> adj-in`: the attributes as they were on the wire. */
function gobgpRoute(path: GobgpPath): Route {
  const attribute = (type: number): GobgpAttribute | undefined => path.attrs.find((one) => one.type === type);
  const preference = attribute(ATTRIBUTE.localPref)?.value;
  return normalise({
    prefix: path.nlri.prefix,
    nextHop: attribute(ATTRIBUTE.nextHop)?.nexthop ?? attribute(ATTRIBUTE.mpReach)?.nexthop ?? "",
    asPath: attribute(ATTRIBUTE.asPath)?.as_paths?.flatMap(({ asns }) => asns) ?? [],
    localPref: typeof preference === "number" ? preference : undefined,
    communities: (attribute(ATTRIBUTE.communities)?.communities ?? []).map(
      (value) => `${value >>> 16}:${value & 0xffff}`,
    ),
    largeCommunities: large(attribute(ATTRIBUTE.largeCommunities)?.value),
    isStale: path.stale === true,
  });
}

export class Gobgp implements Router {
  readonly kind = "gobgp";
  readonly #options: RouterOptions;
  readonly #daemon: Daemon;

  private constructor(options: RouterOptions) {
    this.#options = options;
    const { namespace, directory } = options;
    writeFileSync(join(directory, "gobgp.yaml"), gobgpConfig(options));
    this.#daemon = new Daemon({
      namespace,
      command: [
        "gobgpd",
        "-t",
        "yaml",
        "-f",
        join(directory, "gobgp.yaml"),
        "--pprof-disable",
        "--api-hosts",
        "127.0.0.1:50051",
      ],
      logFile: join(directory, "gobgp.log"),
    });
  }

  static async start(options: RouterOptions): Promise<Gobgp> {
    const router = new Gobgp(options);
    await until("gobgpd's answer", async () => {
      router.checkAlive();
      return (await router.json<unknown[]>("neighbor")).length === options.sessions.length;
    });
    return router;
  }

  get pids(): number[] {
    return [this.#daemon.pid];
  }

  checkAlive(): void {
    this.#daemon.checkAlive();
  }

  async json<T>(...command: readonly string[]): Promise<T> {
    return JSON.parse(await output(this.#options.namespace, "gobgp", "-j", ...command)) as T;
  }

  async established(): Promise<Set<string>> {
    const all = await this.json<{ state: { neighbor_address: string; session_state: number } }[]>("neighbor");
    const established = 6;
    return new Set(
      all
        .filter(({ state }) => state.session_state === established)
        .map(({ state }) => state.neighbor_address),
    );
  }

  async routes(family: Family): Promise<Map<string, Route[]>> {
    const found: (readonly [string, Route])[] = [];
    for (const { device } of this.#options.sessions.filter((session) => session.family === family)) {
      const table = await this.json<Record<string, GobgpPath[]>>(
        ..."neighbor X adj-in -a Y"
          .replace("X", device.address)
          .replace("Y", family.toLowerCase())
          .split(" "),
      );
      for (const path of Object.values(table).flat()) found.push([device.address, gobgpRoute(path)]);
    }
    return byPeer(found);
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }
}
