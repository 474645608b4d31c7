/** The sockets, files and the one child process through which forwarding reaches the kernel. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PORT } from "#api/names.ts";
import { ConnectionSync, type SyncDatagrams } from "#speaker/forwarding/connection-sync.ts";
import { named } from "#speaker/forwarding/elements.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { KernelRoutes } from "#speaker/forwarding/routes.ts";
import { HEARD, TABLE } from "#speaker/forwarding/sets.ts";
import { KernelSkeleton } from "#speaker/forwarding/skeleton.ts";
import { SYNC_GROUP } from "#speaker/forwarding/sync-rules.ts";
import type { SysctlFiles } from "#speaker/forwarding/sysctl.ts";
import { TunnelEnds } from "#speaker/forwarding/tunnel-ends.ts";
import { ForwardingError } from "#speaker/forwarding/types.ts";
import { DatagramSender } from "#speaker/native/datagram.ts";
import { formatAddress } from "#speaker/netlink/bytes.ts";
import { GueListeners } from "#speaker/netlink/fou.ts";
import { Ipvs } from "#speaker/netlink/ipvs.ts";
import { IpvsDaemons } from "#speaker/netlink/ipvs-daemon.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import { NftTable } from "#speaker/netlink/nftables.ts";
import { NetlinkSocket, PROTOCOL, type WriteCounter } from "#speaker/netlink/socket.ts";

const NFT_TIMEOUT_MS = 20_000;
const OUTPUT_LIMIT = 8192;
/** Of the network namespace that this process is in. */
const CONNECTIONS = "/proc/net/ip_vs_conn_sync";
const CHUNK_BYTES = 65_536;

function sysctlFiles(root: string, counter: WriteCounter): SysctlFiles {
  const path = (name: string): string => join(root, name.replaceAll(".", "/"));
  return {
    read(name) {
      try {
        return readFileSync(path(name), "utf8").trim();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    write(name, value) {
      counter.written += 1;
      try {
        writeFileSync(path(name), value);
      } catch (cause) {
        const { code = "" } = cause as NodeJS.ErrnoException;
        throw new ForwardingError("SysctlNotWritable", `${path(name)} = ${value}: ${code}`, { cause });
      }
    },
  };
}

function runNft(text: string, counter: WriteCounter): Promise<void> {
  counter.written += 1;
  return new Promise((resolve, reject) => {
    const child = spawn("nft", ["-f", "-"], { stdio: ["pipe", "ignore", "pipe"], timeout: NFT_TIMEOUT_MS });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (said.length < OUTPUT_LIMIT) said += chunk.toString();
    });
    child.on("error", (cause) =>
      reject(new ForwardingError("NoNftables", `nft does not start: ${cause.message}`, { cause })),
    );
    child.on("close", (status) => {
      if (status === 0) resolve();
      else {
        const fault = said.includes("Operation not permitted") ? "NoNetAdmin" : "NoNftables";
        reject(
          new ForwardingError(fault, `nft ended with ${status ?? "a signal"}: ${said.slice(0, 1000).trim()}`),
        );
      }
    });
    // nft may end before it has read everything; its exit status says why.
    child.stdin.on("error", () => undefined);
    child.stdin.end(text);
  });
}

/** Of a file that may be long, read as they are taken. Throws Error with `code`. */
function* linesOf(path: string): Generator<string> {
  const file = openSync(path, "r");
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let begun = "";
    for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
      const lines = (begun + chunk.toString("latin1", 0, bytes)).split("\n");
      begun = lines.pop() ?? "";
      yield* lines;
    }
  } finally {
    closeSync(file);
  }
}

/** Throws SocketError. */
function sendToGroup({ family, from, link, isKeptHere, messages }: SyncDatagrams): void {
  const to = { address: SYNC_GROUP[family], port: PORT.sync };
  const sender = new DatagramSender({ family, address: from, link, ports: [0], to, hops: 1, isKeptHere });
  try {
    for (const message of messages) sender.send(message);
  } finally {
    sender.close();
  }
}

function connectionSync(sockets: {
  readonly route: NetlinkSocket;
  readonly generic: NetlinkSocket;
  readonly table: NftTable;
}): ConnectionSync {
  const { route, generic, table } = sockets;
  return new ConnectionSync({
    daemons: new IpvsDaemons(generic),
    mtuOf: (link) => listLinks(route).find(({ name }) => name === link)?.mtu,
    heard(family) {
      const elements = table.elements(named(HEARD, family));
      return new Set(elements.map(({ key }) => formatAddress(Buffer.from(key, "hex"))));
    },
    send: sendToGroup,
    connections: () => linesOf(CONNECTIONS),
  });
}

export interface KernelOptions {
  /** /proc/sys, or where it is mounted writably. */
  readonly sysctlRoot: string;
  /** Stands between us and `nft -f -`; a test watches there. */
  readonly aroundNft?: (run: (text: string) => Promise<void>, text: string) => Promise<void>;
}

/** Throws SocketError. */
export function openForwardingKernel({ sysctlRoot, aroundNft }: KernelOptions): ForwardingKernel {
  const counter: WriteCounter = { written: 0 };
  const opened: NetlinkSocket[] = [];
  const open = (protocol: number): NetlinkSocket => {
    const socket = new NetlinkSocket(protocol, counter);
    opened.push(socket);
    return socket;
  };
  const close = (): void => {
    for (const socket of opened) socket.close();
  };
  try {
    const route = open(PROTOCOL.route);
    const table = new NftTable(open(PROTOCOL.netfilter), TABLE, open(PROTOCOL.netfilter));
    const run = (text: string): Promise<void> => runNft(text, counter);
    const nft = aroundNft === undefined ? run : (text: string) => aroundNft(run, text);
    const generic = open(PROTOCOL.generic);
    const sync = connectionSync({ route, generic, table });
    const sysctls = sysctlFiles(sysctlRoot, counter);
    const ends = new TunnelEnds({ route, sysctls, gue: new GueListeners(generic) });
    return {
      servers: new Ipvs(generic, open(PROTOCOL.generic)),
      elements: table,
      routes: new KernelRoutes(route, open(PROTOCOL.route)),
      skeleton: new KernelSkeleton({ route, table, nft, sync, ends, sysctls }),
      counter,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
