/**
 * How wide a text is without a browser. The widths are those of DejaVu Sans, the widest of the fonts that a picture
 * names: what fits by them fits on every machine.
 */

/** Hundredths of the font's size -> the characters that are so wide. */
const PLAIN: Readonly<Record<number, string>> = {
  27: "'",
  28: "ijl",
  29: "IJ",
  32: " ,.",
  34: "/:;\\|",
  36: "-f",
  39: "()[]t",
  41: "!r",
  46: '"',
  50: "*_`",
  52: "sz",
  55: "c?",
  58: "FkL",
  60: "vxyP",
  64: "TYaoeESbdghnpqu$0123456789{}",
  70: "KAVBRXZC",
  77: "UHNDG&OQ",
  84: "w#+<=>^~",
  86: "M",
};
const BOLD: Readonly<Record<number, string>> = {
  31: "'",
  34: "ijl",
  38: " ,./IJ\\|",
  44: ":;-f",
  49: "!()[]tr",
  52: '_`"*',
  60: "?zcs",
  65: "Lvxy",
  70: "akEFTeo$0123456789",
  73: "hnu{}SYbdgpqCPZ",
  81: "BAKRVXU",
  87: "GD#+<=>HN^~OQ&",
  92: "w",
};
/** Of every other character. */
const WIDEST = { plain: 100, bold: 110 };

const byCharacter = (table: Readonly<Record<number, string>>): ReadonlyMap<string, number> =>
  new Map(
    Object.entries(table).flatMap(([width, characters]) =>
      [...characters].map((character): [string, number] => [character, Number(width)]),
    ),
  );
const WIDTHS = { plain: byCharacter(PLAIN), bold: byCharacter(BOLD) };

export interface Font {
  /** Pixels. */
  readonly size: number;
  readonly isBold: boolean;
}

/** Pixels; never less than a browser needs. */
export function widthOf(text: string, { size, isBold }: Font): number {
  const weight = isBold ? "bold" : "plain";
  const hundredths = [...text].reduce(
    (sum, character) => sum + (WIDTHS[weight].get(character) ?? WIDEST[weight]),
    0,
  );
  return (hundredths * size) / 100;
}

/** Lines of at most `width` pixels, broken at spaces and where the text has a line's end; throws where a word alone is wider. */
export function wrap(text: string, width: number, font: Font): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.split(/ +/).filter((part) => part !== "")) {
      if (widthOf(word, font) > width)
        throw new Error(`"${word}" is ${Math.ceil(widthOf(word, font))} wide, and there are ${width}`);
      const longer = [...lines.slice(-1), word].join(" ");
      if (lines.length > 0 && widthOf(longer, font) <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  });
}
