/** Where a field stands in the text that it was read from. Pure. */
import { isMap, isPair, isScalar, isSeq, type LineCounter } from "yaml";

/** Both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

type WithRange = { readonly range?: readonly number[] | null } | null | undefined;

export function placeOf(node: unknown, lines: LineCounter): Place {
  const [start] = (node as WithRange)?.range ?? [];
  if (start === undefined) return { line: 1, column: 1 };
  const { line, col } = lines.linePos(start);
  return { line, column: col };
}

/**
 * The place of `spec.addresses[0]`: of a field its name, of an entry of a list the entry. Where the field is not there,
 * because it is missing or was merged in, the place of the nearest one around it.
 */
export function placeOfField(root: unknown, field: string, lines: LineCounter): Place {
  let node = root;
  let place = placeOf(root, lines);
  for (const step of stepsOf(field)) {
    if (typeof step === "number" && isSeq(node)) {
      node = node.items[step];
      if (node === undefined) return place;
      place = placeOf(node, lines);
    } else if (typeof step === "string" && isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return place;
      place = placeOf(pair.key, lines);
      node = pair.value;
    } else return place;
  }
  return place;
}

/** `spec.addresses[0]` -> spec, addresses, 0. */
function stepsOf(field: string): (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? "") : Number(index),
  );
}
