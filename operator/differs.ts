/**
 * Whether an object still says what we want: every wanted field is there with the wanted value. What the API server
 * adds by default is no difference; what other people add is ownership.ts's business. Pure.
 */
import { createHash } from "node:crypto";

/** Below these keys values are Kubernetes quantities: the server stores "1000m" as "1". */
const QUANTITIES = new Set(["limits", "requests"]);

/**
 * The path of the first wanted field that `actual` lacks or has otherwise (`spec.template.spec.nodeSelector.disk`),
 * or undefined. Lists must match in length and order. An empty list or map is the same as none.
 */
export function firstDifference(wanted: unknown, actual: unknown, path = ""): string | undefined {
  if (wanted === undefined || wanted === actual) return undefined;
  if (Array.isArray(wanted)) return listDifference(wanted, actual, path);
  if (typeof wanted !== "object" || wanted === null) {
    return isSameQuantity(wanted, actual, path) ? undefined : path;
  }
  if (actual !== undefined && (typeof actual !== "object" || actual === null || Array.isArray(actual)))
    return path;
  for (const [key, value] of Object.entries(wanted)) {
    const inner = (actual as Record<string, unknown> | undefined)?.[key];
    const found = firstDifference(value, inner, path === "" ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function listDifference(wanted: readonly unknown[], actual: unknown, path: string): string | undefined {
  const list = actual ?? [];
  if (!Array.isArray(list) || list.length !== wanted.length) return path;
  for (const [index, value] of wanted.entries()) {
    const found = firstDifference(value, list[index], `${path}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isSameQuantity(wanted: unknown, actual: unknown, path: string): boolean {
  const parent = path.split(".").at(-2) ?? "";
  if (!QUANTITIES.has(parent)) return false;
  const [left, right] = [parseQuantity(wanted), parseQuantity(actual)];
  return left !== undefined && left === right;
}

const SUFFIX: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * A Kubernetes quantity as a number, rounded to twelve digits; undefined if it is none. @kubernetes/client-node
 * reads quantities too, but does not export it, and throws for "1.5Gi", which the API server takes.
 */
export function parseQuantity(value: unknown): number | undefined {
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkKMGTPE]?i?)$/.exec(String(value));
  const factor = SUFFIX[match?.[2] ?? ""];
  const number = Number(match?.[1]);
  if (match === null || factor === undefined || Number.isNaN(number)) return undefined;
  return Number((number * factor).toPrecision(12));
}

/** 16 hexadecimal digits that change when `value` does, whatever the order of its keys. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, 16);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
