/**
 * A node's forwarding as an older build left it, made of ours: its tier 2 had one virtual server for each port, of a mark
 * without a tag, and no number of a pod in packets. Pure.
 */
import type { Family } from "#api/address.ts";
import { matchesOf, outOf } from "#speaker/forwarding/encapsulation.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { DEFAULT_SETTINGS } from "#speaker/forwarding/types.ts";
import { BOTH, destinationOf, type Words } from "#speaker/forwarding/words.ts";

/** A port of a Service, as far as tier 2 goes. Pods and the address are of `family`. */
export interface OlderPort {
  readonly id: number;
  readonly family: Family;
  readonly vip: string;
  readonly pods: readonly { readonly address: string; readonly isLocal: boolean }[];
}

const { routingBit } = DEFAULT_SETTINGS;
const WIDTHS = { "4": "ipv4_addr", "6": "ipv6_addr" } as const;

export const olderMark = (id: number): number => markOf(id, 2, routingBit);

const destination = ({ ip, digit }: Words, tier: 1 | 2): string =>
  `meta mark set ${destinationOf({ ip } as Words)} map @tier${tier}v${digit} return`;

/** For `nft -f`: TCP port 80 of each. */
export function olderTable(ports: readonly OlderPort[]): string {
  const chains = ["decap", "handed_on4", "handed_on6", "in"];
  const newer = ["handed", "handed_error", "tags"].flatMap((map) => [`${map}4`, `${map}6`]);
  const rule = (chain: string, text: string): string => `add rule inet genkan ${chain} ${text}`;
  return [
    ...chains.map((chain) => `flush chain inet genkan ${chain}`),
    ...newer.map((map) => `delete map inet genkan ${map}`),
    ...BOTH.flatMap((words) => {
      const { ip, digit, family, tunnelEnd } = words;
      const { tunnelled, carried } = matchesOf(family, "ipip");
      const address = WIDTHS[digit];
      return [
        `add set inet genkan local${digit} { type ${address}; }`,
        `add map inet genkan tier2v${digit} { type ${address} . inet_proto . inet_service : mark; }`,
        rule("decap", `iifname ${outOf(family, ["ipip"])} goto inner${digit}`),
        rule(
          "decap",
          `${tunnelled} ${ip} daddr @local${digit} ${carried} @carried${digit} ${ip} daddr set ${tunnelEnd}`,
        ),
      ];
    }),
    rule("in", `meta mark and ${routingBit} == 0 return`),
    ...BOTH.map((words) => rule("in", `iifname ${outOf(words.family, ["ipip"])} ${destination(words, 2)}`)),
    ...BOTH.map(({ family }) => rule("in", `iifname ${outOf(family, ["ipip"])} goto no_pod`)),
    ...BOTH.map((words) => rule("in", destination(words, 1))),
    ...ports.flatMap(({ id, family, vip, pods }) => {
      const digit = family === "IPv4" ? "4" : "6";
      const local = pods.filter(({ isLocal }) => isLocal).map(({ address }) => address);
      return [
        `add element inet genkan local${digit} { ${local.join(", ")} }`,
        `add element inet genkan tier2v${digit} { ${vip} . tcp . 80 : ${olderMark(id)} }`,
        `add element inet genkan marks { ${olderMark(id)} }`,
      ];
    }),
  ].join("\n");
}

/** Lines of shell: its virtual servers take the place of those of ours in tier 2, whose marks are `newer`. */
export function olderServers(ports: readonly OlderPort[], newer: ReadonlyMap<number, Family>): string[] {
  const mark = (value: number, family: Family): string => `-f ${value}${family === "IPv6" ? " -6" : ""}`;
  return [
    ...ports.flatMap(({ id, family, pods }) => {
      const of = mark(olderMark(id), family);
      const place = (address: string): string =>
        family === "IPv4" ? `${address}:8080` : `[${address}]:8080`;
      return [
        `ipvsadm -A ${of} -s mh -b mh-fallback,mh-port`,
        ...pods.map(
          ({ address, isLocal }) => `ipvsadm -a ${of} -r ${place(address)} ${isLocal ? "-m" : "-i"} -w 1`,
        ),
        // With mh a pod keeps its place by the last weight that it had.
        ...pods
          .filter(({ isLocal }) => !isLocal)
          .map(({ address }) => `ipvsadm -e ${of} -r ${place(address)} -i -w 0`),
      ];
    }),
    ...[...newer].map(([value, family]) => `ipvsadm -D ${mark(value, family)}`),
  ];
}
