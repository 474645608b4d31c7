/** A picture with time from left to right: a lane for each who takes part, bars for what lasts, dots for moments. */
import type { TimePicture } from "./description.ts";
import { MARGIN } from "./grid.ts";
import { FONTS, heightOf, type Line, type Rectangle, type Shape, type Words } from "./scene.ts";
import { widthOf, wrap } from "./text.ts";

/** Left of the axis, for the lanes' names. */
const NAMES = 168;
const AXIS = 34;
const LANE_GAP = 38;
const BAR_PADDING = 7;
const DOT = 7;

export interface Lanes {
  readonly shapes: readonly Shape[];
  readonly lines: readonly Line[];
  readonly words: readonly Words[];
  readonly bottom: number;
}

interface Lane extends Rectangle {
  readonly title: readonly string[];
  readonly text: readonly string[];
}

export function layTime(picture: TimePicture): Lanes {
  const left = MARGIN + NAMES;
  const scale = (picture.width - MARGIN - left) / (picture.to - picture.from);
  const xOf = (at: number): number => left + (at - picture.from) * scale;
  const bars = picture.bars.map((bar) => {
    const [x, end] = [xOf(bar.from), xOf(bar.to)];
    return { ...bar, x, width: end - x, lines: wrap(bar.text, end - x - 2 * BAR_PADDING, FONTS.text) };
  });
  const lanes = new Map<string, Lane>();
  let y = MARGIN + AXIS;
  for (const [name, { title, text }] of picture.lanes) {
    const titles = wrap(title, NAMES - 14, FONTS.title);
    const texts = wrap(text, NAMES - 14, FONTS.text);
    const rows = Math.max(1, ...bars.filter(({ lane }) => lane === name).map(({ lines }) => lines.length));
    const names = heightOf(titles.length, FONTS.title) + heightOf(texts.length, FONTS.text);
    const height = Math.max(names, heightOf(rows, FONTS.text) + 2 * BAR_PADDING);
    lanes.set(name, { x: left, y, width: picture.width - MARGIN - left, height, title: titles, text: texts });
    y += height + LANE_GAP;
  }
  const laneOf = (name: string): Lane => {
    const lane = lanes.get(name);
    if (lane === undefined) throw new Error(`there is no lane ${name}`);
    return lane;
  };
  const bottom = y - LANE_GAP;
  const ticks = [...picture.ticks].map(([at, text]) => ({ x: xOf(at), text }));
  return {
    shapes: [
      ...bars.map((bar): Shape => {
        const lane = laneOf(bar.lane);
        return { x: bar.x, y: lane.y, width: bar.width, height: lane.height, tone: bar.tone, kind: "box" };
      }),
      ...picture.moments.flatMap(({ lane, at, tone }) =>
        at.map(
          (moment): Shape => ({
            x: xOf(moment) - DOT / 2,
            y: laneOf(lane).y + laneOf(lane).height / 2 - DOT / 2,
            width: DOT,
            height: DOT,
            tone,
            kind: "dot",
          }),
        ),
      ),
    ],
    lines: [
      ...ticks.map(
        ({ x }): Line => ({
          points: [
            { x, y: MARGIN + AXIS - 10 },
            { x, y: bottom + 8 },
          ],
          tone: "plain",
          isDashed: true,
          isArrow: false,
        }),
      ),
      ...[...lanes.values()].map(
        (lane): Line => ({
          points: [
            { x: left, y: lane.y + lane.height / 2 },
            { x: picture.width - MARGIN, y: lane.y + lane.height / 2 },
          ],
          tone: "plain",
          isDashed: false,
          isArrow: true,
        }),
      ),
      ...picture.messages.map((message): Line => {
        const [from, to] = [laneOf(message.from), laneOf(message.to)];
        const x = xOf(message.at);
        const down = to.y > from.y;
        return {
          points: [
            { x, y: down ? from.y + from.height : from.y },
            { x, y: down ? to.y : to.y + to.height },
          ],
          tone: message.tone,
          isDashed: false,
          isArrow: true,
        };
      }),
    ],
    words: [
      ...ticks.map(({ x, text }): Words => {
        // At the right edge the text would go beyond the page.
        const half = widthOf(text, FONTS.text) / 2;
        const middle = Math.min(x, picture.width - MARGIN - half);
        return { x: middle, y: MARGIN - 2, lines: [text], font: FONTS.text, anchor: "middle", tone: "muted" };
      }),
      ...[...lanes.values()].flatMap(({ y: top, height, title, text }): Words[] => {
        const names = heightOf(title.length, FONTS.title) + heightOf(text.length, FONTS.text);
        const first = top + (height - names) / 2;
        const second = first + heightOf(title.length, FONTS.title);
        const place = { x: MARGIN, anchor: "start" as const };
        return [
          { ...place, y: first, lines: title, font: FONTS.title },
          { ...place, y: second, lines: text, font: FONTS.text, tone: "muted" as const },
        ].filter(({ lines }) => lines.length > 0);
      }),
      ...bars
        .filter(({ lines }) => lines.length > 0)
        .map((bar): Words => {
          const lane = laneOf(bar.lane);
          const top = lane.y + (lane.height - heightOf(bar.lines.length, FONTS.text)) / 2;
          return { x: bar.x + bar.width / 2, y: top, lines: bar.lines, font: FONTS.text, anchor: "middle" };
        }),
      ...picture.messages
        .filter(({ text }) => text !== "")
        .map((message): Words => {
          const [from, to] = [laneOf(message.from), laneOf(message.to)];
          const [upper, lower] = from.y < to.y ? [from, to] : [to, from];
          const lines = wrap(message.text, message.room, FONTS.text);
          const middle = (upper.y + upper.height + lower.y) / 2;
          return {
            x: xOf(message.at) + (message.isBehind ? -8 : 8),
            y: middle - heightOf(lines.length, FONTS.text) / 2,
            lines,
            font: FONTS.text,
            anchor: message.isBehind ? "end" : "start",
            tone: message.tone,
          };
        }),
    ],
    bottom: bottom + 8,
  };
}
