/** Every picture can be read: nothing stands on anything else, in the widest of its fonts, on a light and a dark page. */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readPicture } from "./description.ts";
import { FOLDER, readPictures, sceneOf } from "./pictures.ts";
import {
  isInside,
  type Line,
  overlap,
  type Point,
  type Rectangle,
  type Scene,
  spaceOf,
  type Words,
} from "./scene.ts";
import { type Colours, DARK, LIGHT, svgOf } from "./svg.ts";
import { drawTerminals } from "./terminals.ts";
import { widthOf, wrap } from "./text.ts";

const SCENES = [...(await readPictures())].map(([file, picture]) => ({
  file,
  kind: picture.kind,
  legend: picture.legend.length,
  scene: sceneOf(picture),
}));

/** The stretches of a line, as rectangles without breadth. */
const stretches = ({ points }: Line): Rectangle[] =>
  points.slice(1).map((to, at) => {
    const from = points[at] ?? to;
    return {
      x: Math.min(from.x, to.x),
      y: Math.min(from.y, to.y),
      width: Math.abs(from.x - to.x),
      height: Math.abs(from.y - to.y),
    };
  });

const shrunk = ({ x, y, width, height }: Rectangle, by: number): Rectangle => ({
  x: x + by,
  y: y + by,
  width: width - 2 * by,
  height: height - 2 * by,
});

/** What stands where something else stands, or beyond the page. */
function faultsOf({ width, height, shapes, lines, words }: Scene): string[] {
  const page = { x: 0, y: 0, width, height };
  const solid = shapes.filter(({ kind }) => kind === "box" || kind === "dot");
  const frames = shapes.filter(({ kind }) => kind === "frame");
  const name = ({ lines: [first = ""] }: Words): string => `"${first}"`;
  return words.flatMap((one, at) => {
    const space = spaceOf(one);
    const faults: string[] = [];
    if (!isInside(space, page)) faults.push(`${name(one)} is beyond the page`);
    for (const other of words.slice(at + 1))
      if (overlap(space, spaceOf(other))) faults.push(`${name(one)} stands on ${name(other)}`);
    if (solid.some((shape) => isInside(space, shape))) return faults;
    if (solid.some((shape) => overlap(space, shape))) faults.push(`${name(one)} stands on a box's edge`);
    if (lines.flatMap(stretches).some((stretch) => overlap(space, stretch)))
      faults.push(`${name(one)} stands on a line`);
    const isCut = frames.some((frame) => overlap(space, frame) && !isInside(space, frame) && one.font.isBold);
    if (isCut) faults.push(`${name(one)} is wider than its frame`);
    return faults;
  });
}

const crossings = ({ shapes, lines }: Scene): string[] =>
  lines.flatMap((line, at) => {
    const crossed = shapes
      .filter(({ kind }) => kind === "box")
      .filter((box) => stretches(line).some((stretch) => overlap(stretch, shrunk(box, 1))));
    return crossed.map(({ x, y }) => `line ${at} goes through the box at ${Math.round(x)}, ${Math.round(y)}`);
  });

const isOnEdge = ({ x, y }: Point, box: Rectangle): boolean => {
  const [right, bottom] = [box.x + box.width, box.y + box.height];
  const isAt = (one: number, other: number): boolean => Math.abs(one - other) < 0.01;
  const isLevel = y >= box.y && y <= bottom && (isAt(x, box.x) || isAt(x, right));
  return isLevel || (x >= box.x && x <= right && (isAt(y, box.y) || isAt(y, bottom)));
};

/** Arrows that hang in the air, or lean. */
function loose({ shapes, lines }: Scene, legend: number): string[] {
  const ends = shapes.filter(({ kind }) => kind === "box" || kind === "frame");
  return lines.slice(0, lines.length - legend).flatMap((line, at) => {
    const outer = [line.points[0], line.points.at(-1)];
    const isHeld = outer.every((point) => point !== undefined && ends.some((box) => isOnEdge(point, box)));
    const isStraight = stretches(line).every(({ width, height }) => width < 0.01 || height < 0.01);
    return [
      ...(isHeld ? [] : [`arrow ${at} does not go from box to box`]),
      ...(isStraight ? [] : [`arrow ${at} leans`]),
    ];
  });
}

for (const { file, kind, scene, legend } of SCENES) {
  test(`${file}: no text stands on another, on a line or on an edge`, () =>
    assert.deepEqual(faultsOf(scene), []));
  if (kind === "boxes")
    test(`${file}: each arrow goes from box to box, level or upright, and through none`, () =>
      assert.deepEqual([...crossings(scene), ...loose(scene, legend)], []));
  test(`${file}: whoever does not see it reads what it shows`, () => {
    const svg = svgOf(scene, `hack/generate.ts out of ${file}`);
    assert.match(svg, /<title id="title">[^<]{10,}<\/title>\n<desc id="desc">[^<]{100,}<\/desc>/);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  });
}

test("every picture is shown by a page, and none is left from a description that went", async () => {
  const root = new URL("../../", import.meta.url).pathname;
  const files = async (pattern: string): Promise<string[]> =>
    (await Array.fromAsync(glob(pattern, { cwd: root }))).sort();
  const drawn = await files(`${FOLDER}/*.svg`);
  // Those of the console are made in a browser.
  const taken = await readFile(join(root, "test/console/pictures.ts"), "utf8");
  assert.deepEqual(
    drawn,
    [
      ...SCENES.map(({ file }) => file.replace(/yaml$/, "svg")),
      ...drawTerminals().map(([file]) => file),
      ...[...taken.matchAll(/file: "(console-[a-z]+\.svg)"/g)].map(([, file]) => `${FOLDER}/${file}`),
    ].sort(),
  );
  const pages = [...(await files("*.md")), ...(await files("docs/*.md"))];
  const texts = await Promise.all(pages.map((page) => readFile(join(root, page), "utf8")));
  const unused = drawn.filter((file) => !texts.some((text) => text.includes(file.replace("docs/", ""))));
  assert.deepEqual(unused, []);
});

test("faults are seen: a text on a line, on an edge, on another, beyond the page; an arrow through a box", () => {
  const font = { size: 10, isBold: false };
  const words = (x: number, y: number, text: string): Words => ({
    x,
    y,
    lines: [text],
    font,
    anchor: "start",
  });
  const scene: Scene = {
    title: "",
    description: "",
    width: 200,
    height: 200,
    shapes: [{ x: 50, y: 50, width: 40, height: 40, tone: "plain", kind: "box" }],
    lines: [
      {
        points: [
          { x: 0, y: 70 },
          { x: 150, y: 70 },
        ],
        tone: "plain",
        isDashed: false,
        isArrow: true,
      },
    ],
    words: [
      words(10, 65, "line"),
      words(40, 80, "edge"),
      words(190, 10, "page"),
      words(10, 100, "one"),
      words(12, 102, "other"),
    ],
  };
  assert.deepEqual(faultsOf(scene), [
    '"line" stands on a line',
    '"edge" stands on a box\'s edge',
    '"page" is beyond the page',
    '"one" stands on "other"',
  ]);
  assert.deepEqual(crossings(scene), ["line 0 goes through the box at 50, 50"]);
  assert.deepEqual(loose(scene, 0), ["arrow 0 does not go from box to box"]);
});

test("text: as wide as its characters, broken at spaces and where it says so", () => {
  const font = { size: 10, isBold: false };
  assert.equal(widthOf("il", font), 5.6);
  assert.ok(widthOf("owner", { size: 10, isBold: true }) > widthOf("owner", font));
  assert.deepEqual(wrap("a bc\nd", 12, font), ["a", "bc", "d"]);
  assert.deepEqual(wrap("", 12, font), []);
  assert.throws(() => wrap("Maglev", 12, font), /"Maglev" is \d+ wide, and there are 12/);
});

const HEAD = "kind: boxes\ntitle: t\ndescription: d\n";
const FAULTS: readonly { what: string; yaml: string; fault: RegExp }[] = [
  { what: "no map", yaml: "- a", fault: /^Error: a\.yaml: no map/ },
  { what: "another kind", yaml: "kind: circles", fault: /a\.yaml\.kind: "circles" is none of boxes, time/ },
  { what: "a word with an error", yaml: `${HEAD}colums: 3`, fault: /a\.yaml\.colums: is not known/ },
  {
    what: "a box without a place",
    yaml: `${HEAD}boxes: { b: { title: B } }`,
    fault: /boxes\.b\.at: no list/,
  },
  {
    what: "an unknown tone",
    yaml: `${HEAD}boxes: { b: { at: [0, 0], tone: red } }`,
    fault: /boxes\.b\.tone: "red" is none of plain/,
  },
  {
    what: "an end that is no side",
    yaml: `${HEAD}arrows: [{ from: a.middle, to: b }]`,
    fault: /arrows\[0\]\.from: "a\.middle" is neither/,
  },
];
for (const { what, yaml, fault } of FAULTS)
  test(`a description with a fault is named with its place: ${what}`, () =>
    assert.throws(() => readPicture(yaml, "a.yaml"), fault));

test("an arrow to a box that is not there is a fault", () => {
  const yaml = `${HEAD}boxes: { a: { at: [0, 0] } }\narrows: [{ from: a, to: b }]`;
  assert.throws(() => sceneOf(readPicture(yaml, "a.yaml")), /names the box b, which is not there/);
});

/** WCAG 2: relative luminance of a colour, and the contrast of two. */
function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}

const faint = ({ page, ink, muted, tones }: Colours): string[] =>
  Object.entries(tones).flatMap(([tone, [fill, , text]]) =>
    [
      { what: `${tone}: text in a box`, on: fill, of: ink },
      { what: `${tone}: small text in a box`, on: fill, of: muted },
      { what: `${tone}: text at an arrow`, on: page, of: text },
      { what: `${tone}: a step's number`, on: fill, of: text },
    ].flatMap(({ what, on, of }) => {
      const found = contrast(on, of);
      return found >= 4.5 ? [] : [`${what}: ${found.toFixed(2)}`];
    }),
  );

test("text has a contrast of 4.5 to what it stands on, on light and dark pages (WCAG 2, 1.4.3)", () => {
  assert.equal(Math.round(contrast("#000000", "#ffffff")), 21);
  assert.deepEqual([...faint(LIGHT), ...faint(DARK)], []);
});
