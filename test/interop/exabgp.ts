/** ExaBGP: it keeps no table, so its JSON messages are recorded and summed up here. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Family } from "#api/address.ts";
import { until } from "#test/until.ts";
import { Daemon } from "./process.ts";
import { normalise, type Route } from "./route.ts";
import { byPeer, type Router, type RouterOptions } from "./router.ts";
import { mainAddress, numberOf, type Session } from "./session.ts";

export interface ExabgpOptions extends RouterOptions {
  /** Routes that it announces on every session, as its configuration has them. */
  readonly routes?: readonly string[];
}

function neighborOf(
  { device, peer, family, relation, transport, password }: Session,
  routes: readonly string[],
): string {
  return `neighbor ${device.address} {
  router-id ${mainAddress.IPv4(numberOf("exabgp"))};
  local-address ${peer.address};
  local-as ${peer.asn};
  peer-as ${device.asn};
  hold-time 9;
  ${password === undefined ? "" : `md5-password '${password}';`}
  ${transport === "multihop" && relation === "eBGP" ? "outgoing-ttl 4;" : ""}
  capability { graceful-restart 30; }
  family { ${family.toLowerCase()} unicast; }
  api { processes [ recorder ]; neighbor-changes; receive { parsed; update; notification; } }
  ${routes.length === 0 ? "" : `static {\n${routes.map((route) => `route ${route};`).join("\n")}\n}`}
}`;
}

export function exabgpConfig({ sessions, directory, routes = [] }: ExabgpOptions): string {
  // The shell stays: a process that closes its standard output counts as dead.
  const recorder = `process recorder {
  run /bin/sh -c 'cat >>${join(directory, "messages.jsonl")}; true';
  encoder json;
}`;
  return [recorder, ...sessions.map((session) => neighborOf(session, routes)), ""].join("\n");
}

interface ExabgpMessage {
  type: string;
  neighbor: {
    address: { peer: string };
    /** Of states. */
    state?: string;
    message?: {
      update?: {
        attribute?: Record<string, unknown>;
        announce?: Record<string, Record<string, { nlri: string }[]>>;
        withdraw?: Record<string, { nlri: string }[]>;
      };
    };
  };
}

const lists = (value: unknown): number[][] => (Array.isArray(value) ? (value as number[][]) : []);

function routesOf(message: ExabgpMessage, family: Family): Route[] {
  const update = message.neighbor.message?.update;
  const attribute = update?.attribute ?? {};
  const preference = attribute["local-preference"];
  const announced = update?.announce?.[`${family.toLowerCase()} unicast`] ?? {};
  // A link-local next hop stands beside the global one (RFC 2545 section 3), which goes last and wins.
  const hops = Object.entries(announced).sort(
    ([a], [b]) => Number(b.startsWith("fe80")) - Number(a.startsWith("fe80")),
  );
  return hops.flatMap(([nextHop, entries]) =>
    entries
      .filter(({ nlri }) => nlri !== undefined)
      .map(({ nlri }) =>
        normalise({
          prefix: nlri,
          nextHop,
          asPath: Array.isArray(attribute["as-path"]) ? (attribute["as-path"] as number[]) : [],
          localPref: typeof preference === "number" ? preference : undefined,
          communities: lists(attribute.community).map((pair) => pair.join(":")),
          largeCommunities: lists(attribute["large-community"]).map((triple) => triple.join(":")),
        }),
      ),
  );
}

/** What a router with a table would hold after these messages; a session that ends takes its routes away. */
function summed(messages: readonly ExabgpMessage[], family: Family): Map<string, Map<string, Route>> {
  const tables = new Map<string, Map<string, Route>>();
  for (const message of messages) {
    const peer = message.neighbor.address.peer;
    const table = tables.get(peer) ?? new Map<string, Route>();
    tables.set(peer, table);
    if (message.type === "state" && message.neighbor.state === "down") table.clear();
    const withdrawn = message.neighbor.message?.update?.withdraw?.[`${family.toLowerCase()} unicast`] ?? [];
    for (const { nlri } of withdrawn) table.delete(nlri);
    for (const route of routesOf(message, family)) table.set(route.prefix, route);
  }
  return tables;
}

export class Exabgp implements Router {
  readonly kind = "exabgp";
  readonly #options: ExabgpOptions;
  readonly #daemon: Daemon;

  private constructor(options: ExabgpOptions) {
    this.#options = options;
    const { namespace, directory } = options;
    writeFileSync(join(directory, "exabgp.conf"), exabgpConfig(options));
    writeFileSync(join(directory, "messages.jsonl"), "");
    this.#daemon = new Daemon({
      namespace,
      command: ["exabgp", join(directory, "exabgp.conf")],
      logFile: join(directory, "exabgp.log"),
      environment: {
        "exabgp.daemon.user": "root",
        "exabgp.daemon.drop": "false",
        "exabgp.api.cli": "false",
        "exabgp.log.destination": "stdout",
        "exabgp.tcp.bind": "0.0.0.0 ::",
      },
    });
  }

  static async start(options: ExabgpOptions): Promise<Exabgp> {
    const router = new Exabgp(options);
    await until("exabgp to run", () => {
      router.checkAlive();
      return /loaded new configuration/.test(router.#daemon.log());
    });
    return router;
  }

  get pids(): number[] {
    return [this.#daemon.pid];
  }

  checkAlive(): void {
    this.#daemon.checkAlive();
  }

  messages(): ExabgpMessage[] {
    const text = readFileSync(join(this.#options.directory, "messages.jsonl"), "utf8");
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as ExabgpMessage);
  }

  async established(): Promise<Set<string>> {
    const states = new Map<string, string | undefined>();
    for (const { type, neighbor } of this.messages()) {
      if (type === "state") states.set(neighbor.address.peer, neighbor.state);
    }
    return new Set([...states].filter(([, state]) => state === "up").map(([address]) => address));
  }

  async routes(family: Family): Promise<Map<string, Route[]>> {
    const tables = [...summed(this.messages(), family)];
    return byPeer(
      tables.flatMap(([peer, table]) => [...table.values()].map((route) => [peer, route] as const)),
    );
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }
}
