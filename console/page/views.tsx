/** The lists of Services, pools, nodes and sessions. */
import type { PoolRow } from "#cli/list/pools.ts";
import type { NodeLine, SessionLine } from "#console/nodes.ts";
import type { ServiceLine } from "#console/services.ts";
import { ago } from "./ago.ts";
import { type Column, List } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { hashOf } from "./place.ts";
import { ratesText } from "./rate.ts";

export const serviceLink = (service: string) => (
  <a href={hashOf({ view: "service", name: service, query: {} })}>{service}</a>
);

const SERVICES: readonly Column<ServiceLine>[] = [
  { head: "Service", cell: ({ service }) => serviceLink(service) },
  { head: "Addresses", cell: ({ addresses }) => addresses.join(" ") },
  { head: "Pool", cell: ({ pools }) => pools.join(" ") },
  { head: "Ports", cell: ({ ports }) => ports.join(" ") },
  { head: "Nodes", cell: ({ nodes }) => few(nodes) },
  { head: "Pods ready", isNumber: true, cell: ({ pods }) => `${pods.ready} of ${pods.all}` },
  { head: "Coming in", cell: ({ traffic }) => ratesText(traffic) },
  { head: "State", cell: ({ state, trouble }) => trouble ?? state },
  { head: "Age", isNumber: true, cell: ({ createdAt }, at) => ago(createdAt, at) },
];

/** An address of BGP may be advertised by hundreds. */
const few = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(" ") : `${names.slice(0, 3).join(" ")} and ${names.length - 3} more`;

export const ServicesView = (props: ViewProps) => (
  <List
    {...props}
    path="api/services"
    caption="Services of Genkan, what is broken first"
    columns={SERVICES}
    keyOf={({ service }) => service}
    isBad={({ trouble }) => trouble !== undefined}
    hasBroken
    hasTraffic
  />
);

const POOLS: readonly Column<PoolRow>[] = [
  { head: "Pool", cell: ({ pool }) => pool },
  { head: "Protocol", cell: ({ protocol }) => protocol },
  { head: "Addresses", cell: ({ addresses }) => addresses.join(" ") },
  {
    head: "IPv4",
    cell: ({ assigned, available }) => <Fill given={assigned.IPv4} left={available.IPv4} family="IPv4" />,
  },
  {
    head: "IPv6",
    cell: ({ assigned, available }) => <Fill given={assigned.IPv6} left={available.IPv6} family="IPv6" />,
  },
  { head: "Given by itself", cell: ({ autoAssign }) => (autoAssign ? "yes" : "no") },
  {
    head: "State",
    cell: ({ state, message }) =>
      state === "Valid" || message === undefined ? state : `${state}: ${message}`,
  },
];

export function Fill({
  given,
  left,
  family,
}: {
  readonly given: number;
  readonly left: number;
  readonly family: string;
}) {
  if (given + left === 0) return <>none</>;
  // The status says no more than that there are at least so many.
  const isHuge = left >= Number.MAX_SAFE_INTEGER;
  const text = isHuge ? `${given} of 2^53 or more` : `${given} of ${given + left}`;
  return (
    <>
      <meter
        min={0}
        max={given + left}
        high={(given + left) * 0.9}
        value={given}
        aria-label={`${family} addresses given`}
      />{" "}
      {text}
    </>
  );
}

export const PoolsView = (props: ViewProps) => (
  <List
    {...props}
    path="api/pools"
    caption="AddressPools and how much of them is given"
    columns={POOLS}
    keyOf={({ pool }) => pool}
    isBad={({ state }) => state !== "Valid"}
  />
);

const NODES: readonly Column<NodeLine>[] = [
  {
    head: "Node",
    cell: ({ node }) => <a href={hashOf({ view: "node", name: node, query: {} })}>{node}</a>,
  },
  { head: "Speaker", cell: ({ speaker }) => speaker },
  { head: "Addresses", isNumber: true, cell: ({ owned }) => owned },
  {
    head: "BGP sessions",
    isNumber: true,
    cell: ({ sessions }) => (sessions.all === 0 ? "none" : `${sessions.established} of ${sessions.all}`),
  },
  { head: "Coming in", cell: ({ traffic }) => ratesText(traffic) },
  { head: "What is not well", cell: ({ troubles }) => troubles.map((text) => <p key={text}>{text}</p>) },
];

export const NodesView = (props: ViewProps) => (
  <List
    {...props}
    path="api/nodes"
    caption="Nodes and their speakers"
    columns={NODES}
    keyOf={({ node }) => node}
    isBad={({ speaker, troubles }) => speaker === "silent" || troubles.length > 0}
  />
);

const SESSIONS: readonly Column<SessionLine>[] = [
  { head: "Protocol", cell: ({ protocol }) => protocol },
  { head: "Node", cell: ({ node }) => node },
  { head: "Peer", cell: ({ peer }) => peer },
  { head: "Address", cell: ({ address }) => address },
  { head: "State", cell: ({ state }) => state },
  { head: "For", isNumber: true, cell: ({ since }, at) => ago(since, at) },
  { head: "Advertised", isNumber: true, cell: ({ advertised }) => advertised },
  { head: "Losses", isNumber: true, cell: ({ losses }) => losses },
  { head: "Message", cell: ({ message }) => message },
];

export const SessionsView = (props: ViewProps) => (
  <List
    {...props}
    path="api/sessions"
    caption="BGP and BFD sessions of all nodes, what is down first"
    columns={SESSIONS}
    keyOf={({ protocol, node, peer, address }) => [protocol, node, peer, address].join()}
    isBad={({ isUp }) => !isUp}
  />
);
