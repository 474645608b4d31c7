/** The speakers that bench/bgp.ts measures: each announces and withdraws prefixes to FRR in one order. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Device } from "#test/interop/bgp-device.ts";
import { peerView, planOf } from "#test/interop/cells.ts";
import { exabgpConfig } from "#test/interop/exabgp.ts";
import { gobgpConfig } from "#test/interop/gobgp.ts";
import { Daemon, output } from "#test/interop/process.ts";
import { mainAddress, type Session, type Side } from "#test/interop/session.ts";
import { until } from "#test/until.ts";

export interface BenchSpeaker {
  readonly name: "genkan" | "gobgp" | "exabgp";
  readonly sessions: readonly Session[];
  readonly pid: number;
  /** An order that does nothing: what a program that gives it costs. */
  readonly idle?: () => Promise<void>;
  /** What comes before the clock runs: nothing is announced yet. */
  prepare(count: number): Promise<void>;
  announce(count: number): Promise<void>;
  withdraw(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface SpeakerOptions {
  readonly namespace: string;
  readonly directory: string;
  readonly sessions: readonly Session[];
}

/** 198.18.0.0/32 and so on. */
export const prefixOf = (at: number): string => `198.18.${at >> 8}.${at & 255}/32`;
const prefixes = (count: number): string[] => Array.from({ length: count }, (_, at) => prefixOf(at));

export async function genkan({ namespace, sessions }: SpeakerOptions): Promise<BenchSpeaker> {
  const device = new Device(namespace);
  await device.reconcile(planOf(sessions.map(peerView)));
  return {
    name: "genkan",
    sessions,
    pid: device.pid,
    prepare: async () => {},
    announce: (count) => device.announce(count),
    withdraw: () => device.announce(0),
    stop: () => device.stop("leave"),
  };
}

/** As a router's neighbour, so the ends of its sessions change places. */
const turned = (session: Session): Session => ({ ...session, device: session.peer, peer: session.device });

/** A loopback address would be refused as a next hop. */
const FEEDER = { address: mainAddress.IPv4(0), asn: 64_900 } as const;
const GOBGP_PORT = 1_179;

/** A BIRD that gives GoBGP its prefixes: its own ways in are a program for each prefix, or lose some. */
async function feeder(
  { namespace, directory }: SpeakerOptions,
  { address: gobgpAddress, asn }: Side,
): Promise<{ feed(count: number): Promise<void>; starve(): Promise<void>; stop(): Promise<void> }> {
  const config = join(directory, "feeder.conf");
  const socket = join(directory, "feeder.ctl");
  const write = (count: number): void => {
    const routes = prefixes(count).map((prefix) => `  route ${prefix} blackhole;`);
    const session = `protocol bgp feed { local ${FEEDER.address} port 1180 as ${FEEDER.asn}; neighbor ${gobgpAddress} port ${GOBGP_PORT} as ${asn};
  multihop; connect delay time 1; connect retry time 1; error wait time 1, 1; ipv4 { import none; export where source = RTS_STATIC; next hop self; }; }`;
    const text = [
      `router id ${FEEDER.address};`,
      "protocol device {}",
      "protocol static fed {",
      "  ipv4;",
      ...routes,
      "}",
      session,
      "",
    ];
    writeFileSync(config, text.join("\n"));
  };
  write(0);
  const command = ["bird", "-f", "-c", config, "-s", socket, "-P", join(directory, "feeder.pid")] as const;
  const daemon = new Daemon({ namespace, command, logFile: join(directory, "feeder.log") });
  const shell = (...words: string[]): Promise<string> => output(namespace, "birdc", "-s", socket, ...words);
  return {
    starve: async () => {
      await shell("disable", "feed");
    },
    feed: async (count) => {
      write(count);
      await until("bird to take its configuration", () => shell("configure"));
      await shell("enable", "feed");
    },
    stop: () => daemon.stop(),
  };
}

/**
 * GoBGP took the prefixes in behind a policy that let nothing out; the order is to send again. Its program for orders
 * is in its figure.
 */
export async function gobgp(options: SpeakerOptions): Promise<BenchSpeaker> {
  const { namespace, directory, sessions } = options;
  const config = join(directory, "gobgp.yaml");
  const { address: own = "", asn = 0 } = sessions[0]?.device ?? {};
  const text = gobgpConfig({
    ...options,
    sessions: sessions.map(turned),
    asn,
    listen: { port: GOBGP_PORT, addresses: [own] },
    neighbors: [
      {
        config: { "neighbor-address": FEEDER.address, "peer-as": FEEDER.asn },
        transport: { config: { "passive-mode": true } },
        timers: { config: { "idle-hold-time-after-reset": 1 } },
        "ebgp-multihop": { config: { enabled: true, "multihop-ttl": 4 } },
      },
    ],
  });
  writeFileSync(config, text);
  const daemon = new Daemon({
    namespace,
    command: ["gobgpd", "-t", "yaml", "-f", config, "--pprof-disable", "--api-hosts", "127.0.0.1:50051"],
    logFile: join(directory, "gobgp.log"),
  });
  const order = (...words: string[]): Promise<string> => output(namespace, "gobgp", ...words);
  await until("gobgpd's answer", () => order("neighbor"));
  const { feed, starve, stop } = await feeder(options, { address: own, asn });
  return {
    name: "gobgp",
    sessions,
    pid: daemon.pid,
    prepare: async (count) => {
      await order("global", "policy", "export", "set", "default", "reject");
      await feed(count);
      const isFed = async (): Promise<boolean> => {
        const summary = await order("global", "rib", "summary");
        if (summary.includes(`Destination: ${count},`)) return true;
        throw new Error(summary);
      };
      await until(`${count} prefixes in its table`, isFed, { deadlineMs: 20_000 });
      // Nothing is sent for that alone.
      await order("global", "policy", "export", "set", "default", "accept");
    },
    idle: async () => {
      await order("neighbor");
    },
    announce: async () => {
      await order("neighbor", "all", "softresetout");
    },
    // The session that they came by ends: nothing that is sent again takes a prefix back.
    withdraw: starve,
    stop: async () => {
      await stop();
      await daemon.stop();
    },
  };
}

const PREFIXES_A_LINE = 500;

/** ExaBGP reads commands that name many prefixes each: its fastest way in. */
export async function exabgp({ namespace, directory, sessions }: SpeakerOptions): Promise<BenchSpeaker> {
  const pipe = join(directory, "orders");
  execFileSync("mkfifo", [pipe]);
  const config = join(directory, "exabgp.conf");
  const process = `process orders {\n  run /bin/sh -c 'exec cat <>${pipe}';\n  encoder text;\n}\n`;
  const neighbors = exabgpConfig({ namespace, directory, sessions: sessions.map(turned) })
    .replace(/^process recorder \{[^}]*\}\n/m, process)
    .replaceAll(/ {2}api \{.*\}$/gm, "  api { processes [ orders ]; }");
  writeFileSync(config, neighbors);
  const daemon = new Daemon({
    namespace,
    command: ["exabgp", config],
    logFile: join(directory, "exabgp.log"),
    environment: {
      "exabgp.daemon.user": "root",
      "exabgp.daemon.drop": "false",
      "exabgp.api.cli": "false",
      "exabgp.api.ack": "false",
      "exabgp.log.destination": "stdout",
      "exabgp.log.processes": "false",
      "exabgp.log.reactor": "false",
    },
  });
  const orders = await open(pipe, "r+");
  const order = async (verb: string, count: number): Promise<void> => {
    const all = prefixes(count);
    const lines: string[] = [];
    for (let at = 0; at < count; at += PREFIXES_A_LINE) {
      lines.push(`${verb} attributes next-hop self nlri ${all.slice(at, at + PREFIXES_A_LINE).join(" ")}\n`);
    }
    await orders.write(lines.join(""));
  };
  return {
    name: "exabgp",
    sessions,
    pid: daemon.pid,
    prepare: async () => {},
    announce: async (count) => order("announce", count),
    withdraw: async (count) => order("withdraw", count),
    stop: async () => {
      await daemon.stop();
      await orders.close();
    },
  };
}
