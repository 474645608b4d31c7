/** docs/results/wrk.svg: a row for each way, a band for each number of pods. Pure. */
import { FONTS, heightOf, type Scene, type Shape, type Words } from "#hack/pictures/scene.ts";
import { widthOf } from "#hack/pictures/text.ts";
import { type Figure, KINDS } from "./figures.ts";

const MARGIN = 20;
const LEFT = 130;
const WIDEST = 300;
const BAND = 9;
const GAP = 10;
const NUMBERS = 110;
const COLUMN = LEFT + WIDEST + NUMBERS;
const TITLES = { keepalive: "on open connections", new: "each with a new connection" } as const;

export function plot(figures: readonly Figure[]): Scene {
  const ways = [...new Set(figures.map(({ way }) => way))];
  const counts = [...new Set(figures.map(({ pods }) => pods))];
  const row = counts.length * BAND + GAP;
  const top = MARGIN + heightOf(2, FONTS.title) + GAP;
  const shapes: Shape[] = [];
  const words: Words[] = [
    {
      ...{ x: MARGIN, y: MARGIN, font: FONTS.title, anchor: "start" },
      lines: [`Requests a second; bands from above: ${counts.join(", ")} pods`],
    },
  ];
  for (const [column, kind] of KINDS.entries()) {
    const its = figures.filter((one) => one.kind === kind);
    const most = Math.max(1, ...its.map((one) => one.per_second));
    const left = MARGIN + column * COLUMN + LEFT;
    words.push({
      ...{ x: left, y: MARGIN + heightOf(1, FONTS.title), lines: [TITLES[kind]] },
      ...{ font: FONTS.text, anchor: "start", tone: "muted" },
    });
    for (const [at, way] of ways.entries()) {
      const y = top + at * row;
      const bands = its.filter((one) => one.way === way);
      const tone = way.startsWith("genkan") ? "ours" : "packet";
      for (const [place, { per_second }] of bands.entries()) {
        const width = Math.max(1, (per_second / most) * WIDEST);
        shapes.push({ x: left, y: y + place * BAND, width, height: BAND - 2, tone, kind: "band" });
      }
      const middle = y + (row - GAP) / 2 - heightOf(1, FONTS.text) / 2;
      words.push({ x: left - 8, y: middle, lines: [way], font: FONTS.text, anchor: "end" });
      const said = `${bands.at(-1)?.per_second ?? ""}`;
      const end = Math.max(...bands.map(({ per_second }) => (per_second / most) * WIDEST));
      words.push({
        ...{ x: left + end + 8, y: middle, lines: [said] },
        ...{ font: FONTS.text, anchor: "start", tone: "muted" },
      });
    }
  }
  const width = Math.max(
    2 * MARGIN + 2 * COLUMN,
    2 * MARGIN + widthOf(words[0]?.lines[0] ?? "", FONTS.title),
  );
  return {
    title: "Requests a second by wrk, over the number of pods",
    description: "For each way of forwarding a band for each number of pods, on open and on new connections.",
    ...{ width, height: top + ways.length * row + MARGIN, shapes, lines: [], words },
  };
}
