/** The ranges that an AddressPool names, as numbers. */
import { AddressError, parseRange, type Range } from "#api/address.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";

/** A range with the text that it was written as. */
export interface Written {
  readonly text: string;
  readonly at: number;
  readonly span: Range;
}

/** Pools are read many times, and stores give the very same objects again. */
const known = new WeakMap<readonly string[], readonly Written[]>();

export function spansOf(pool: AddressPool): readonly Written[] {
  const { addresses } = pool.spec;
  let spans = known.get(addresses);
  if (spans === undefined) {
    spans = addresses.flatMap((text, at) => {
      const span = understood(text);
      return span instanceof AddressError ? [] : [{ text, at, span }];
    });
    known.set(addresses, spans);
  }
  return spans;
}

export function understood(text: string): Range | AddressError {
  try {
    return parseRange(text);
  } catch (error) {
    if (error instanceof AddressError) return error;
    throw error;
  }
}
