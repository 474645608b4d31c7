/** Where boxes and the frames around them stand: columns of one width, rows as high as their texts need. */
import type { Box, BoxPicture } from "./description.ts";
import { FONTS, heightOf, type Rectangle, type Shape, type Words } from "./scene.ts";
import { wrap } from "./text.ts";

export const MARGIN = 20;
const PADDING = { across: 10, down: 8 };
/** Around the boxes that a frame holds, and for its title above them. */
export const FRAME = { padding: 12, title: 24 };
/** Between rows where a picture says nothing else. */
const ROW_GAP = 36;

export interface Grid {
  readonly boxes: ReadonlyMap<string, Rectangle>;
  readonly frames: readonly Rectangle[];
  readonly shapes: readonly Shape[];
  readonly words: readonly Words[];
  /** The lower edge of the lowest box or frame. */
  readonly bottom: number;
}

interface Texts {
  readonly title: readonly string[];
  readonly text: readonly string[];
  readonly height: number;
}

function textsOf(box: Box, width: number): Texts {
  const room = width - 2 * PADDING.across;
  const title = wrap(box.title, room, FONTS.title);
  const text = wrap(box.text, room, FONTS.text);
  const height = heightOf(title.length, FONTS.title) + heightOf(text.length, FONTS.text);
  return { title, text, height };
}

const lastRow = ({ at, span }: Box): number => at[1] + span[1] - 1;

/** Of a row: as high as the highest box in it; what takes several rows adds to the last one what is missing. */
function heightsOf(
  picture: BoxPicture,
  texts: ReadonlyMap<string, Texts>,
  gaps: readonly number[],
): number[] {
  const heights = Array.from({ length: gaps.length }, () => 0);
  const bySpan = [...picture.boxes].sort(([, a], [, b]) => a.span[1] - b.span[1]);
  for (const [name, box] of bySpan) {
    const last = lastRow(box);
    const above = heights.slice(box.at[1], last).reduce((sum, height) => sum + height, 0);
    const between = gaps.slice(box.at[1], last).reduce((sum, gap) => sum + gap, 0);
    const needed = (texts.get(name)?.height ?? 0) + 2 * PADDING.down - above - between;
    heights[last] = Math.max(heights[last] ?? 0, needed);
  }
  return heights;
}

/** Below each row, with what frames need there. */
function gapsOf(picture: BoxPicture): number[] {
  const boxes = [...picture.boxes.values()];
  const count = Math.max(...boxes.map(lastRow)) + 1;
  const edges = picture.groups.map(({ holds }) => {
    const held = holds.flatMap((name) => picture.boxes.get(name) ?? []);
    return { first: Math.min(...held.map(({ at }) => at[1])), last: Math.max(...held.map(lastRow)) };
  });
  return Array.from({ length: count }, (_, row) => {
    const begins = edges.some(({ first }) => first === row + 1) ? FRAME.padding + FRAME.title : 0;
    const ends = edges.some(({ last }) => last === row) ? FRAME.padding : 0;
    return (picture.rows[row] ?? ROW_GAP) + begins + ends;
  });
}

function around(held: readonly Rectangle[]): Rectangle {
  const x = Math.min(...held.map((box) => box.x)) - FRAME.padding;
  const y = Math.min(...held.map((box) => box.y)) - FRAME.padding - FRAME.title;
  const right = Math.max(...held.map((box) => box.x + box.width)) + FRAME.padding;
  const bottom = Math.max(...held.map((box) => box.y + box.height)) + FRAME.padding;
  return { x, y, width: right - x, height: bottom - y };
}

/** A box's texts, in the middle of it. */
function wordsIn(box: Rectangle, { title, text, height }: Texts): Words[] {
  const x = box.x + box.width / 2;
  const top = box.y + (box.height - height) / 2;
  return [
    { x, y: top, lines: title, font: FONTS.title, anchor: "middle" as const },
    {
      x,
      y: top + heightOf(title.length, FONTS.title),
      lines: text,
      font: FONTS.text,
      anchor: "middle" as const,
      tone: "muted" as const,
    },
  ].filter(({ lines }) => lines.length > 0);
}

export function layGrid(picture: BoxPicture): Grid {
  const { columns, gap, width } = picture;
  const column = (width - 2 * MARGIN - 2 * FRAME.padding - (columns - 1) * gap) / columns;
  const widthOfBox = ({ span }: Box): number => span[0] * column + (span[0] - 1) * gap;
  const texts = new Map([...picture.boxes].map(([name, box]) => [name, textsOf(box, widthOfBox(box))]));
  const gaps = gapsOf(picture);
  const heights = heightsOf(picture, texts, gaps);
  const startsFramed = picture.groups.some(({ holds }) =>
    holds.some((name) => picture.boxes.get(name)?.at[1] === 0),
  );
  const tops: number[] = [MARGIN + (startsFramed ? FRAME.padding + FRAME.title : 0)];
  for (const [row, height] of heights.entries()) tops.push((tops[row] ?? 0) + height + (gaps[row] ?? 0));
  const boxes = new Map(
    [...picture.boxes].map(([name, box]): [string, Rectangle] => {
      const y = tops[box.at[1]] ?? 0;
      const bottom = (tops[lastRow(box)] ?? 0) + (heights[lastRow(box)] ?? 0);
      const x = MARGIN + FRAME.padding + box.at[0] * (column + gap);
      return [name, { x, y, width: widthOfBox(box), height: bottom - y }];
    }),
  );
  const frames = picture.groups.map(({ holds, title }) => {
    const missing = holds.find((name) => !boxes.has(name));
    if (missing !== undefined) throw new Error(`group "${title}": there is no box ${missing}`);
    return around(holds.flatMap((name) => boxes.get(name) ?? []));
  });
  const nothing: Texts = { title: [], text: [], height: 0 };
  return {
    boxes,
    frames,
    shapes: [
      ...frames.map(
        (frame, at): Shape => ({ ...frame, tone: picture.groups[at]?.tone ?? "plain", kind: "frame" }),
      ),
      ...[...boxes].map(
        ([name, box]): Shape => ({ ...box, tone: picture.boxes.get(name)?.tone ?? "plain", kind: "box" }),
      ),
    ],
    words: [
      ...frames.map(
        ({ x, y }, at): Words => ({
          x: x + FRAME.padding,
          y: y + 8,
          lines: [picture.groups[at]?.title ?? ""],
          font: FONTS.title,
          anchor: "start",
        }),
      ),
      ...[...boxes].flatMap(([name, box]) => wordsIn(box, texts.get(name) ?? nothing)),
    ],
    bottom: Math.max(...[...boxes.values(), ...frames].map(({ y, height }) => y + height)),
  };
}
