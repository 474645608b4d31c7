/** The ways of arrows between boxes: level and upright parts only, and where their texts stand. */
import type { Arrow, End, Side } from "./description.ts";
import { FONTS, heightOf, type Line, type Point, type Rectangle, type Shape, type Words } from "./scene.ts";
import { wrap } from "./text.ts";

/** How far an arrow goes out that leaves and enters by the same side. */
const DETOUR = 26;
/** Text beside an upright arrow, pixels. */
const BESIDE = 150;
const STEP_RADIUS = 9;
const AWAY = 5;

export interface Route {
  readonly line: Line;
  readonly shapes: readonly Shape[];
  readonly words: readonly Words[];
}

function facing(a: Rectangle, b: Rectangle): [Side, Side] {
  if (b.x >= a.x + a.width) return ["right", "left"];
  if (b.x + b.width <= a.x) return ["left", "right"];
  return b.y >= a.y + a.height ? ["bottom", "top"] : ["top", "bottom"];
}

const isLevel = (side: Side): boolean => side === "left" || side === "right";

function pointAt({ x, y, width, height }: Rectangle, side: Side, part: number): Point {
  switch (side) {
    case "left":
      return { x, y: y + height * part };
    case "right":
      return { x: x + width, y: y + height * part };
    case "top":
      return { x: x + width * part, y };
    case "bottom":
      return { x: x + width * part, y: y + height };
  }
}

/** The place that both sides have, on the axis along them; undefined: none. */
function shared(a: Rectangle, b: Rectangle, level: boolean): number | undefined {
  const [from, to] = level
    ? [Math.max(a.y, b.y), Math.min(a.y + a.height, b.y + b.height)]
    : [Math.max(a.x, b.x), Math.min(a.x + a.width, b.x + b.width)];
  return from < to ? (from + to) / 2 : undefined;
}

function straight(a: Rectangle, b: Rectangle, sides: [Side, Side], ends: [End, End]): Point[] | undefined {
  const level = isLevel(sides[0]);
  const common = shared(a, b, level);
  if (common === undefined || isLevel(sides[1]) !== level || sides[0] === sides[1]) return undefined;
  const [from, to] = [pointAt(a, sides[0], ends[0].part ?? 0.5), pointAt(b, sides[1], ends[1].part ?? 0.5)];
  if (ends[0].part !== undefined && ends[1].part !== undefined) return undefined;
  const at = ends[0].part !== undefined ? from : ends[1].part !== undefined ? to : { x: common, y: common };
  return level
    ? [
        { x: from.x, y: at.y },
        { x: to.x, y: at.y },
      ]
    : [
        { x: at.x, y: from.y },
        { x: at.x, y: to.y },
      ];
}

const OUTWARD = { left: -1, top: -1, right: 1, bottom: 1 } as const;

function bent(from: Point, to: Point, [leave, enter]: [Side, Side], bend: number | undefined): Point[] {
  if (leave === enter) {
    const away = OUTWARD[leave] * (bend ?? DETOUR);
    if (isLevel(leave)) {
      const x = OUTWARD[leave] > 0 ? Math.max(from.x, to.x) + away : Math.min(from.x, to.x) + away;
      return [from, { x, y: from.y }, { x, y: to.y }, to];
    }
    const y = OUTWARD[leave] > 0 ? Math.max(from.y, to.y) + away : Math.min(from.y, to.y) + away;
    return [from, { x: from.x, y }, { x: to.x, y }, to];
  }
  if (isLevel(leave) !== isLevel(enter)) {
    return [from, isLevel(leave) ? { x: to.x, y: from.y } : { x: from.x, y: to.y }, to];
  }
  const part = bend ?? 0.5;
  if (isLevel(leave)) {
    const x = from.x + (to.x - from.x) * part;
    return [from, { x, y: from.y }, { x, y: to.y }, to];
  }
  const y = from.y + (to.y - from.y) * part;
  return [from, { x: from.x, y }, { x: to.x, y }, to];
}

interface Part {
  readonly from: Point;
  readonly to: Point;
  readonly length: number;
  readonly isLevel: boolean;
}

function partsOf(points: readonly Point[]): Part[] {
  return points.slice(1).map((to, at) => {
    const from = points[at] ?? to;
    return { from, to, length: Math.hypot(to.x - from.x, to.y - from.y), isLevel: from.y === to.y };
  });
}

function textOf(arrow: Arrow, part: Part): { words: Words[]; shapes: Shape[] } {
  const middle = {
    x: part.from.x + (part.to.x - part.from.x) * arrow.along,
    y: part.from.y + (part.to.y - part.from.y) * arrow.along,
  };
  const hasStep = arrow.step > 0;
  const away = AWAY + (hasStep ? STEP_RADIUS - 1 : 0);
  const lines = wrap(arrow.text, arrow.room ?? (part.isLevel ? part.length - 8 : BESIDE), FONTS.text);
  const height = heightOf(lines.length, FONTS.text);
  const place = part.isLevel
    ? {
        x: middle.x,
        y: arrow.isBehind ? middle.y + away : middle.y - away - height,
        anchor: "middle" as const,
      }
    : {
        x: middle.x + (arrow.isBehind ? -away - 3 : away + 3),
        y: middle.y - height / 2,
        anchor: arrow.isBehind ? ("end" as const) : ("start" as const),
      };
  const words: Words[] = lines.length === 0 ? [] : [{ ...place, lines, font: FONTS.text, tone: arrow.tone }];
  if (!hasStep) return { words, shapes: [] };
  const circle: Shape = {
    x: middle.x - STEP_RADIUS,
    y: middle.y - STEP_RADIUS,
    width: 2 * STEP_RADIUS,
    height: 2 * STEP_RADIUS,
    tone: arrow.tone,
    kind: "dot",
  };
  const number: Words = {
    x: middle.x,
    y: middle.y - heightOf(1, FONTS.step) / 2,
    lines: [String(arrow.step)],
    font: FONTS.step,
    anchor: "middle",
    tone: arrow.tone,
  };
  return { words: [...words, number], shapes: [circle] };
}

export function route(arrow: Arrow, boxes: ReadonlyMap<string, Rectangle>): Route {
  const of = (name: string): Rectangle => {
    const box = boxes.get(name);
    if (box === undefined) throw new Error(`an arrow names the box ${name}, which is not there`);
    return box;
  };
  const [a, b] = [of(arrow.from.box), of(arrow.to.box)];
  const [leave, enter] = facing(a, b);
  const sides: [Side, Side] = [arrow.from.side ?? leave, arrow.to.side ?? enter];
  const points =
    straight(a, b, sides, [arrow.from, arrow.to]) ??
    bent(
      pointAt(a, sides[0], arrow.from.part ?? 0.5),
      pointAt(b, sides[1], arrow.to.part ?? 0.5),
      sides,
      arrow.bend,
    );
  const parts = partsOf(points);
  const longest = [...parts].sort((one, other) => other.length - one.length)[0];
  const part = parts[arrow.on ?? -1] ?? longest;
  if (part === undefined)
    throw new Error(`the arrow from ${arrow.from.box} to ${arrow.to.box} has no length`);
  return {
    line: { points, tone: arrow.tone, isDashed: arrow.isDashed, isArrow: true },
    ...textOf(arrow, part),
  };
}
