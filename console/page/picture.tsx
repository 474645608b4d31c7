/** The way from the network to a Service's pods as a picture; the steps below it say the same in words. */
import type { Way } from "#console/way.ts";
import { type Box, drawingOf } from "./drawing.ts";
import { bytes } from "./rate.ts";

const WIDTH = 220;
const HEIGHT = 44;
const GAP = { x: 90, y: 12 } as const;
/** Characters of a box's text; the rest is in its tooltip. */
const LONGEST = 28;

export function Picture({ way }: { readonly way: Way }) {
  const { boxes, lines, rows } = drawingOf(way);
  const byKey = new Map(boxes.map((box) => [box.key, box]));
  const height = rows * (HEIGHT + GAP.y) + GAP.y;
  const width = 3 * WIDTH + 2 * GAP.x + 2;
  const count = (column: Box["column"]): number => boxes.filter((box) => box.column === column).length;
  const placeOf = ({ column, row }: Box): { x: number; y: number } => ({
    x: 1 + column * (WIDTH + GAP.x),
    // Shorter columns stand in the middle.
    y: GAP.y + (row + (rows - count(column)) / 2) * (HEIGHT + GAP.y),
  });
  const nodes = new Set(way.addresses.flatMap((address) => address.nodes)).size;
  const ready = way.pods.filter(({ isReady }) => isReady).length;
  const comesIn = way.traffic.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  const rate = way.traffic.length === 0 ? "" : ` ${bytes(comesIn)} a second come in.`;
  const text = `${nodes} nodes take packets for ${way.addresses.map(({ address }) => address).join(", ") || "no address"}; of ${way.pods.length + way.podsLeftOut} pods ${ready} that are shown are ready.${rate}`;
  return (
    /* biome-ignore lint/a11y/noNoninteractiveTabindex: who scrolls by keyboard has to reach it. */
    <section class="picture" tabIndex={0} aria-label="The way of a packet">
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={text}>
        {lines.map(({ from, to, isBad }) => {
          const [start, end] = [byKey.get(from), byKey.get(to)];
          if (start === undefined || end === undefined) return null;
          const [a, b] = [placeOf(start), placeOf(end)];
          return (
            <line
              key={`${from}>${to}`}
              class={isBad ? "bad" : undefined}
              x1={a.x + WIDTH}
              y1={a.y + HEIGHT / 2}
              x2={b.x}
              y2={b.y + HEIGHT / 2}
            />
          );
        })}
        {boxes.map((box) => {
          const { x, y } = placeOf(box);
          return (
            <g key={box.key} class={box.isBad ? "bad" : undefined}>
              <title>{`${box.text} ${box.small}`}</title>
              <rect x={x} y={y} width={WIDTH} height={HEIGHT} rx={6} />
              <text x={x + 10} y={y + (box.small === "" ? 27 : 19)}>
                {cut(box.text)}
              </text>
              <text x={x + 10} y={y + 35} class="small">
                {cut(box.small)}
              </text>
            </g>
          );
        })}
      </svg>
    </section>
  );
}

const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}\u2026`);
