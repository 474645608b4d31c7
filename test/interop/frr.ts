/** FRR: zebra and bgpd, asked by vtysh's JSON; bfdd beside them. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAMILIES, type Family } from "#api/address.ts";
import { run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { Daemon, output } from "./process.ts";
import { normalise, type Route } from "./route.ts";
import { byPeer, type Router, type RouterOptions } from "./router.ts";
import { asnOf, mainAddress, numberOf, type Session } from "./session.ts";

export const FRR_DIRECTORY = "/usr/lib/frr";
const AFI = { IPv4: "ipv4 unicast", IPv6: "ipv6 unicast" } as const;

export interface FrrOptions extends RouterOptions {
  /** That of the routers' matrix when not given. */
  readonly asn?: number;
  /** More lines below `router bgp`. */
  readonly globalLines?: readonly string[];
  /** More lines of the session's address family. */
  readonly familyLines?: (session: Session) => readonly string[];
  readonly bgpdArguments?: readonly string[];
  /** zebra.conf: nothing when not given. */
  readonly zebraLines?: readonly string[];
  /** Lines before `router bgp`. */
  readonly topLines?: readonly string[];
}

function sessionLines({ peer, device, relation, transport, password }: Session): string[] {
  const neighbor = `neighbor ${device.address}`;
  return [
    `${neighbor} remote-as ${device.asn}`,
    `${neighbor} update-source ${peer.address}`,
    `${neighbor} timers 3 9`,
    `${neighbor} timers connect 2`,
    ...(password === undefined ? [] : [`${neighbor} password ${password}`]),
    ...(transport === "multihop" && relation === "eBGP" ? [`${neighbor} ebgp-multihop 4`] : []),
  ];
}

/** bgpd.conf for the sessions. */
function frrConfig({ asn, sessions, globalLines = [], familyLines, topLines = [] }: FrrOptions): string {
  const families = FAMILIES.flatMap((family) => {
    const own = sessions.filter((session) => session.family === family);
    const lines = own.flatMap((session) => [
      `  neighbor ${session.device.address} activate`,
      `  neighbor ${session.device.address} soft-reconfiguration inbound`,
      ...(familyLines?.(session) ?? []).map((line) => `  ${line}`),
    ]);
    return [` address-family ${AFI[family]}`, ...lines, " exit-address-family"];
  });
  const number = numberOf("frr");
  const head = [
    `router bgp ${asn ?? asnOf("frr")}`,
    ` bgp router-id ${mainAddress.IPv4(number)}`,
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    " bgp graceful-restart stalepath-time 30",
    ...globalLines.map((line) => ` ${line}`),
  ];
  return [
    ...topLines,
    ...head,
    ...sessions.flatMap(sessionLines).map((line) => ` ${line}`),
    ...families,
    "!",
    "",
  ].join("\n");
}

interface FrrPath {
  valid?: boolean;
  stale?: boolean;
  peer?: { peerId?: string };
  aspath?: { segments?: { list: number[] }[] };
  locPrf?: number;
  localpref?: number;
  community?: { list: string[] };
  largeCommunity?: { list: string[] };
  nexthops?: { ip: string; scope?: string }[];
}

const DEFAULT_LOCAL_PREF = 100;

/** One path of `show bgp <afi> unicast <prefix> json`. FRR gives what eBGP did not send its own default: no locPrf then. */
function frrRoute(prefix: string, path: FrrPath): readonly [peer: string, route: Route] {
  const nextHop = path.nexthops?.find(({ scope }) => scope !== "link-local") ?? path.nexthops?.[0];
  return [
    path.peer?.peerId ?? "",
    normalise({
      prefix,
      nextHop: nextHop?.ip ?? "",
      asPath: path.aspath?.segments?.flatMap(({ list }) => list) ?? [],
      localPref: path.locPrf ?? path.localpref,
      communities: path.community?.list ?? [],
      largeCommunities: path.largeCommunity?.list ?? [],
      isStale: path.stale === true,
    }),
  ];
}

/** Answers to several commands, one after the other. */
function documents<T>(text: string): T[] {
  return text
    .split(/^}$/m)
    .filter((part) => part.trim() !== "")
    .map((part) => JSON.parse(`${part}}`) as T);
}

/** What every daemon of FRR is started with; what it makes itself is in `directory`. */
function commandOf(program: string, directory: string, configFile: string): [string, ...string[]] {
  return [
    `${FRR_DIRECTORY}/${program}`,
    ..."-P 0 --log stdout".split(" "),
    ...["-f", configFile, "-i", join(directory, `${program}.pid`)],
    ...["-z", join(directory, "zserv.api"), "--vty_socket", directory],
  ];
}

/**
 * bfdd without a configuration, beside the Frr of the same directory: bgpd tells it of its peers. Before everything
 * ordinary, so that its own lateness is none of ours.
 */
export function startBfdd({ namespace, directory }: { namespace: string; directory: string }): Daemon {
  const control = join(directory, "bfdd.sock");
  // An earlier one that was killed leaves it behind.
  rmSync(control, { force: true });
  return new Daemon({
    namespace,
    command: ["chrt", "-f", "20", ...commandOf("bfdd", directory, "/dev/null"), "--bfdctl", control],
    logFile: join(directory, "bfdd.log"),
  });
}

/** The kernel's limit on arguments is far away. */
const COMMANDS_AT_ONCE = 100;

export class Frr implements Router {
  readonly kind = "frr";
  readonly #options: FrrOptions;
  readonly #daemons: Daemon[] = [];

  private constructor(options: FrrOptions) {
    this.#options = options;
  }

  static async start(options: FrrOptions): Promise<Frr> {
    const router = new Frr(options);
    const { directory } = options;
    // The daemons give up root's rights.
    run("chown", "frr:frr", directory);
    writeFileSync(join(directory, "zebra.conf"), [...(options.zebraLines ?? []), ""].join("\n"));
    writeFileSync(join(directory, "bgpd.conf"), frrConfig(options));
    writeFileSync(join(directory, "vtysh.conf"), "");
    router.#run("zebra", []);
    await until("zebra's socket", () => existsSync(join(directory, "zserv.api")));
    router.#run("bgpd", ["-p", "179", ...(options.bgpdArguments ?? [])]);
    await until("bgpd's answer", () => router.json("show bgp summary json"));
    return router;
  }

  #run(program: string, more: readonly string[]): void {
    const { namespace, directory } = this.#options;
    const command = commandOf(program, directory, join(directory, `${program}.conf`));
    const logFile = join(directory, `${program}.log`);
    this.#daemons.push(new Daemon({ namespace, command: [...command, ...more], logFile }));
  }

  get pids(): number[] {
    return this.#daemons.map(({ pid }) => pid);
  }

  /** What bgpd has said; of each UPDATE where `debug bgp updates in` and `log stdout debugging` are among the lines. */
  log(): string {
    return this.#daemons.at(-1)?.log() ?? "";
  }

  checkAlive(): void {
    for (const daemon of this.#daemons) daemon.checkAlive();
  }

  /** Runs commands of bgpd's shell. */
  async shell(...commands: readonly string[]): Promise<string> {
    const { directory, namespace } = this.#options;
    const given = commands.flatMap((command) => ["-c", command]);
    return output(
      namespace,
      "vtysh",
      "--vty_socket",
      directory,
      "--config_dir",
      directory,
      "-d",
      "bgpd",
      ...given,
    );
  }

  async json<T = Record<string, unknown>>(command: string): Promise<T> {
    return JSON.parse(await this.shell(command)) as T;
  }

  async established(): Promise<Set<string>> {
    const all = await this.json<Record<string, { bgpState?: string }>>("show bgp neighbors json");
    return new Set(Object.keys(all).filter((address) => all[address]?.bgpState === "Established"));
  }

  async routes(family: Family): Promise<Map<string, Route[]>> {
    const table = await this.json<{ routes?: Record<string, unknown> }>(`show bgp ${AFI[family]} json`);
    const prefixes = Object.keys(table.routes ?? {});
    const external = new Set(
      this.#options.sessions
        .filter(({ relation }) => relation === "eBGP")
        .map(({ device }) => device.address),
    );
    const found: (readonly [string, Route])[] = [];
    for (let at = 0; at < prefixes.length; at += COMMANDS_AT_ONCE) {
      const part = prefixes.slice(at, at + COMMANDS_AT_ONCE);
      const text = await this.shell(...part.map((prefix) => `show bgp ${AFI[family]} ${prefix} json`));
      // A prefix that is withdrawn between the two commands has no paths.
      for (const { prefix, paths = [] } of documents<{ prefix: string; paths?: FrrPath[] }>(text)) {
        found.push(...paths.map((path) => frrRoute(prefix, path)));
      }
    }
    return byPeer(found.map(([peer, route]) => [peer, external.has(peer) ? withoutDefault(route) : route]));
  }

  async stop(): Promise<void> {
    for (const daemon of this.#daemons.splice(0).reverse()) await daemon.stop();
  }
}

/** FRR and BIRD show their default for a route that came without LOCAL_PREF; of an eBGP peer that is "not sent". */
export function withoutDefault({ localPref, ...route }: Route): Route {
  return localPref === undefined || localPref === DEFAULT_LOCAL_PREF ? route : { ...route, localPref };
}
