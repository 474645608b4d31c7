/** The sockets, files and the one child process through which forwarding reaches the kernel. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SysctlFiles } from "#speaker/forwarding/sysctl.ts";
import { ForwardingError } from "#speaker/forwarding/types.ts";
import { NetlinkSocket, PROTOCOL, type WriteCounter } from "#speaker/netlink/socket.ts";

const NFT_TIMEOUT_MS = 20_000;
const OUTPUT_LIMIT = 8192;

export interface ForwardingKernel {
  readonly route: NetlinkSocket;
  readonly netfilter: NetlinkSocket;
  readonly generic: NetlinkSocket;
  /** What all three sockets have written. */
  readonly counter: WriteCounter;
  readonly sysctls: SysctlFiles;
  /** Runs `nft -f -`; throws ForwardingError with what nft says. */
  readonly nft: (text: string) => Promise<void>;
  close(): void;
}

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

/** `sysctlRoot`: /proc/sys, or where it is mounted writably. Throws SocketError. */
export function openForwardingKernel({ sysctlRoot }: { readonly sysctlRoot: string }): ForwardingKernel {
  const counter: WriteCounter = { written: 0 };
  const sockets = [PROTOCOL.route, PROTOCOL.netfilter, PROTOCOL.generic].map(
    (protocol) => new NetlinkSocket(protocol, counter),
  );
  const [route, netfilter, generic] = sockets as [NetlinkSocket, NetlinkSocket, NetlinkSocket];
  return {
    route,
    netfilter,
    generic,
    counter,
    sysctls: sysctlFiles(sysctlRoot, counter),
    nft: (text) => runNft(text, counter),
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
}
