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

function choiceOf(client: Client, port: ForwardedPort): Pick<Choice, "pod" | "why"> {
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

export function connectionStep({ address, port }: Client, choices: readonly Choice[]): Step {
  const from = `${address} port ${port}`;
  const details = choices.map(
    ({ node, vip, port: to, pod, why }) => `${node}: ${vip} ${to} -> ${pod ?? why}`,
  );
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
