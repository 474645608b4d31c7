/** docs/pictures/*.yaml -> docs/pictures/*.svg */
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Legend, type Picture, readPicture } from "./description.ts";
import { layGrid, MARGIN } from "./grid.ts";
import { route } from "./routes.ts";
import { FONTS, heightOf, type Line, type Rectangle, type Scene, type Words } from "./scene.ts";
import { svgOf } from "./svg.ts";
import { widthOf } from "./text.ts";
import { layTime } from "./time.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
export const FOLDER = "docs/pictures";
const LEGEND = { above: 16, sample: 30, gap: 26 };

/** One line below the picture: a piece of an arrow, and what it means. */
function layLegend(entries: readonly Legend[], top: number): { lines: Line[]; words: Words[] } {
  const y = top + heightOf(1, FONTS.text) / 2;
  let x = MARGIN;
  const lines: Line[] = [];
  const words: Words[] = [];
  for (const { text, tone, isDashed } of entries) {
    lines.push({
      points: [
        { x, y },
        { x: x + LEGEND.sample, y },
      ],
      tone,
      isDashed,
      isArrow: true,
    });
    words.push({ x: x + LEGEND.sample + 6, y: top, lines: [text], font: FONTS.text, anchor: "start", tone });
    x += LEGEND.sample + 6 + widthOf(text, FONTS.text) + LEGEND.gap;
  }
  return { lines, words };
}

export function sceneOf(picture: Picture): Scene {
  const { title, description, width } = picture;
  const body = picture.kind === "boxes" ? boxes(picture) : layTime(picture);
  const top = body.bottom + LEGEND.above;
  const legend = layLegend(picture.legend, top);
  const bottom = picture.legend.length === 0 ? body.bottom : top + heightOf(1, FONTS.text);
  return {
    title,
    description,
    width,
    height: bottom + MARGIN,
    shapes: body.shapes,
    lines: [...body.lines, ...legend.lines],
    words: [...body.words, ...legend.words],
  };
}

function boxes(picture: Picture & { kind: "boxes" }): ReturnType<typeof layTime> {
  const grid = layGrid(picture);
  const frames = picture.groups.map(({ id }, at): [string, Rectangle | undefined] => [id, grid.frames[at]]);
  const ends = new Map([...grid.boxes, ...frames.filter((named) => named[1] !== undefined)] as [
    string,
    Rectangle,
  ][]);
  const routes = picture.arrows.map((arrow) => route(arrow, ends));
  return {
    shapes: [...grid.shapes, ...routes.flatMap(({ shapes }) => shapes)],
    lines: routes.map(({ line }) => line),
    words: [...grid.words, ...routes.flatMap(({ words }) => words)],
    bottom: Math.max(grid.bottom, ...routes.flatMap(({ line }) => line.points.map(({ y }) => y))),
  };
}

/** File -> its picture. */
export async function readPictures(): Promise<Map<string, Picture>> {
  const found: string[] = [];
  for await (const file of glob(`${FOLDER}/*.yaml`, { cwd: ROOT })) found.push(file);
  const read = found
    .sort()
    .map(
      async (file): Promise<[string, Picture]> => [
        file,
        readPicture(await readFile(join(ROOT, file), "utf8"), file),
      ],
    );
  return new Map(await Promise.all(read));
}

/** File to write -> its text. */
export async function drawPictures(): Promise<[string, string][]> {
  return [...(await readPictures())].map(([file, picture]) => [
    file.replace(/\.yaml$/, ".svg"),
    svgOf(sceneOf(picture), `hack/generate.ts out of ${file}`),
  ]);
}
