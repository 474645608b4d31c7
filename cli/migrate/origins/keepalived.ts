/**
 * keepalived.conf, by which one or two machines do for a cluster by hand what Genkan does: addresses that move by VRRP, and
 * IPVS to node ports. Its addresses become a pool; its virtual servers are Services with those addresses. Pure.
 */
import {
  ANNOTATION_ADDRESSES,
  ANNOTATION_HEALTH_CHECK,
  ANNOTATION_LOWER_THRESHOLD,
  ANNOTATION_OF_HEALTH_CHECK,
  ANNOTATION_SCHEDULER,
  ANNOTATION_UPPER_THRESHOLD,
} from "#api/names.ts";
import { SCHEDULERS } from "#api/scheduler.ts";
import type { Found } from "#cli/documents.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import { type Notes, partOf, type Spec, textOf } from "#cli/migrate/source.ts";

interface Block {
  readonly words: readonly string[];
  readonly statements: readonly (readonly string[])[];
  readonly blocks: readonly Block[];
}

const MAX_DEPTH = 20;

export const keepalived: Origin = {
  reads: () => false,
  readsText: (value) => typeof value === "string",
  convert: (founds, notes) => {
    const sources = founds.flatMap((found) => {
      const file = parse(textOf(found.object.data) ?? "");
      const servers = blocksOf(file, "virtual_server");
      const addresses = [...new Set([...vrrpAddresses(file), ...servers.map(({ words }) => words[1] ?? "")])];
      for (const server of servers) noteServer(found, server, notes);
      for (const { words } of file.blocks) {
        if (!["virtual_server", "vrrp_instance", "global_defs"].includes(words[0] ?? "")) {
          notes.addFound(found, `${words.join(" ")}: not carried over: nothing of ours corresponds to it`);
        }
      }
      noteScheduler(found, servers, notes);
      const spec: Spec = { protocol: "layer2", addresses: addresses.map(single), autoAssign: false };
      return addresses.length === 0
        ? []
        : [partOf(found, "AddressPool", { name: "keepalived", part: "addresses", spec })];
    });
    return { sources, installs: [] };
  },
};

/** An address without its length, which is that of the network and not of a pool. */
const single = (text: string): string => {
  const [address = ""] = text.split("/");
  return `${address}-${address}`;
};

const blocksOf = ({ blocks }: Block, word: string): Block[] =>
  blocks.filter(({ words }) => words[0] === word);

function vrrpAddresses(file: Block): string[] {
  return blocksOf(file, "vrrp_instance").flatMap((instance) =>
    instance.blocks
      .filter(({ words }) => words[0] === "virtual_ipaddress" || words[0] === "virtual_ipaddress_excluded")
      .flatMap(({ statements }) => statements.map(([address = ""]) => address.replace(/\/\d+$/, ""))),
  );
}

function noteServer(found: Found, { words, statements, blocks }: Block, notes: Notes): void {
  const [, address = "", port = ""] = words;
  const real = blocks
    .filter((block) => block.words[0] === "real_server")
    .map((block) => block.words.slice(1).join(":"));
  const protocol = settingOf(statements, "protocol") ?? "TCP";
  const annotations = [[ANNOTATION_ADDRESSES[0], address], ...annotationsOf(blocks)];
  const named = annotations.map(([name, value]) => `${name}: ${value}`).join(", ");
  const noun = annotations.length === 1 ? "annotation" : "annotations";
  notes.addFound(
    found,
    `virtual_server ${address} ${port} (${protocol}): its real servers ${real.join(", ")} are pods now: give their Service type LoadBalancer, port ${port} and the ${noun} ${named}`,
  );
}

const settingOf = (statements: Block["statements"], word: string): string | undefined =>
  statements.find(([name]) => name === word)?.[1];

const CHECKS: Readonly<Record<string, string>> = { TCP_CHECK: "tcp", HTTP_GET: "http", UDP_CHECK: "udp" };

/** What the first real server that says it is checked and limited by: a Service has one of each for all its pods. */
function annotationsOf(blocks: readonly Block[]): [name: string, value: string][] {
  const reals = blocks.filter(({ words }) => words[0] === "real_server");
  const check = reals
    .flatMap((real) => real.blocks)
    .find(({ words }) => CHECKS[words[0] ?? ""] !== undefined);
  const url = check?.blocks.find(({ words }) => words[0] === "url")?.statements ?? [];
  const limits = reals.flatMap(({ statements }) => statements);
  const all: [name: string, value: string | undefined][] = [
    [ANNOTATION_HEALTH_CHECK, CHECKS[check?.words[0] ?? ""]],
    [ANNOTATION_OF_HEALTH_CHECK.port, settingOf(check?.statements ?? [], "connect_port")],
    [ANNOTATION_OF_HEALTH_CHECK.path, settingOf(url, "path")],
    [ANNOTATION_OF_HEALTH_CHECK.status, settingOf(url, "status_code")],
    [ANNOTATION_UPPER_THRESHOLD, settingOf(limits, "uthreshold")],
    [ANNOTATION_LOWER_THRESHOLD, settingOf(limits, "lthreshold")],
  ];
  return all.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]));
}

function noteScheduler(found: Found, servers: readonly Block[], notes: Notes): void {
  const said = new Set(
    servers.flatMap(({ statements }) =>
      statements
        .filter(([name]) => name === "lb_algo" || name === "lvs_sched")
        .map(([, value = ""]) => value),
    ),
  );
  if (said.size === 0) return;
  const words = [...said].map((each) => (isKnown(each) ? each : `${each} (unknown to us)`)).join(", ");
  notes.addFound(
    found,
    `lb_algo ${words} is not carried over: with the default, mh, flows survive a move; spec.forwarding.scheduler of the LoadBalancer changes it for all Services, and the annotation ${ANNOTATION_SCHEDULER} for one`,
  );
}

const isKnown = (scheduler: string): boolean => SCHEDULERS.some((each) => each === scheduler);

/** Words, and blocks in braces; `#` and `!` begin comments. */
function parse(text: string): Block {
  const lines = text.split("\n").map((line) => line.replace(/[#!].*$/, ""));
  const tokens = lines.flatMap((line) => [...(line.match(/[{}]|"[^"]*"|[^\s{}"]+/g) ?? []), "\n"]);
  let at = 0;
  const block = (words: readonly string[], depth: number): Block => {
    const statements: string[][] = [];
    const blocks: Block[] = [];
    let statement: string[] = [];
    const end = (): void => {
      if (statement.length > 0) statements.push(statement);
      statement = [];
    };
    while (at < tokens.length) {
      const token = tokens[at++] ?? "";
      if (token === "}") break;
      if (token === "{") {
        // A brace on a line of its own opens the block of the line before.
        const opening = statement.length > 0 ? statement : (statements.pop() ?? []);
        statement = [];
        if (depth < MAX_DEPTH) blocks.push(block(opening, depth + 1));
      } else if (token === "\n") end();
      else statement.push(token.replaceAll('"', ""));
    }
    end();
    return { words, statements, blocks };
  };
  return block([], 0);
}
