/**
 * Fields that are in the schema because the design has them, and whose feature has not landed: setting one is refused
 * with its own reason, in the webhook and in the condition Valid, never ignored. Pure.
 */
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";

interface Unsupported {
  /** Path from the object. */
  readonly path: readonly string[];
  /** What the value must be for the refusal; any value where absent. */
  readonly when?: (value: unknown) => boolean;
  /** What does not exist yet. */
  readonly feature: string;
}

const isNot =
  (supported: unknown) =>
  (value: unknown): boolean =>
    value !== supported;

const FIELDS: ReadonlyMap<string, readonly Unsupported[]> = new Map([
  [
    "LoadBalancer",
    [
      { path: ["spec", "forwarding", "tunnel"], when: isNot("ipip"), feature: "a tunnel other than ipip" },
      { path: ["spec", "forwarding", "connectionSync"], when: isNot(false), feature: "connection sync" },
      {
        path: ["spec", "forwarding", "returnPath"],
        when: isNot("Direct"),
        feature: "a return path other than Direct",
      },
      { path: ["spec", "layer2", "failureDetection"], feature: "failure detection by probes" },
      { path: ["spec", "layer2", "stickiness"], feature: "sticky ownership" },
      { path: ["spec", "membership", "port"], feature: "membership by gossip" },
      { path: ["spec", "membership", "interface"], feature: "membership by gossip" },
    ],
  ],
]);

function at(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** One refusal for each field of `object` whose feature has not landed. */
export function unsupportedFields(kind: string, object: unknown): Refusal[] {
  const refusals: Refusal[] = [];
  for (const { path, when, feature } of FIELDS.get(kind) ?? []) {
    const value = at(object, path);
    if (value === undefined || when?.(value) === false) continue;
    const field = path.join(".");
    const words = `${JSON.stringify(value)} is not supported yet: ${feature} has not landed`;
    refusals.push(refusal(field, words));
  }
  return refusals;
}
