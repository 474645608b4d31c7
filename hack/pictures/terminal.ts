/** What a command prints, as a picture: text stays text, and the colours follow whether its reader prefers a dark page. Pure. */
import { DARK, LIGHT } from "./svg.ts";

export interface Terminal {
  /** The file in docs/pictures, without its ending. */
  readonly name: string;
  readonly title: string;
  readonly command: string;
  /** What it prints. */
  readonly text: string;
}

const COLUMNS = 108;
const CHARACTER = 7.23;
const LINE = 18;
const MARGIN = 16;
const FONT = "ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace";

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** As a terminal of that width breaks a line. */
function broken(line: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at === 0 || at < line.length; at += COLUMNS) parts.push(line.slice(at, at + COLUMNS));
  return parts;
}

const toneOf = (line: string): string =>
  /^(BROKEN|broken)/.test(line) ? "fault" : /^ok /.test(line) ? "reply" : /^\$ /.test(line) ? "ours" : "ink";

export function terminalSvg({ title, command, text }: Terminal): string {
  const lines = [`$ ${command}`, ...text.trimEnd().split("\n")].flatMap((line) =>
    broken(line).map((part) => ({ part, tone: toneOf(line) })),
  );
  const width = Math.ceil(COLUMNS * CHARACTER + 2 * MARGIN);
  const height = lines.length * LINE + 2 * MARGIN;
  const rules = ({ page, edge, ink, tones }: typeof LIGHT): string =>
    `.page{fill:${page};stroke:${edge}}.t-ink{fill:${ink}}.t-fault{fill:${tones.fault[2]}}.t-reply{fill:${tones.reply[2]}}.t-ours{fill:${tones.ours[2]}}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">`,
    "<!-- Made by hack/generate.ts out of what the command prints. -->",
    `<title id="title">${escaped(title)}</title>`,
    `<style>text{font:12px ${FONT};white-space:pre}${rules(LIGHT)}@media(prefers-color-scheme:dark){${rules(DARK)}}</style>`,
    `<rect class="page" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...lines.map(
      ({ part, tone }, at) =>
        `<text class="t-${tone}" xml:space="preserve" x="${MARGIN}" y="${MARGIN + (at + 0.75) * LINE}">${escaped(part)}</text>`,
    ),
    "</svg>\n",
  ].join("\n");
}
