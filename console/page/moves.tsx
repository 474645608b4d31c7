/** Which addresses came to which node when, and why. The list below the chart has the same as text. */
import type { MovesAnswer } from "#console/answers.ts";
import type { Move } from "#console/nodes.ts";
import { ago } from "./ago.ts";
import { Chart } from "./chart.tsx";
import { type Column, List } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { serviceLink } from "./views.tsx";

const MOVES: readonly Column<Move>[] = [
  { head: "Ago", isNumber: true, cell: ({ since }, at) => ago(since, at) },
  { head: "Address", cell: ({ address }) => address },
  { head: "Service", cell: ({ service }) => (service === undefined ? "" : serviceLink(service)) },
  { head: "Came to node", cell: ({ node }) => node },
  { head: "Why", cell: ({ reason }) => reason },
];

export const MovesView = (props: ViewProps) => (
  <List
    {...props}
    path="api/moves"
    caption="Moves of addresses of layer 2, the youngest first"
    columns={MOVES}
    keyOf={({ address, node, since }) => [address, node, since].join()}
    head={(answer) => {
      const { at, minutes } = answer as MovesAnswer;
      const end = Math.floor(Date.parse(at) / 60_000);
      const all = minutes.reduce((sum, count) => sum + count, 0);
      return (
        <Chart
          kind="bars"
          times={minutes.map((_, index) => (end - minutes.length + 1 + index) * 60)}
          values={minutes}
          label={`Addresses that came to a node in the last ${minutes.length} minutes: ${all}`}
        />
      );
    }}
  />
);
