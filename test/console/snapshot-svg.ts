/**
 * What a browser shows of a page, as an SVG: boxes, lines and texts where the browser has put them. So the pages of docs/ have
 * screenshots that are text: they can be searched, compared and read on any scale.
 */
import type { Page } from "playwright-core";

interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly string[];
}

/** The first `height` pixels of it. `title`: for those who do not see it. */
export async function svgOf(page: Page, title: string, height: number): Promise<string> {
  const { width, shapes, height: whole } = await page.evaluate<Drawn>(drawing(height));
  const shown = Math.min(height, Math.ceil(whole));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${shown}" width="${width}" height="${shown}" role="img" aria-labelledby="title" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    "<!-- Made by test/console/pictures.ts out of what Chromium shows of the console. -->",
    `<title id="title">${title}</title>`,
    ...shapes,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${shown - 1}" fill="none" stroke="#c3cad4"/>`,
    "</svg>",
    "",
  ].join("\n");
}

/** Runs in the page. What begins below `limit` pixels is left out. */
const drawing = (limit: number): string => `(() => {
  const shapes = [];
  const round = (value) => Math.round(value * 10) / 10;
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
  const isSeen = (color) => color !== "transparent" && !/, 0\\)$/.test(color);
  const box = (x, y, width, height, rest) => {
    if (width > 0 && height > 0 && y < ${limit})
      shapes.push('<rect x="' + round(x) + '" y="' + round(y) + '" width="' + round(width) + '" height="' + round(height) + '" ' + rest + '/>');
  };
  const words = (text, { left, top, width, height }, style) => {
    if (top > ${limit}) return;
    const size = parseFloat(style.fontSize);
    const bold = Number(style.fontWeight) >= 600 ? ' font-weight="bold"' : "";
    const under = style.textDecorationLine === "underline" ? ' text-decoration="underline"' : "";
    shapes.push('<text x="' + round(left) + '" y="' + round(top + (height - size) / 2 + size * 0.85) + '" font-size="' + size + '" fill="' + style.color + '" textLength="' + round(width) + '" lengthAdjust="spacingAndGlyphs"' + bold + under + '>' + escaped(text) + '</text>');
  };
  const lines = (node, style) => {
    const range = document.createRange();
    let line;
    const end = () => { if (line && line.text.trim() !== "") words(line.text.trimEnd(), line, style); line = undefined; };
    for (const { 0: text, index } of node.data.matchAll(/\\S+\\s*/g)) {
      range.setStart(node, index);
      range.setEnd(node, index + text.trimEnd().length);
      const rect = range.getClientRects()[0];
      if (!rect || rect.width === 0) continue;
      if (line && Math.abs(line.top - rect.top) < 2) { line.text += text; line.width = rect.right - line.left; }
      else { end(); line = { text, left: rect.left, top: rect.top, width: rect.width, height: rect.height }; }
      line.text = line.text.replace(/\\s+$/, " ");
    }
    end();
  };
  const figure = (svg) => {
    const { left, top } = svg.getBoundingClientRect();
    const parts = [...svg.querySelectorAll("line, rect, text")].map((part) => {
      const style = getComputedStyle(part);
      const own = ["x", "y", "x1", "y1", "x2", "y2", "width", "height", "rx"].filter((name) => part.hasAttribute(name)).map((name) => name + '="' + part.getAttribute(name) + '"');
      const dash = style.strokeDasharray === "none" ? "" : ' stroke-dasharray="' + style.strokeDasharray.replaceAll("px", "") + '"';
      const paint = part.tagName === "text" ? 'fill="' + style.fill + '" font-size="' + parseFloat(style.fontSize) + '"' : 'fill="' + style.fill + '" stroke="' + style.stroke + '" stroke-width="' + parseFloat(style.strokeWidth) + '"' + dash;
      return '<' + part.tagName + ' ' + own.join(" ") + ' ' + paint + '>' + escaped(part.tagName === "text" ? part.textContent : "") + '</' + part.tagName + '>';
    });
    shapes.push('<g transform="translate(' + round(left) + ' ' + round(top) + ')">' + parts.join("") + '</g>');
  };
  const walk = (element) => {
    const style = getComputedStyle(element);
    const { left, top, width, height, right, bottom } = element.getBoundingClientRect();
    if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none" || right <= 0) return;
    const radius = parseFloat(style.borderTopLeftRadius) || 0;
    if (isSeen(style.backgroundColor)) box(left, top, width, height, 'fill="' + style.backgroundColor + '" rx="' + radius + '"');
    const sides = [["Top", left, top, width, 0], ["Bottom", left, bottom, width, 0], ["Left", left, top, 0, height], ["Right", right, top, 0, height]];
    for (const [side, x, y, w, h] of sides) {
      const size = parseFloat(style["border" + side + "Width"]);
      if (size === 0 || style["border" + side + "Style"] === "none" || !isSeen(style["border" + side + "Color"])) continue;
      const [dx, dy] = [side === "Right" ? -size : 0, side === "Bottom" ? -size : 0];
      box(x + dx, y + dy, w || size, h || size, 'fill="' + style["border" + side + "Color"] + '"');
    }
    if (element.tagName === "svg") return figure(element);
    if (element.tagName === "CANVAS") {
      shapes.push('<image x="' + round(left) + '" y="' + round(top) + '" width="' + round(width) + '" height="' + round(height) + '" href="' + element.toDataURL("image/png") + '"/>');
      return;
    }
    if (element.tagName === "INPUT" && element.type === "checkbox") {
      box(left + 0.5, top + 0.5, width - 1, height - 1, 'fill="' + (element.checked ? "#1f5f99" : "#ffffff") + '" stroke="#4d5866" rx="2"');
      return;
    }
    if (element.tagName === "INPUT") {
      if (element.value !== "") words(element.value, { left: left + 11, top, width: element.value.length * 8, height }, style);
      return;
    }
    if (element.tagName === "METER") {
      box(left, top + height / 4, width, height / 2, 'fill="#c3cad4" rx="3"');
      box(left, top + height / 4, width * Math.min(1, element.value / (element.max || 1)), height / 2, 'fill="#17653a" rx="3"');
      return;
    }
    const isClosed = element.tagName === "DETAILS" && !element.open;
    for (const child of element.childNodes) {
      if (isClosed && child.tagName !== "SUMMARY") continue;
      if (child.nodeType === Node.TEXT_NODE) lines(child, style);
      else if (child.nodeType === Node.ELEMENT_NODE) walk(child);
    }
  };
  scrollTo(0, 0);
  box(0, 0, innerWidth, document.documentElement.scrollHeight, 'fill="' + getComputedStyle(document.body).backgroundColor + '"');
  walk(document.body);
  return { width: innerWidth, height: document.documentElement.scrollHeight, shapes };
})()`;
