/**
 * Objects that others write are read field by field. Either the result has the type that it claims, or the object is
 * left out and the field is named. The API server checks shapes, too, but it may be older or newer than this program.
 * Pure.
 */
import { type Family, parseAddress } from "#api/address.ts";
import { printable } from "#api/printable.ts";
import { type Fault, faultText } from "#api/v1beta1/fault.ts";
import { errorText } from "#common/error.ts";
import type { LabelSelector, Labels } from "#common/kube/selector.ts";
import type { ObjectMeta } from "#common/kube/wire.ts";

/** A field of an object that cannot be used: `spec.ports[0].port is "x": it has to be an integer from 1 to 65535`. */
export class UnusableError extends Error {
  override readonly name = "UnusableError";
  readonly code = "Unusable";

  constructor(field: string, value: unknown, rule: string) {
    super(printable(`${field} is ${shown(value)}: it has to be ${rule}`));
  }
}

/** An object, or a part of one, that is left out. */
export interface Unusable {
  /** Kind and name: `Lease genkan-system/speaker-n1`. */
  readonly object: string;
  readonly why: string;
}

/** Reads a field's value as one type, or throws UnusableError. */
export type Reader<T> = (value: unknown, field: string) => T;

const MAX_SHOWN = 80;
const MAX_WHY = 500;
/** Longer than any name of Kubernetes, any address and any word of ours. */
const MAX_TEXT = 1_024;
const MAX_ENTRIES = 10_000;

/** The result of `make`. If it throws, `leftOut` gets an entry about `object`, and nothing else is affected. */
export function attempt<T>(leftOut: Unusable[], object: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    leftOut.push({ object: printable(object.slice(0, MAX_TEXT)), why: whyOf(error) });
    return undefined;
  }
}

/** Those of the objects whose present configuration does not count, because the rules of admission refuse it. */
export function refusedOf(
  kind: string,
  standings: Iterable<{
    readonly object: { readonly metadata: { readonly name?: string } };
    readonly faults: readonly Fault[];
  }>,
): Unusable[] {
  return [...standings].flatMap(({ object, faults: [first] }) =>
    first === undefined
      ? []
      : [{ object: `${kind} ${object.metadata.name ?? ""}`, why: faultText(first).slice(0, MAX_WHY) }],
  );
}

/**
 * The metadata that the rules of admission look at, and by which the older of two objects is found. Throws
 * UnusableError.
 */
export function judgedMetadata(metadata: ObjectMeta): ObjectMeta {
  const { namespace } = metadata;
  return {
    name: text(metadata.name, "metadata.name"),
    uid: text(metadata.uid, "metadata.uid"),
    resourceVersion: "",
    creationTimestamp: optional(text, "")(metadata.creationTimestamp, "metadata.creationTimestamp"),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** An error as a short line. */
export function whyOf(error: unknown): string {
  return printable(errorText(error)).slice(0, MAX_WHY);
}

export const text: Reader<string> = (value, field) => {
  if (typeof value !== "string" || value.length > MAX_TEXT) {
    throw new UnusableError(field, value, `a text of at most ${MAX_TEXT} characters`);
  }
  return value;
};

export const flag: Reader<boolean> = (value, field) => {
  if (typeof value !== "boolean") throw new UnusableError(field, value, "true or false");
  return value;
};

export const integer =
  (least: number, most: number): Reader<number> =>
  (value, field) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      throw new UnusableError(field, value, `an integer from ${least} to ${most}`);
    }
    return value;
  };

export const word =
  <const T extends string>(...words: readonly T[]): Reader<T> =>
  (value, field) => {
    const found = words.find((one) => one === value);
    if (found === undefined) throw new UnusableError(field, value, `one of ${words.join(", ")}`);
    return found;
  };

/** An address of the family, or of any; the text as it is. */
export const address =
  (family?: Family): Reader<string> =>
  (value, field) => {
    const parsed = typeof value === "string" ? parseAddress(value) : undefined;
    if (parsed === undefined || (family !== undefined && parsed.family !== family)) {
      throw new UnusableError(field, value, `an address${family === undefined ? "" : ` of ${family}`}`);
    }
    return value as string;
  };

export const list =
  <T>(entry: Reader<T>, most = MAX_ENTRIES): Reader<T[]> =>
  (value, field) => {
    if (!Array.isArray(value) || value.length > most) {
      throw new UnusableError(field, value, `a list of at most ${most} entries`);
    }
    return value.map((one, at) => entry(one, `${field}[${at}]`));
  };

/** Only the object's own fields count: every object inherits a `constructor`. */
export const fields: Reader<Readonly<Record<string, unknown>>> = (value, field) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnusableError(field, value, "an object");
  }
  return value as Record<string, unknown>;
};

/** Gives `without` where the field is absent or null (Go writes null for an empty list). */
export function optional<T>(reader: Reader<T>): Reader<T | undefined>;
export function optional<T>(reader: Reader<T>, without: T): Reader<T>;
export function optional<T>(reader: Reader<T>, without?: T): Reader<T | undefined> {
  return (value, field) => (value === undefined || value === null ? without : reader(value, field));
}

export const labels: Reader<Labels> = (value, field) => {
  const read = fields(value, field);
  for (const [key, one] of Object.entries(read)) text(one, `${field}.${key}`);
  return read as Labels;
};

const expression: Reader<NonNullable<LabelSelector["matchExpressions"]>[number]> = (value, field) => {
  const { key, operator, values } = fields(value, field);
  return {
    key: text(key, `${field}.key`),
    operator: text(operator, `${field}.operator`),
    ...(values === undefined || values === null ? {} : { values: list(text)(values, `${field}.values`) }),
  };
};

export const selector: Reader<LabelSelector> = (value, field) => {
  const { matchLabels, matchExpressions } = fields(value, field);
  const wanted = optional(labels)(matchLabels, `${field}.matchLabels`);
  const expressions = optional(list(expression))(matchExpressions, `${field}.matchExpressions`);
  return {
    ...(wanted === undefined ? {} : { matchLabels: wanted }),
    ...(expressions === undefined ? {} : { matchExpressions: expressions }),
  };
};

export const port = integer(1, 65_535);

function shown(value: unknown): string {
  if (value === undefined) return "absent";
  if (Array.isArray(value)) return `a list of ${value.length} entries`;
  if (typeof value === "object" && value !== null) return "an object";
  const words = typeof value === "string" ? JSON.stringify(value.slice(0, MAX_SHOWN)) : String(value);
  return words.slice(0, MAX_SHOWN);
}
