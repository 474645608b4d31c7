/** Which pod one connection goes to on each node, by the table that its kernel has (cli/maglev/table.ts). Pure. */
import { familyOf, parseAddress, parsePrefix, rangeOf } from "#api/address.ts";
import { DEFAULT_SCHEDULER } from "#api/scheduler.ts";
import type { Client } from "#cli/explain/client.ts";
import { type Step, step } from "#cli/explain/step.ts";
import { pick, tableOf } from "#cli/maglev/table.ts";
import { marksOfPort, planServer } from "#speaker/forwarding/plan-port.ts";
import { DEFAULT_SETTINGS, type ForwardedPort } from "#speaker/forwarding/types.ts";

export interface Choice {
  readonly node: string;
  /** Of the pod, without its port; with `pod`. */
  readonly address?: string;
  readonly vip: string;
  /** `TCP/80` */
  readonly port: string;
  /** Where a new connection goes; undefined: nowhere. */
  readonly pod?: string;
  /** Why nowhere, or why it cannot be said. */
  readonly why?: string;
}

/** `forwarded`: what each node forwards for the Service. */
export function choicesOf(
  client: Client,
  forwarded: ReadonlyMap<string, readonly ForwardedPort[]>,
): readonly Choice[] {
  const family = familyOf(client.address);
  return [...forwarded].flatMap(([node, ports]) =>
    ports
      .filter((port) => port.family === family)
      .map((port) => ({
        node,
        vip: port.vip,
        port: `${port.protocol}/${port.port}`,
        ...choiceOf(client, port),
      })),
  );
}

function choiceOf(client: Client, port: ForwardedPort): Pick<Choice, "pod" | "address" | "why"> {
  if (port.sourceRanges !== undefined && !isAdmitted(client.address, port.sourceRanges))
    return { why: "loadBalancerSourceRanges does not admit the client" };
  const [tier1] = marksOfPort(port, DEFAULT_SETTINGS);
  if (tier1 === undefined) return { why: "it has no usable endpoint: refused" };
  if (port.scheduler !== DEFAULT_SCHEDULER)
    return { why: `the scheduler ${port.scheduler} does not decide by the client` };
  const targets = planServer(port, tier1).realServers;
  const target = pick({ table: tableOf(targets), targets }, client, !port.affinity);
  if (target === undefined) return { why: "no endpoint takes new connections" };
  return {
    address: target.address,
    pod: `${familyOf(target.address) === "IPv6" ? `[${target.address}]` : target.address}:${target.port}`,
  };
}

function isAdmitted(text: string, ranges: readonly string[]): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  return ranges
    .map((range) => rangeOf(parsePrefix(range)))
    .some(
      ({ family, first, last }) =>
        family === address.family && first <= address.value && address.value <= last,
    );
}

/** What would be otherwise for this connection: `if 10.0.0.1 left`, and where it would go then. */
export interface Otherwise {
  readonly event: string;
  readonly choices: readonly Choice[];
}

/** A Service of several ports, or with Local, has several pods for one client. */
const MOST_PODS = 8;

/**
 * For each pod that is picked: if it left, and if its node died with all that is on it. As it is once the lists are without
 * them. `nodeOf`: of a pod; "" of none.
 */
export function otherwise(
  client: Client,
  forwarded: ReadonlyMap<string, readonly ForwardedPort[]>,
  nodeOf: (address: string) => string,
): readonly Otherwise[] {
  const picked = new Set(choicesOf(client, forwarded).flatMap(({ address }) => address ?? []));
  const without = (isGone: (address: string) => boolean, dead?: string): readonly Choice[] =>
    choicesOf(
      client,
      new Map(
        [...forwarded]
          .filter(([node]) => node !== dead)
          .map(([node, ports]) => [
            node,
            ports.map((port) => ({
              ...port,
              endpoints: port.endpoints.filter(({ address }) => !isGone(address)),
            })),
          ]),
      ),
    );
  return [...picked].slice(0, MOST_PODS).flatMap((pod) => {
    const node = nodeOf(pod);
    const left = { event: `if ${pod} left`, choices: without((address) => address === pod) };
    if (node === "") return [left];
    return [
      left,
      { event: `if ${node}, its node, died`, choices: without((address) => nodeOf(address) === node, node) },
    ];
  });
}

/** One line for all nodes that say the same. */
function linesOf({ event, choices }: Otherwise): string[] {
  const lines = choices.map(({ vip, port, pod, why }) => `${event}: ${vip} ${port} -> ${pod ?? why}`);
  return [...new Set(lines)];
}

export function connectionStep(
  { address, port }: Client,
  choices: readonly Choice[],
  changes: readonly Otherwise[] = [],
): Step {
  const from = `${address} port ${port}`;
  const details = choices.map(
    ({ node, vip, port: to, pod, why }) => `${node}: ${vip} ${to} -> ${pod ?? why}`,
  );
  details.push(...changes.flatMap(linesOf));
  if (choices.length === 0)
    return step("connection", false, `no node forwards anything of this family to ${from}`, details);
  const pods = new Set(choices.map(({ vip, port: to, pod }) => `${vip} ${to} ${pod}`));
  const ports = new Set(choices.map(({ vip, port: to }) => `${vip} ${to}`));
  const broken = choices.find(({ pod }) => pod === undefined);
  if (broken !== undefined) return step("connection", false, `${broken.node}: ${broken.why}`, details);
  const agreed = pods.size === ports.size;
  const says = agreed
    ? "all nodes pick the same pod"
    : "nodes pick different pods, each of its own (externalTrafficPolicy Local)";
  return step("connection", true, `a new connection from ${from}: ${says}`, details);
}
