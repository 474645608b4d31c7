/** What a picture is made of, once it is known where everything stands. Pixels from the upper left corner. */
import { type Font, widthOf } from "./text.ts";

/** What a colour means; `svg.ts` has the colours. */
export const TONES = ["plain", "ours", "packet", "reply", "control", "fault"] as const;
export type Tone = (typeof TONES)[number];

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rectangle extends Point {
  readonly width: number;
  readonly height: number;
}

/** Lines of text, one below the other; `x` is where they begin, end, or have their middle. */
export interface Words extends Point {
  readonly lines: readonly string[];
  readonly font: Font;
  readonly anchor: "start" | "middle" | "end";
  /** Undefined: the colour of all text. */
  readonly tone?: Tone | "muted";
}

export interface Shape extends Rectangle {
  readonly tone: Tone;
  /** A frame has others inside of it, a mark is a small thing on a line; neither has text of its own. */
  readonly kind: "box" | "frame" | "band" | "dot";
  readonly isDashed?: boolean;
}

export interface Line {
  readonly points: readonly Point[];
  readonly tone: Tone;
  readonly isDashed: boolean;
  /** False: no arrow's head. */
  readonly isArrow: boolean;
}

export interface Scene {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
  readonly lines: readonly Line[];
  readonly words: readonly Words[];
}

export const LINE_HEIGHT = 1.35;
export const FONTS = {
  title: { size: 14, isBold: true },
  text: { size: 12.5, isBold: false },
  step: { size: 11, isBold: true },
} satisfies Record<string, Font>;

export const heightOf = (lines: number, font: Font): number => lines * font.size * LINE_HEIGHT;

/** The space that words take. `y` of words is the upper edge of their first line. */
export function spaceOf({ x, y, lines, font, anchor }: Words): Rectangle {
  const width = Math.max(0, ...lines.map((line) => widthOf(line, font)));
  const left = anchor === "start" ? x : anchor === "middle" ? x - width / 2 : x - width;
  return { x: left, y, width, height: heightOf(lines.length, font) };
}

export const isInside = (inner: Rectangle, outer: Rectangle): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

export const overlap = (a: Rectangle, b: Rectangle): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
