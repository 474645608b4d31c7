/**
 * Fields that are in the schema because the design has them, and whose feature has not landed: setting one is refused
 * with its own reason, in the webhook and in the condition Valid, never ignored. Pure.
 */
import type { Refusal } from "#api/v1beta1/refusal.ts";

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
const isSet = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : true);

const FIELDS: Readonly<Record<string, readonly Unsupported[]>> = {
  LoadBalancer: [
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
  AddressPool: [{ path: ["spec", "quotas"], when: isSet, feature: "a quota per namespace" }],
};

interface Inactive {
  readonly kind: string;
  /** Which objects of the kind; all where absent. */
  readonly when?: (object: unknown) => boolean;
  /** What is said of them. */
  readonly words: string;
}

/** What is admitted and judged while nothing acts on it. */
const INACTIVE: readonly Inactive[] = [
  {
    kind: "BGPPeer",
    words: "BGP is not supported yet: the object is admitted and judged, but no session is held",
  },
  {
    kind: "BFDProfile",
    words: "BFD is not supported yet: the object is admitted and judged, but no session uses it",
  },
  {
    kind: "AddressPool",
    when: (pool) => at(pool, ["spec", "protocol"]) === "bgp",
    words:
      "spec.protocol: bgp is not supported yet: addresses are given to Services, but nothing announces them",
  },
];

/** Why nothing acts on the object although it is admitted; undefined where something does. */
export function inactiveWords(kind: string, object: unknown): string | undefined {
  return INACTIVE.find((each) => each.kind === kind && (each.when?.(object) ?? true))?.words;
}

function at(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** One refusal for each field of `object` whose feature has not landed. */
export function unsupportedFields(kind: string, object: unknown): Refusal[] {
  const refusals: Refusal[] = [];
  for (const { path, when, feature } of FIELDS[kind] ?? []) {
    const value = at(object, path);
    if (value === undefined || when?.(value) === false) continue;
    const field = path.join(".");
    refusals.push({
      field,
      message: `${field}: ${JSON.stringify(value)} is not supported yet: ${feature} has not landed`,
    });
  }
  return refusals;
}
