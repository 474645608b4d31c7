/** One node: what it is to do by the plan, beside what it reports, and what a drain of it would move. */
import type { NodeAnswer } from "#console/answers.ts";
import type { PlannedAddress } from "#console/node.ts";
import { type Column, List } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { hashOf } from "./place.ts";
import { ratesText } from "./rate.ts";
import { Table } from "./table.tsx";
import { serviceLink } from "./views.tsx";

const yesNo = (is: boolean): string => (is ? "yes" : "no");

const ADDRESSES: readonly Column<PlannedAddress>[] = [
  { head: "Address", cell: ({ address }) => address },
  {
    head: "Services",
    cell: ({ services }) => services.map((service) => <p key={service}>{serviceLink(service)}</p>),
  },
  { head: "Protocol", cell: ({ protocol }) => protocol },
  { head: "By the plan", cell: ({ isPlanned }) => yesNo(isPlanned) },
  {
    head: "Reported",
    cell: ({ isReported }) => (isReported === undefined ? "not told" : yesNo(isReported)),
  },
];

export function NodeView(props: ViewProps) {
  const name = props.place.name ?? "";
  return (
    <List
      {...props}
      path="api/node"
      asked={{ name, drain: props.place.query.drain ?? "" }}
      caption="Addresses that the node is to attract, and those that it reports; what differs first"
      columns={ADDRESSES}
      keyOf={({ address }) => address}
      isBad={({ differs }) => differs}
      head={(answer) => <Head {...(answer as NodeAnswer)} name={name} />}
    />
  );
}

function Head({ node, differing, peers, drained, name }: NodeAnswer & { readonly name: string }) {
  const isWell = node.speaker === "live" && differing === 0 && node.troubles.length === 0;
  return (
    <>
      <p class={isWell ? "verdict well" : "verdict bad"} role="status">
        {verdictOf(node.speaker, differing, node.troubles.length)}
      </p>
      {node.troubles.length > 0 && (
        <ul class="findings">
          {node.troubles.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {node.traffic !== undefined && <p>Comes in for Services: {ratesText(node.traffic)}.</p>}
      {peers.length > 0 && <Peers peers={peers} />}
      {drained === undefined ? (
        <p>
          <a href={hashOf({ view: "node", name, query: { drain: "yes" } })}>
            What would a drain of this node move?
          </a>
        </p>
      ) : (
        <Drain {...drained} />
      )}
    </>
  );
}

function verdictOf(speaker: string, differing: number, troubles: number): string {
  if (speaker === "none") return "No speaker of Genkan runs here.";
  if (speaker === "silent") return "Its speaker is silent: nothing that it reports counts.";
  if (differing > 0) return `${differing} of its addresses and peers are not as planned.`;
  return troubles > 0 ? "All is as planned, and something is not well." : "All is as planned.";
}

function Peers({ peers }: Pick<NodeAnswer, "peers">) {
  const caption = "Prefixes that routers are to hear from it, and what they were told";
  return (
    <>
      <h2>{caption}</h2>
      <Table caption={caption}>
        <thead>
          <tr>
            <th scope="col">Peer</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              By the plan
            </th>
            <th scope="col" class="number">
              Advertised
            </th>
          </tr>
        </thead>
        <tbody>
          {peers.map(({ peer, state, isUp, planned, advertised }) => (
            <tr key={peer} class={!isUp || planned !== advertised ? "bad" : undefined}>
              <td>{peer}</td>
              <td>{state}</td>
              <td class="number">{planned}</td>
              <td class="number">{advertised}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}

function Drain({ moves, movesLeftOut, withdrawn, pods }: NonNullable<NodeAnswer["drained"]>) {
  const all = moves.length + movesLeftOut;
  return (
    <section class="drain" aria-label="What a drain would do">
      <h2>What a drain of this node would move</h2>
      <p>
        {all} addresses of layer 2 move, {pods} ready pods end here.
      </p>
      <ul>
        {withdrawn.map(({ peer, prefixes }) => (
          <li key={peer}>
            peer {peer} hears {prefixes} prefixes no more from it
          </li>
        ))}
        {moves.map(({ address, to }) => (
          <li key={address} class={to === undefined ? "error" : undefined}>
            {to === undefined
              ? `${address}: nobody attracts it then, for no other node may, or all of its pods are here`
              : `${address} moves to ${to}`}
          </li>
        ))}
        {movesLeftOut > 0 && <li>and {movesLeftOut} more</li>}
      </ul>
    </section>
  );
}
