/** docs/results/bench.svg: each figure that has a bar, as a part of its bar. */
import { FONTS, heightOf, type Line, type Scene, type Shape, type Words } from "#hack/pictures/scene.ts";
import { widthOf } from "#hack/pictures/text.ts";
import { judgedOf } from "./figures.ts";
import type { Run } from "./runs.ts";

const MARGIN = 20;
const ROW = 22;
/** The bar is here, and what misses it by more than half ends at the edge. */
const BAR_WIDTH = 240;
const MOST = 1.5;

export function plot({ benchmarks, date }: Run): Scene {
  const rows = benchmarks.flatMap(({ figures }) =>
    figures.flatMap((figure) => {
      const judged = judgedOf(figure);
      return judged === undefined ? [] : [{ name: figure.name, ...judged }];
    }),
  );
  const names = Math.max(0, ...rows.map(({ name }) => widthOf(name, FONTS.text)));
  const left = MARGIN + names + 12;
  const top = MARGIN + heightOf(1, FONTS.title) + 12;
  const bottom = top + rows.length * ROW;
  const shapes: Shape[] = [];
  const words: Words[] = [
    { x: MARGIN, y: MARGIN, lines: ["Figures as a part of their bars"], font: FONTS.title, anchor: "start" },
  ];
  for (const [at, { name, key, value, bar, part }] of rows.entries()) {
    const y = top + at * ROW;
    const width = Math.max(1, Math.min(part, MOST) * BAR_WIDTH);
    shapes.push({
      x: left,
      y: y + 3,
      width,
      height: ROW - 8,
      tone: part <= 1 ? "reply" : "fault",
      kind: "band",
    });
    const told = `${key} ${value} of ${bar}`;
    words.push(
      { x: left - 8, y: y + 2, lines: [name], font: FONTS.text, anchor: "end" },
      {
        x: left + MOST * BAR_WIDTH + 10,
        y: y + 2,
        lines: [told],
        font: FONTS.text,
        anchor: "start",
        tone: "muted",
      },
    );
  }
  const told = Math.max(
    0,
    ...rows.map(({ key, value, bar }) => widthOf(`${key} ${value} of ${bar}`, FONTS.text)),
  );
  const line: Line = {
    points: [
      { x: left + BAR_WIDTH, y: top },
      { x: left + BAR_WIDTH, y: bottom },
    ],
    tone: "ours",
    isDashed: true,
    isArrow: false,
  };
  return {
    title: "Figures as a part of their bars",
    description: `All benchmarks, ${date}: ${rows.length} figures; what ends left of the dashed line meets its bar.`,
    width: left + MOST * BAR_WIDTH + 10 + told + MARGIN,
    height: bottom + MARGIN,
    shapes,
    lines: [line],
    words,
  };
}
