import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printable } from "#api/printable.ts";

test("control and bidi characters are shown as escapes, all others as they are", () => {
  for (const [text, shown] of [
    ["office", "office"],
    ["玄関 – äöü 🏠 ‐ a\u00adb", "玄関 – äöü 🏠 ‐ a\u00adb"],
    ["a\u001b[31mb\u0007", "a\\u001b[31mb\\u0007"],
    ["a\nb\r\tc\u0000", "a\\u000ab\\u000d\\u0009c\\u0000"],
    ["\u007f\u0080\u009b\u009f\u00a0", "\\u007f\\u0080\\u009b\\u009f\u00a0"],
    ["\u061c\u200e\u200f", "\\u061c\\u200e\\u200f"],
    ["\u202a\u202b\u202c\u202d\u202e", "\\u202a\\u202b\\u202c\\u202d\\u202e"],
    ["\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["half \ud83c", "half \\ud83c"],
    ["other half \udfe0.", "other half \\udfe0."],
  ] as const) {
    assert.equal(printable(text), shown);
  }
});

test("whatever the text is, it is one line, nothing of it is lost, and doing it twice changes nothing", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const shown = printable(text);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      assert.equal(printable(shown), shown);
      if (!text.includes("\\") && !text.includes('"')) assert.equal(JSON.parse(`"${shown}"`), text);
    }),
  );
});
