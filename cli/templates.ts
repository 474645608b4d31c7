/**
 * Marks that a tool replaces before anything is applied: Helm's and Jinja's expressions, variables of Flux, envsubst and
 * kustomize, what sops encrypted. Whoever meets one can judge nothing yet. Pure.
 */
const MARKS: readonly RegExp[] = [
  /\{\{[^{}]{0,200}\}\}/,
  /\{%[^%]{0,200}%\}/,
  /<%[^%]{0,200}%>/,
  /(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]{0,100}(?:[:=-][^}]{0,200})?\}/,
  /(?<!\$)\$\([A-Za-z_][A-Za-z0-9_]{0,100}\)/,
];
const ENCRYPTED = /ENC\[AES256_GCM,[^\]]{0,4000}\]/;
const LONGEST_SHOWN = 60;

export interface Mark {
  /** Where in the text it begins. */
  readonly at: number;
  /** What is to be done first. */
  readonly message: string;
}

/** The first mark in a text. */
export function markIn(text: string): Mark | undefined {
  const encrypted = ENCRYPTED.exec(text);
  if (encrypted !== null) return { at: encrypted.index, message: "is encrypted: decrypt it first (sops -d)" };
  const found = MARKS.map((mark) => mark.exec(text)).filter((match) => match !== null);
  const [first] = found.sort((a, b) => a.index - b.index);
  if (first === undefined) return undefined;
  const [mark] = first;
  const shown = mark.length > LONGEST_SHOWN ? `${mark.slice(0, LONGEST_SHOWN)}...` : mark;
  return {
    at: first.index,
    message: `${shown} is not filled in: render first (helm template, kustomize build, flux build, envsubst)`,
  };
}

/** The first mark in any text of a value that was read, keys of maps included. */
export function markInValue(value: unknown): Mark | undefined {
  if (typeof value === "string") return markIn(value);
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const mark = markIn(key) ?? markInValue(inner);
    if (mark !== undefined) return mark;
  }
  return undefined;
}
