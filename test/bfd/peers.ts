/** Foreign BFD in a namespace: FRR's bfdd (with the zebra that it needs) and BIRD. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FRR_DIRECTORY } from "#test/interop/frr.ts";
import { Daemon, output } from "#test/interop/process.ts";
import { run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";

/** Before everything ordinary, so that their own lateness is none of ours. */
const REAL_TIME = ["chrt", "-f", "20"];

export interface FrrPeer {
  /** Of the device. */
  readonly address: string;
  readonly localAddress?: string;
  readonly link?: string;
  readonly isMultihop?: boolean;
  readonly intervalMs: number;
  readonly multiplier?: number;
  readonly hasEcho?: boolean;
  readonly isPassive?: boolean;
}

/** Of `show bfd peers json`. */
export interface FrrSession {
  readonly peer: string;
  readonly status: string;
  readonly diagnostic: string;
  readonly "remote-diagnostic": string;
  readonly "remote-receive-interval": number;
  readonly "remote-transmit-interval": number;
  readonly "remote-detect-multiplier": number;
}

export interface FrrCounters {
  readonly peer: string;
  readonly "session-down": number;
  readonly "echo-packet-input": number;
}

function peerLines(peer: FrrPeer): string[] {
  const { address, localAddress, link, isMultihop = false, intervalMs } = peer;
  const head = [
    ` peer ${address}`,
    isMultihop ? "multihop" : "",
    localAddress === undefined ? "" : `local-address ${localAddress}`,
    link === undefined ? "" : `interface ${link}`,
  ];
  return [
    head.filter((part) => part !== "").join(" "),
    `  detect-multiplier ${peer.multiplier ?? 3}`,
    `  receive-interval ${intervalMs}`,
    `  transmit-interval ${intervalMs}`,
    ...(isMultihop ? ["  minimum-ttl 1"] : []),
    ...(peer.isPassive === true ? ["  passive-mode"] : []),
    ...(peer.hasEcho === true
      ? ["  echo-mode", `  echo transmit-interval ${intervalMs}`, `  echo receive-interval ${intervalMs}`]
      : []),
    " exit",
  ];
}

export class FrrBfd {
  readonly #namespace: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "genkan-bfd-"));
  readonly #zebra: Daemon;
  #bfdd: Daemon | undefined;

  constructor(namespace: string, peers: readonly FrrPeer[]) {
    this.#namespace = namespace;
    // The daemons give up root's rights.
    run("chown", "frr:frr", this.#directory);
    const write = (name: string, text: string): void => writeFileSync(this.#path(name), text);
    write("zebra.conf", "");
    write("vtysh.conf", "");
    write("bfdd.conf", ["bfd", ...peers.flatMap(peerLines), "exit", ""].join("\n"));
    this.#zebra = this.#daemon("zebra", []);
  }

  async start(): Promise<void> {
    await until("zebra's socket", () => existsSync(this.#path("zserv.api")));
    rmSync(this.#path("bfdd.sock"), { force: true });
    this.#bfdd = this.#daemon("bfdd", ["--bfdctl", this.#path("bfdd.sock")], REAL_TIME);
  }

  get pid(): number {
    return this.#bfdd?.pid ?? 0;
  }

  /** Without a word to anybody. */
  async kill(): Promise<void> {
    await this.#bfdd?.stop("SIGKILL");
    this.#bfdd = undefined;
  }

  shell(...commands: readonly string[]): Promise<string> {
    const flags = commands.flatMap((command) => ["-c", command]);
    return output(this.#namespace, "vtysh", "--vty_socket", this.#directory, ...flags);
  }

  async sessions(): Promise<readonly FrrSession[]> {
    return JSON.parse(await this.shell("show bfd peers json"));
  }

  async counters(): Promise<readonly FrrCounters[]> {
    return JSON.parse(await this.shell("show bfd peers counters json"));
  }

  async stop(): Promise<void> {
    await this.#bfdd?.stop();
    await this.#zebra.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #daemon(program: string, more: readonly string[], wrapper: readonly string[] = []): Daemon {
    const files = ["-f", this.#path(`${program}.conf`), "-i", this.#path(`${program}.pid`)];
    const sockets = ["-z", this.#path("zserv.api"), "--vty_socket", this.#directory];
    const command = [
      `${FRR_DIRECTORY}/${program}`,
      "-P",
      "0",
      "--log",
      "stdout",
      ...files,
      ...sockets,
      ...more,
    ];
    const [first = "", ...rest] = [...wrapper, ...command];
    return new Daemon({
      namespace: this.#namespace,
      command: [first, ...rest],
      logFile: this.#path(`${program}.log`),
    });
  }
}

export interface BirdPeer {
  readonly address: string;
  readonly localAddress?: string;
  readonly isMultihop?: boolean;
}

export class BirdBfd {
  readonly #namespace: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "genkan-bfd-"));
  readonly #daemon: Daemon;

  constructor(namespace: string, peers: readonly BirdPeer[], intervalMs: number) {
    this.#namespace = namespace;
    const timers = `min rx interval ${intervalMs} ms; min tx interval ${intervalMs} ms; multiplier 3;`;
    const neighbors = peers.map(({ address, localAddress, isMultihop }) =>
      isMultihop === true
        ? `  neighbor ${address} local ${localAddress} multihop on;`
        : `  neighbor ${address} dev "eth0"${localAddress === undefined ? "" : ` local ${localAddress}`};`,
    );
    const text = [
      "router id 10.0.2.250;",
      "protocol device {}",
      "protocol bfd {",
      `  interface "eth0" { ${timers} };`,
      `  multihop { ${timers} };`,
      ...neighbors,
      "}",
      "",
    ];
    writeFileSync(this.#path("bird.conf"), text.join("\n"));
    this.#daemon = new Daemon({
      namespace,
      command: [
        "chrt",
        ...REAL_TIME.slice(1),
        "bird",
        ...["-f", "-c", this.#path("bird.conf"), "-s", this.#path("bird.ctl"), "-P", this.#path("bird.pid")],
      ],
      logFile: this.#path("bird.log"),
    });
  }

  /** "10.0.0.1" -> "Up" */
  async states(): Promise<ReadonlyMap<string, string>> {
    const text = await output(
      this.#namespace,
      "birdc",
      "-s",
      this.#path("bird.ctl"),
      "show",
      "bfd",
      "sessions",
    );
    const rows = text.split("\n").map((line) => line.trim().split(/\s+/));
    return new Map(
      rows.flatMap(([address = "", , state = ""]) =>
        /^[\da-f]+[.:]/.test(address) ? [[address, state]] : [],
      ),
    );
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#daemon.stop(signal);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}
