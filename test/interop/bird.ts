/** BIRD, asked by birdc's text. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Family } from "#api/address.ts";
import { until } from "#test/until.ts";
import { withoutDefault } from "./frr.ts";
import { Daemon, output } from "./process.ts";
import { normalise, type Route } from "./route.ts";
import { byPeer, type Router, type RouterOptions } from "./router.ts";
import { GATEWAY, mainAddress, type Session, type Side } from "./session.ts";

/** The name of a session's protocol: no dash is allowed. */
const protocolOf = (session: Session): string => session.name.replaceAll("-", "_");

export interface BirdOptions extends RouterOptions {
  /** BIRD plays the device under test, to prove the harness: it announces these. */
  readonly announces?: readonly Route[];
  readonly routerNumber: number;
}

interface Ends {
  readonly own: Side;
  readonly other: Side;
}

function sessionBlock(session: Session, { own, other }: Ends, options: BirdOptions): string {
  const isMultihop = session.transport === "multihop";
  const channel = session.family === "IPv4" ? "ipv4" : "ipv6";
  const exported =
    options.announces === undefined
      ? "none"
      : `where source = RTS_STATIC && net ~ [ ${prefixesFor(session, options).join(", ")} ]`;
  return `protocol bgp ${protocolOf(session)} {
  local ${own.address} as ${own.asn};
  neighbor ${other.address} as ${other.asn};
  ${isMultihop ? "multihop 4" : "direct"};
  ${session.password === undefined ? "" : `password "${session.password}";`}
  hold time 9; connect delay time 1; connect retry time 2; error wait time 1, 2; graceful restart time 30;
  ${channel} { import all; export ${exported}; next hop self; };
}`;
}

function prefixesFor(session: Session, { announces = [] }: BirdOptions): string[] {
  const own = announces.filter(({ prefix }) => prefix.includes(":") === (session.family === "IPv6"));
  return own.map(({ prefix }) => prefix);
}

/** Static routes with attributes, as the device under test would announce them. */
function staticBlock(family: Family, routes: readonly Route[]): string {
  const channel = family === "IPv4" ? "ipv4" : "ipv6";
  const lines = routes.map((route) => {
    const plain = route.communities.map((text) => `bgp_community.add((${text.replace(":", ",")}));`);
    const large = route.largeCommunities.map(
      (text) => `bgp_large_community.add((${text.replaceAll(":", ",")}));`,
    );
    const preference = route.localPref === undefined ? "" : `bgp_local_pref = ${route.localPref};`;
    return `  route ${route.prefix} blackhole { ${[...plain, ...large, preference].join(" ")} };`;
  });
  return `protocol static announced_${channel} {\n  ${channel};\n${lines.join("\n")}\n}`;
}

function birdConfig(options: BirdOptions): string {
  const isDevice = options.announces !== undefined;
  const far = isDevice
    ? { IPv4: "10.9.0.0/16", IPv6: "fd00:9::/64" }
    : { IPv4: "10.8.0.0/16", IPv6: "fd00:8::/64" };
  const announced = options.announces ?? [];
  return [
    `router id ${mainAddress.IPv4(options.routerNumber)};`,
    "protocol device {}",
    "protocol direct { ipv4; ipv6; }",
    `protocol static far4 { ipv4; route ${far.IPv4} via ${GATEWAY.IPv4}; }`,
    `protocol static far6 { ipv6; route ${far.IPv6} via ${GATEWAY.IPv6}; }`,
    ...(isDevice
      ? [
          staticBlock(
            "IPv4",
            announced.filter(({ prefix }) => !prefix.includes(":")),
          ),
          staticBlock(
            "IPv6",
            announced.filter(({ prefix }) => prefix.includes(":")),
          ),
        ]
      : []),
    ...options.sessions.map((session) => {
      const ends = isDevice
        ? { own: session.device, other: session.peer }
        : { own: session.peer, other: session.device };
      return sessionBlock(session, ends, options);
    }),
    "",
  ].join("\n");
}

const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);
/** "(65001,1) (65001,2)" -> "65001:1", "65001:2" */
const tuples = (text: string): string[] =>
  [...text.matchAll(/\(([^)]*)\)/g)].map(([, inner = ""]) =>
    inner.replaceAll(/\s/g, "").replaceAll(",", ":"),
  );

/** `show route all` of birdc: routes by their protocol's name. */
function parseBirdRoutes(text: string): [protocol: string, route: Route][] {
  const found: [string, Route][] = [];
  let prefix = "";
  for (const block of text.split(/\n(?=\S.*\[)|\n(?=\s{10,}\S+ \[)/)) {
    const head = /^(\S*)\s+.*\[(\S+) [^\]]*\]/.exec(block);
    if (head === null) continue;
    prefix = head[1] === "" || head[1] === undefined ? prefix : head[1];
    const attribute = (name: string): string =>
      new RegExp(`^\\s*BGP\\.${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
    if (!block.includes("BGP.origin")) continue;
    const preference = attribute("local_pref");
    const route = normalise({
      prefix,
      nextHop: attribute("next_hop").split(" ")[0] ?? "",
      asPath: numbers(attribute("as_path")),
      localPref: preference === "" ? undefined : Number(preference),
      communities: tuples(attribute("community")),
      largeCommunities: tuples(attribute("large_community")),
    });
    found.push([head[2] ?? "", route]);
  }
  return found;
}

export class Bird implements Router {
  readonly kind = "bird";
  readonly #options: BirdOptions;
  readonly #daemon: Daemon;

  private constructor(options: BirdOptions) {
    this.#options = options;
    const { namespace, directory } = options;
    writeFileSync(join(directory, "bird.conf"), birdConfig(options));
    this.#daemon = new Daemon({
      namespace,
      command: [
        "bird",
        "-f",
        "-c",
        join(directory, "bird.conf"),
        "-s",
        join(directory, "bird.ctl"),
        "-P",
        join(directory, "bird.pid"),
      ],
      logFile: join(directory, "bird.log"),
    });
  }

  static async start(options: BirdOptions): Promise<Bird> {
    const router = new Bird(options);
    await until("bird's control socket", () => {
      return existsSync(join(options.directory, "bird.ctl"));
    });
    return router;
  }

  get pids(): number[] {
    return [this.#daemon.pid];
  }

  checkAlive(): void {
    this.#daemon.checkAlive();
  }

  async shell(command: string): Promise<string> {
    return output(
      this.#options.namespace,
      "birdc",
      "-s",
      join(this.#options.directory, "bird.ctl"),
      ...command.split(" "),
    );
  }

  async established(): Promise<Set<string>> {
    const table = await this.shell("show protocols");
    const up = this.#options.sessions.filter((session) =>
      new RegExp(`^${protocolOf(session)}\\s+BGP\\s.*Established`, "m").test(table),
    );
    return new Set(up.map(({ device }) => device.address));
  }

  async routes(family: Family): Promise<Map<string, Route[]>> {
    const text = await this.shell(`show route table master${family === "IPv4" ? 4 : 6} all`);
    const sessions = new Map(this.#options.sessions.map((session) => [protocolOf(session), session]));
    const found = parseBirdRoutes(text).flatMap(([protocol, route]) => {
      const session = sessions.get(protocol);
      if (session === undefined) return [];
      return [[session.device.address, session.relation === "eBGP" ? withoutDefault(route) : route] as const];
    });
    return byPeer(found);
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }
}
