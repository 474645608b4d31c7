/** Where the boxes and lines of a Service's way stand. Pure. */
import type { Way } from "#console/way.ts";
import { bytes } from "./rate.ts";

export interface Box {
  readonly key: string;
  readonly column: 0 | 1 | 2;
  readonly row: number;
  readonly text: string;
  readonly small: string;
  readonly isBad: boolean;
}

export interface Line {
  readonly from: string;
  readonly to: string;
  readonly isBad: boolean;
}

export interface Drawing {
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
  /** Of the longest column. */
  readonly rows: number;
}

/** Nodes beyond these are counted in one box. */
const MOST_NODES = 12;

/** From left to right: who sends packets here, the nodes that take them, the pods that they end at. */
export function drawingOf({ addresses, sessions, pods, podsLeftOut, traffic }: Way): Drawing {
  const names = [...new Set(addresses.flatMap(({ nodes }) => nodes))];
  const nodes = names.slice(0, MOST_NODES);
  const layer2 = addresses.filter(({ protocol, nodes: own }) => protocol === "layer2" && own.length > 0);
  const shown = sessions.filter(({ node }) => nodes.includes(node));
  const peers = [...new Set(shown.map(({ peer }) => peer))];
  const sources = [
    ...peers.map((peer) => {
      const isUp = shown.some((session) => session.peer === peer && session.isUp);
      return { key: `peer ${peer}`, text: peer, small: "BGP peer", isBad: !isUp };
    }),
    ...(layer2.length > 0
      ? [{ key: "network", text: "local network", small: "asks by ARP or NDP", isBad: false }]
      : []),
  ];
  const rates = new Map(traffic.map(({ node, bytesPerSecond }) => [node, bytesPerSecond]));
  const comesIn = (node: string): string => {
    const rate = rates.get(node);
    return rate === undefined ? "" : `${bytes(rate)}/s in, `;
  };
  const taking = nodes.map((node) => {
    const own = addresses.filter((address) => address.nodes.includes(node));
    return {
      key: `node ${node}`,
      text: node,
      small: `${comesIn(node)}${own.map(({ address }) => address).join(" ")}`,
      isBad: false,
    };
  });
  const more = names.length - nodes.length;
  const ends = pods.map(({ address, node, isReady }) => ({
    key: `pod ${address}`,
    text: address,
    small: `${isReady ? "ready" : "not ready"}${node === "" ? "" : `, on ${node}`}`,
    isBad: !isReady,
  }));
  const column = (number: Box["column"], boxes: readonly Omit<Box, "column" | "row">[]): Box[] =>
    boxes.map((box, row) => ({ ...box, column: number, row }));
  const extra = (key: string, text: string) => ({ key, text, small: "", isBad: false });
  const boxes = [
    ...column(0, sources),
    ...column(1, [
      ...taking,
      ...(more > 0 ? [extra("more nodes", `and ${more} more nodes`)] : []),
      ...(nodes.length === 0 ? [{ ...extra("no node", "no node"), isBad: true }] : []),
    ]),
    ...column(2, [
      ...ends,
      ...(podsLeftOut > 0 ? [extra("more pods", `and ${podsLeftOut} more pods`)] : []),
      ...(pods.length === 0 ? [{ ...extra("no pod", "no pod"), isBad: true }] : []),
    ]),
  ];
  const lines = [
    ...shown.map(({ peer, node, isUp }) => ({ from: `peer ${peer}`, to: `node ${node}`, isBad: !isUp })),
    ...layer2
      .flatMap((address) => address.nodes)
      .filter((node, at, all) => all.indexOf(node) === at && nodes.includes(node))
      .map((node) => ({ from: "network", to: `node ${node}`, isBad: false })),
    ...nodes.flatMap((node) =>
      pods.map(({ address, isReady }) => ({ from: `node ${node}`, to: `pod ${address}`, isBad: !isReady })),
    ),
  ];
  const rows = Math.max(
    ...([0, 1, 2] as const).map((number) => boxes.filter((box) => box.column === number).length),
  );
  return { boxes, lines, rows };
}
