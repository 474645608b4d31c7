/**
 * Whether nodes have the same for one Service in IPVS, by the digests that their speakers report of what they read back
 * (speaker/forwarding/digest.ts). Pure.
 *
 * Reports are as old as each node's last pass. So one look says no more than that nodes differ now; that one of them stays
 * behind is said where an earlier look found the same difference.
 */
import { firstOf } from "#api/and-more.ts";
import { type Step, step } from "#cli/explain/step.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { Digest, endpointNumber, portNumber, unsettledNumber } from "#speaker/forwarding/digest.ts";
import type { ForwardedEndpoint, ForwardedPort } from "#speaker/forwarding/types.ts";

export interface EntriesInput {
  /** Of the Service, as they are planned by the API server's objects. */
  readonly ports: readonly ForwardedPort[];
  /** Addresses of all pods that its EndpointSlices name. */
  readonly pods: readonly string[];
  /** Nodes whose speakers live. */
  readonly live: readonly string[];
}

/** Step, and what another look may confirm. */
export interface Compared {
  /** Undefined: no two nodes say what they have. */
  readonly step?: Step;
  /** Nodes differ, and it is not known for how long. */
  readonly unsure?: string;
}

/** `earlier`: what nodes reported some seconds before; undefined: nobody has looked. */
export function compareEntries(
  input: EntriesInput,
  statuses: readonly SpeakerStatus[],
  earlier?: readonly SpeakerStatus[],
): Compared {
  const digests = digestsOf(input, statuses);
  if (digests.size < 2 || input.ports.length === 0) return {};
  const before = earlier === undefined ? [] : differencesOf(input, digestsOf(input, earlier)).differences;
  const { differences, unclear } = differencesOf(input, digests);
  const known = new Set(before.map(keyOf));
  const lasting = differences.filter((one) => known.has(keyOf(one)));
  const passing = differences.filter((one) => !known.has(keyOf(one)));
  const silent = input.live.filter((node) => !digests.has(node));
  const details = [
    ...lasting.map(({ says }) => says),
    ...passing.map(({ says }) => `${says}: so it was at one look, and may be a change on its way`),
    ...unclear.map(
      (node) => `${node}: so much of its IPVS differs from others' now that nothing can be said`,
    ),
    ...(silent.length === 0 ? [] : [`not said yet what IPVS has: ${names(silent)}`]),
  ];
  const [first] = lasting;
  if (first !== undefined) return { step: step("entries", false, first.says, details) };
  const nodes = names([...digests.keys()].filter((node) => !unclear.includes(node)));
  const [new_] = passing;
  if (new_ !== undefined)
    return {
      step: step("entries", true, `nodes may be about to have the same for it in IPVS: ${nodes}`, details),
      unsure: new_.says,
    };
  return { step: step("entries", true, `IPVS has the same for it on ${nodes}`, details) };
}

const MOST_NAMES = 5;
const names = (nodes: readonly string[]): string => firstOf(nodes, MOST_NAMES);

interface Difference {
  readonly id: number;
  readonly node: string;
  /** How much more the number of the port is at most nodes. */
  readonly value: number;
  readonly says: string;
}

const keyOf = ({ id, node, value }: Difference): string => `${id} ${node} ${value}`;

/** Node -> its digest, sorted by name. What a status holds may be anything. */
function digestsOf({ live }: EntriesInput, statuses: readonly SpeakerStatus[]): Map<string, Digest> {
  const reported = new Map(statuses.map(({ metadata, status }) => [metadata.name, status?.forwarding]));
  const digests = new Map<string, Digest>();
  for (const node of live) {
    const { mode, digest } = reported.get(node) ?? {};
    const parsed = mode !== "IPVS" || typeof digest !== "string" ? undefined : Digest.parse(digest);
    if (parsed !== undefined) digests.set(node, parsed);
  }
  return digests;
}

interface Group {
  readonly digest: Digest;
  readonly nodes: string[];
}

function differencesOf(
  input: EntriesInput,
  digests: ReadonlyMap<string, Digest>,
): { readonly differences: readonly Difference[]; readonly unclear: readonly string[] } {
  const unclear = new Set<string>();
  const differences: Difference[] = [];
  for (const port of input.ports) {
    const groups: Group[] = [];
    for (const [node, digest] of digests) {
      const values = groups.map((group) => group.digest.difference(digest, port.id));
      const own = groups[values.indexOf(0)];
      if (own !== undefined) own.nodes.push(node);
      else if (values.includes(undefined)) unclear.add(node);
      else groups.push({ digest, nodes: [node] });
    }
    const [most, ...others] = groups.sort((a, b) => b.nodes.length - a.nodes.length);
    if (most === undefined) continue;
    for (const { digest, nodes } of others) {
      const value = most.digest.difference(digest, port.id);
      if (value === undefined) continue;
      const place = `${port.vip} ${port.protocol}/${port.port}`;
      const what = describe(port, input.pods, value);
      for (const node of nodes)
        differences.push({
          ...{ id: port.id, node, value },
          says: `IPVS of ${names(nodes)} differs from that of ${names(most.nodes)} for ${place}: ${what(node)}`,
        });
    }
  }
  return { differences, unclear: [...unclear].sort() };
}

/** Where very many pairs are tried, one of them fits by chance. */
const MOST_PAIRED = 400;

/** In words what is otherwise at a node, where `value` is how much more the number of the port is at most nodes. */
function describe(port: ForwardedPort, pods: readonly string[], value: number): (node: string) => string {
  const all = portNumber(port);
  if (value === all) return (node) => `${node} has nothing for it`;
  if (value === negative(all)) return (node) => `${node} alone has it`;
  const unsettled = unsettledNumber(port.id);
  if (value === minus(all, unsettled)) return (node) => `the kernel of ${node} has not taken all of it`;
  if (value === minus(unsettled, all)) return (node) => `only the kernel of ${node} has taken all of it`;
  const single = singleDifferences(port, pods);
  const one = single.get(value);
  if (one !== undefined) return one;
  if (single.size <= MOST_PAIRED)
    for (const [number, first] of single) {
      const second = single.get(minus(value, number));
      if (second !== undefined) return (node) => `${first(node)}, and ${second(node)}`;
    }
  return () => "in several endpoints, or in some that the API server does not know";
}

const minus = (a: number, b: number): number => (a - b) >>> 0;
const negative = (a: number): number => minus(0, a);

/** By the value that each makes of one endpoint. */
function singleDifferences(
  { id, endpoints }: ForwardedPort,
  pods: readonly string[],
): Map<number, (node: string) => string> {
  const found = new Map<number, (node: string) => string>();
  const ports = new Set(endpoints.map(({ port }) => port));
  const planned = new Set(endpoints.map(({ address }) => address));
  const others = pods.filter((address) => !planned.has(address));
  const candidates: readonly Pick<ForwardedEndpoint, "address" | "port" | "weight">[] = [
    ...endpoints,
    ...others.flatMap((address) => [...ports].map((port) => ({ address, port }))),
  ];
  for (const candidate of candidates) {
    const name = `${candidate.address} port ${candidate.port}`;
    const serves = endpointNumber(id, { ...candidate, isServing: true });
    const drains = endpointNumber(id, { ...candidate, isServing: false });
    for (const number of [serves, drains]) {
      found.set(number, (node) => `${node} does not have ${name}`);
      found.set(negative(number), (node) => `${node} has ${name} beside the others`);
    }
    found.set(minus(serves, drains), (node) => `${node} gives ${name} no new connections`);
    found.set(minus(drains, serves), (node) => `${node} gives ${name} new connections`);
  }
  return found;
}
