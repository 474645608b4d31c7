/** Three hosts with keepalived, for a comparison: VRRP over multicast or to named peers, one address of each family. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bridge, Host } from "../network/bridge.ts";

export interface VrrpOptions {
  /** As in the name of a row: "multicast" or "unicast". */
  readonly way: "multicast" | "unicast";
  /** Seconds between two advertisements. keepalived's own default is 1. */
  readonly interval: number;
  /** One of each family. */
  readonly vips: readonly string[];
}

/** Hosts of the same bridges are made once. */
const NAMES = ["k1", "k2", "k3"];
const FIRST_NUMBER = 71;

/** Its version; undefined where it is not installed. */
export function keepalivedVersion(): string | undefined {
  const { stderr, error } = spawnSync("keepalived", ["--version"], { encoding: "utf8" });
  return error === undefined ? /v(\d[\d.]*)/.exec(stderr)?.[1] : undefined;
}

export class KeepalivedHosts implements AsyncDisposable {
  /** In the order of their priority: the first one has the addresses while it lives. */
  readonly hosts: readonly Host[];
  readonly #directory = mkdtempSync(join(tmpdir(), "genkan-keepalived-"));
  readonly #options: VrrpOptions;
  readonly #running = new Map<string, ChildProcess>();

  constructor(bridge: Bridge, options: VrrpOptions) {
    this.#options = options;
    this.hosts = NAMES.map((name, at) => bridge.hosts.get(name) ?? bridge.add(name, FIRST_NUMBER + at));
    for (const host of this.hosts) this.start(host);
  }

  start(host: Host): void {
    const { name, namespace } = host;
    const file = (end: string): string => join(this.#directory, `${name}.${end}`);
    writeFileSync(file("conf"), this.#configuration(host));
    const words = [
      "keepalived",
      "-n",
      "-l",
      "-P",
      "-f",
      file("conf"),
      "-p",
      file("pid"),
      "-r",
      file("vrrp.pid"),
    ];
    const child = spawn("nsenter", [`--net=/run/netns/${namespace}`, ...words], {
      stdio: "ignore",
      detached: true,
    });
    this.#running.set(name, child);
  }

  /** Ends all processes of the host at once, as a crash would: what they gave to the kernel stays. */
  async kill(host: Host, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#running.get(host.name);
    if (child?.pid === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    // Its group: keepalived has a process for VRRP of its own.
    process.kill(signal === "SIGKILL" ? -child.pid : child.pid, signal);
    await ended;
    this.#running.delete(host.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await this.kill(host, "SIGTERM");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #configuration(host: Host): string {
    const { interval, way, vips } = this.#options;
    const rank = this.hosts === undefined ? 0 : NAMES.indexOf(host.name);
    const instances = vips.map((vip) => {
      const family = vip.includes(":") ? "IPv6" : "IPv4";
      const peers = NAMES.filter((name) => name !== host.name).map((name) => {
        const other = this.hosts.find((one) => one.name === name);
        return other?.addresses[family] ?? "";
      });
      const unicast = `unicast_src_ip ${host.addresses[family]}\n  unicast_peer {\n    ${peers.join("\n    ")}\n  }`;
      return `vrrp_instance ${family} {
  interface eth0
  state BACKUP
  virtual_router_id ${family === "IPv4" ? 51 : 52}
  priority ${150 - rank * 50}
  advert_int ${interval}
  ${way === "unicast" ? unicast : ""}
  virtual_ipaddress {
    ${vip}
  }
}`;
    });
    return `global_defs {\n  router_id ${host.name}\n  vrrp_version 3\n}\n${instances.join("\n")}\n`;
  }
}
