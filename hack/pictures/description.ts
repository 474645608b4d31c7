/** What a picture shall show, as a file of docs/pictures says it. */
import { parse } from "yaml";
import { Fields, whole } from "./fields.ts";
import type { Tone } from "./scene.ts";

export interface Box {
  /** Column and row of its upper left corner, from 0. */
  readonly at: readonly [column: number, row: number];
  /** Columns and rows that it takes. */
  readonly span: readonly [columns: number, rows: number];
  readonly title: string;
  readonly text: string;
  readonly tone: Tone;
}

export const SIDES = ["left", "right", "top", "bottom"] as const;
export type Side = (typeof SIDES)[number];

export interface End {
  readonly box: string;
  /** Undefined: the side that faces the other end. */
  readonly side: Side | undefined;
  /** Where on the side, 0 to 1 from the left or from above; undefined: the middle, or level with the other end. */
  readonly part: number | undefined;
}

export interface Arrow {
  readonly from: End;
  readonly to: End;
  readonly text: string;
  readonly tone: Tone;
  readonly isDashed: boolean;
  /** A number in a circle on the arrow; 0: none. */
  readonly step: number;
  /** Where an arrow with two corners turns, 0 to 1 of the way; for one that leaves and enters by the same side, pixels. */
  readonly bend: number | undefined;
  /** Pixels for the text; undefined: as long as its part of the arrow, or 150 beside an upright one. */
  readonly room: number | undefined;
  /** Which part of the arrow has the text, from 0; undefined: the longest. */
  readonly on: number | undefined;
  /** Where on that part the text is, 0 to 1. */
  readonly along: number;
  /** Text below a level arrow, or left of an upright one. */
  readonly isBehind: boolean;
}

export interface Group {
  /** By which an arrow may name the frame; "": by nothing. */
  readonly id: string;
  readonly title: string;
  readonly holds: readonly string[];
  readonly tone: Tone;
}

export interface Legend {
  readonly text: string;
  readonly tone: Tone;
  readonly isDashed: boolean;
}

interface Head {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly legend: readonly Legend[];
}

export interface BoxPicture extends Head {
  readonly kind: "boxes";
  readonly columns: number;
  /** Pixels between columns, and between rows. */
  readonly gap: number;
  readonly rows: readonly number[];
  readonly boxes: ReadonlyMap<string, Box>;
  readonly groups: readonly Group[];
  readonly arrows: readonly Arrow[];
}

export interface Bar {
  readonly lane: string;
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
  readonly tone: Tone;
}

export interface Moment {
  readonly lane: string;
  readonly at: readonly number[];
  readonly tone: Tone;
}

export interface Message {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly tone: Tone;
  readonly room: number;
  readonly isBehind: boolean;
}

export interface TimePicture extends Head {
  readonly kind: "time";
  /** Seconds at the left and right end of the axis. */
  readonly from: number;
  readonly to: number;
  readonly ticks: ReadonlyMap<number, string>;
  readonly lanes: ReadonlyMap<string, { readonly title: string; readonly text: string }>;
  readonly bars: readonly Bar[];
  readonly moments: readonly Moment[];
  readonly messages: readonly Message[];
}

export type Picture = BoxPicture | TimePicture;

/** `box`, `box.right`, `box.right@0.3` */
function end(fields: Fields, key: string): End {
  const text = fields.text(key);
  const found = /^([\w-]+)(?:\.(left|right|top|bottom)(?:@([\d.]+))?)?$/.exec(text);
  if (found === null) throw fields.fault(key, `"${text}" is neither box, box.side nor box.side@part`);
  const [, box = "", side, part] = found;
  return {
    box,
    side: SIDES.find((name) => name === side),
    part: part === undefined ? undefined : Number(part),
  };
}

const arrow = whole(
  (fields): Arrow => ({
    from: end(fields, "from"),
    to: end(fields, "to"),
    text: fields.text("text", ""),
    tone: fields.tone(),
    isDashed: fields.flag("dashed"),
    step: fields.number("step", 0),
    bend: fields.maybe("bend"),
    room: fields.maybe("room"),
    on: fields.maybe("on"),
    along: fields.number("along", 0.5),
    isBehind: fields.flag("behind"),
  }),
);
const box = whole(
  (fields): Box => ({
    at: fields.pair("at"),
    span: fields.pair("span", [1, 1]),
    title: fields.text("title", ""),
    text: fields.text("text", ""),
    tone: fields.tone(),
  }),
);
const group = whole(
  (fields): Group => ({
    id: fields.text("id", ""),
    title: fields.text("title"),
    holds: fields.texts("holds"),
    tone: fields.tone(),
  }),
);
const legend = whole(
  (fields): Legend => ({ text: fields.text("text"), tone: fields.tone(), isDashed: fields.flag("dashed") }),
);
const bar = whole(
  (fields): Bar => ({
    lane: fields.text("lane"),
    from: fields.number("from"),
    to: fields.number("to"),
    text: fields.text("text", ""),
    tone: fields.tone(),
  }),
);
const moment = whole(
  (fields): Moment => ({ lane: fields.text("lane"), at: fields.numbers("at"), tone: fields.tone() }),
);
const message = whole(
  (fields): Message => ({
    at: fields.number("at"),
    from: fields.text("from"),
    to: fields.text("to"),
    text: fields.text("text", ""),
    tone: fields.tone(),
    room: fields.number("room", 150),
    isBehind: fields.flag("behind"),
  }),
);
const lane = whole((fields) => ({ title: fields.text("title"), text: fields.text("text", "") }));

export function readPicture(yaml: string, file: string): Picture {
  return whole((fields): Picture => {
    const kind = fields.one("kind", ["boxes", "time"]);
    const head: Head = {
      title: fields.text("title"),
      description: fields.text("description").replaceAll(/\s+/g, " "),
      width: fields.number("width", 960),
      legend: fields.list("legend", legend),
    };
    if (kind === "boxes")
      return {
        ...head,
        kind,
        columns: fields.number("columns", 12),
        gap: fields.number("gap", 20),
        rows: fields.numbers("rows", []),
        boxes: fields.map("boxes", box),
        groups: fields.list("groups", group),
        arrows: fields.list("arrows", arrow),
      };
    return {
      ...head,
      kind,
      from: fields.number("from"),
      to: fields.number("to"),
      ticks: new Map([...fields.entries("ticks")].map(([at, text]) => [Number(at), text])),
      lanes: fields.map("lanes", lane),
      bars: fields.list("bars", bar),
      moments: fields.list("moments", moment),
      messages: fields.list("messages", message),
    };
  })(new Fields(parse(yaml), file));
}
