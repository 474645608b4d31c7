/** Our kinds against their own schemas, by ajv: what the API server refuses by schema is refused offline too. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";

const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function createAjv(): Ajv {
  // strictTypes: Kubernetes' int-or-string has maxLength beside no type. strictRequired: CEL's business.
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  for (const keyword of [
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
  ]) {
    ajv.addKeyword(keyword);
  }
  ajv.addFormat("int32", {
    type: "number",
    validate: (value: number) => Number.isInteger(value) && Math.abs(value) <= 2 ** 31,
  });
  ajv.addFormat("int64", { type: "number", validate: (value: number) => Number.isInteger(value) });
  ajv.addFormat("date-time", { type: "string", validate: (value: string) => DATE_TIME.test(value) });
  return ajv;
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(kind: string): ValidateFunction | undefined {
  // A kind is a word of the user's: `constructor` is not one of ours.
  if (!Object.hasOwn(SCHEMAS, kind)) return undefined;
  let validator = validators.get(kind);
  if (validator === undefined) {
    validator = createAjv().compile((SCHEMAS as Readonly<Record<string, object>>)[kind] ?? {});
    validators.set(kind, validator);
  }
  return validator;
}

/** A JSON pointer (RFC 6901) -> the keys that it goes by. */
const partsOf = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** `/spec/addresses/1` -> `spec.addresses[1]` */
function pathOf(error: ErrorObject): string {
  const parts = partsOf(error.instancePath);
  return (
    parts.map((part, at) => (/^\d+$/.test(part) ? `[${part}]` : `${at === 0 ? "" : "."}${part}`)).join("") ||
    "object"
  );
}

/** Patterns of the schemas, and what to say where one does not match. */
const PATTERN_WORDS: readonly (readonly [pattern: string, words: string])[] = [
  ["ns|us|ms", "is not a duration such as 90s"],
  ["[-a-z0-9.]*[a-z0-9])?/)?", "is not a class: a name, or prefix/name"],
];

interface Params {
  readonly allowedValues?: readonly unknown[];
  readonly pattern?: string;
  readonly limit?: number;
  readonly missingProperty?: string;
}

/** The rule that does not hold, as a person would say it. */
function ruleOf({ keyword, message, params }: ErrorObject): string {
  const { allowedValues, pattern, limit, missingProperty } = params as Params;
  switch (keyword) {
    case "enum":
      return `must be one of ${(allowedValues ?? []).map(String).join(", ")}`;
    case "pattern":
      return PATTERN_WORDS.find(([part]) => pattern?.includes(part))?.[1] ?? message ?? keyword;
    case "required":
      return `${missingProperty} is missing`;
    case "minItems":
      return `must have at least ${limit} ${limit === 1 ? "entry" : "entries"}`;
    case "maxItems":
    case "maxProperties":
      return `must have at most ${limit} entries`;
    case "minLength":
      return `must have at least ${limit} ${limit === 1 ? "character" : "characters"}`;
    case "maxLength":
      return `must have at most ${limit} characters`;
    case "minimum":
      return `must be at least ${limit}`;
    case "maximum":
      return `must be at most ${limit}`;
    default:
      return message ?? keyword;
  }
}

function wordsOf(error: ErrorObject, value: unknown): string {
  const rule = ruleOf(error);
  const text = JSON.stringify(value);
  return text === undefined || text.length > 100 || error.keyword === "required" ? rule : `${text} ${rule}`;
}

function at(object: unknown, instancePath: string): unknown {
  return partsOf(instancePath).reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | undefined)?.[part],
    object,
  );
}

/** Refusals by the schema of `kind`; an unknown kind is refused too. Never throws on any input. */
export function validateSchema(kind: string, object: unknown): Fault[] {
  const validate = validatorOf(kind);
  if (validate === undefined) return [fault("kind", `"${kind}" is not a kind of ours`)];
  if (validate(object)) return [];
  return (validate.errors ?? [])
    .filter((error) => error.keyword !== "anyOf")
    .map((error) => fault(pathOf(error), wordsOf(error, at(object, error.instancePath))));
}
