/** A scene as SVG: text stays text, and the colours follow whether its reader prefers a dark page. */
import {
  LINE_HEIGHT,
  type Line,
  type Point,
  type Scene,
  type Shape,
  type Tone,
  type Words,
} from "./scene.ts";

/** What a picture is drawn with, for a light page and for a dark one. */
export interface Colours {
  readonly page: string;
  readonly edge: string;
  readonly ink: string;
  readonly muted: string;
  /** Tone -> what fills a shape, its line, and text or arrows of that tone. */
  readonly tones: Readonly<Record<Tone, readonly [fill: string, stroke: string, ink: string]>>;
}

export const LIGHT: Colours = {
  page: "#ffffff",
  edge: "#d1d9e0",
  ink: "#1f2328",
  muted: "#59636e",
  tones: {
    plain: ["#f6f8fa", "#818b98", "#59636e"],
    ours: ["#ddf4ff", "#54aeff", "#0550ae"],
    packet: ["#fff8c5", "#bf8700", "#9a6700"],
    reply: ["#dafbe1", "#4ac26b", "#116329"],
    control: ["#fbefff", "#c297ff", "#8250df"],
    fault: ["#ffebe9", "#ff8182", "#cf222e"],
  },
};
export const DARK: Colours = {
  page: "#0d1117",
  edge: "#3d444d",
  ink: "#f0f6fc",
  muted: "#a9b1ba",
  tones: {
    plain: ["#151b23", "#656c76", "#9198a1"],
    ours: ["#0f2440", "#388bfd", "#79c0ff"],
    packet: ["#341a00", "#9e6a03", "#e3b341"],
    reply: ["#04260f", "#238636", "#56d364"],
    control: ["#271052", "#8957e5", "#d2a8ff"],
    fault: ["#490202", "#da3633", "#ff7b72"],
  },
};
const FONT = "'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif";

function rules({ page, edge, ink, muted, tones }: Colours): string {
  const each = Object.entries(tones).map(
    ([tone, [fill, stroke, text]]) =>
      `.f-${tone}{fill:${fill};stroke:${stroke}}.l-${tone}{stroke:${text}}.h-${tone}{fill:${text}}.t-${tone}{fill:${text}}`,
  );
  return `.page{fill:${page};stroke:${edge}}text{fill:${ink}}.t-muted{fill:${muted}}${each.join("")}`;
}

const STYLE = [
  `text{font-family:${FONT};stroke:none}`,
  ".line{fill:none;stroke-width:1.8}.thin{stroke-width:1}.dash{stroke-dasharray:5 4}.frame{fill-opacity:.35;stroke-dasharray:2 3}",
  rules(LIGHT),
  `@media(prefers-color-scheme:dark){${rules(DARK)}}`,
].join("\n");

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
/** At most one digit behind the point, or two machines could round differently. */
const n = (value: number): string => String(Math.round(value * 10) / 10);

const RADIUS = { box: 6, frame: 10, band: 0, dot: 999 } as const;

function shapeOf({ x, y, width, height, tone, kind, isDashed }: Shape): string {
  const classes = [
    `f-${tone}`,
    ...(kind === "frame" ? ["frame"] : []),
    ...(isDashed === true ? ["dash"] : []),
  ];
  const radius = Math.min(RADIUS[kind], height / 2);
  return `<rect class="${classes.join(" ")}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${n(radius)}"/>`;
}

const BEND = 8;
const towards = (from: Point, to: Point, by: number): Point => {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const part = length === 0 ? 0 : Math.min(by, length / 2) / length;
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
};

/** With round corners. */
function pathOf(points: readonly Point[]): string {
  const at = ({ x, y }: Point): string => `${n(x)} ${n(y)}`;
  return points
    .map((point, index) => {
      const [before, after] = [points[index - 1], points[index + 1]];
      if (before === undefined) return `M${at(point)}`;
      if (after === undefined) return `L${at(point)}`;
      return `L${at(towards(point, before, BEND))}Q${at(point)} ${at(towards(point, after, BEND))}`;
    })
    .join("");
}

const HEAD = { length: 9, half: 4.5 };
/** The triangle at a line's end. */
function headOf(line: Line): string {
  const [before, end] = line.points.slice(-2);
  if (!line.isArrow || before === undefined || end === undefined) return "";
  const back = towards(end, before, HEAD.length);
  const across = { x: (end.y - back.y) / HEAD.length, y: (back.x - end.x) / HEAD.length };
  const corner = (by: number): string => `${n(back.x + across.x * by)} ${n(back.y + across.y * by)}`;
  return `<path class="h-${line.tone}" d="M${n(end.x)} ${n(end.y)}L${corner(HEAD.half)}L${corner(-HEAD.half)}Z"/>`;
}

const lineOf = (line: Line): string =>
  `<path class="line l-${line.tone}${line.isDashed ? " dash" : ""}${line.isArrow ? "" : " thin"}" d="${pathOf(line.points)}"/>${headOf(line)}`;

const ANCHORS = { start: "", middle: ' text-anchor="middle"', end: ' text-anchor="end"' } as const;
/** From a line's upper edge to what its letters stand on, as a part of the font's size. */
const BASELINE = 1.02;

function wordsOf({ x, y, lines, font, anchor, tone }: Words): string[] {
  const look = `${tone === undefined ? "" : ` class="t-${tone}"`} font-size="${font.size}"${font.isBold ? ' font-weight="bold"' : ""}`;
  return lines.map(
    (line, at) =>
      `<text${look}${ANCHORS[anchor]} x="${n(x)}" y="${n(y + font.size * (BASELINE + at * LINE_HEIGHT))}">${escaped(line)}</text>`,
  );
}

export function svgOf(scene: Scene, origin: string): string {
  const { width, height } = scene;
  const kinds = (...wanted: readonly Shape["kind"][]): string[] =>
    scene.shapes.filter(({ kind }) => wanted.includes(kind)).map(shapeOf);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${n(width)} ${n(height)}" width="${n(width)}" height="${n(height)}" role="img" aria-labelledby="title desc">`,
    `<!-- Made by ${origin}. -->`,
    `<title id="title">${escaped(scene.title)}</title>`,
    `<desc id="desc">${escaped(scene.description)}</desc>`,
    `<style>\n${STYLE}\n</style>`,
    `<rect class="page" x=".5" y=".5" width="${n(width - 1)}" height="${n(height - 1)}" rx="12"/>`,
    ...kinds("frame"),
    ...kinds("band"),
    ...scene.lines.map(lineOf),
    ...kinds("box", "dot"),
    ...scene.words.flatMap(wordsOf),
    "</svg>",
    "",
  ].join("\n");
}
