/**
 * MetalLB's configuration before 0.13: one text of YAML or JSON in a ConfigMap, in a chart's `configInline`, or in a file
 * of its own. Its fields have hyphens; what they say is what AddressPool and BGPPeer of later versions say. Pure.
 */
import { type Found, readValue } from "#cli/documents.ts";
import { inText, isMap, listOf, type Notes, partOf, type Source, type Spec } from "#cli/migrate/source.ts";

/** Field by field, where the words differ by more than their hyphens. */
const NAMES: Readonly<Record<string, string>> = {
  "my-asn": "myASN",
  "peer-asn": "peerASN",
  "router-id": "routerID",
  "ebgp-multihop": "ebgpMultiHop",
  localpref: "localPref",
  "avoid-buggy-ips": "avoidBuggyIPs",
  "aggregation-length-v6": "aggregationLengthV6",
};
const PARTS = ["address-pools", "peers", "bfd-profiles", "bgp-communities"];
/** What such a text says somewhere: others are not parsed at all. */
const HINT = /address-pools|bfd-profiles|bgp-communities|peer-asn|peer-address/;

const camel = (name: string): string =>
  NAMES[name] ?? name.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());

function withoutHyphens(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutHyphens);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    // Keys below these are labels of the user's.
    Object.entries(value).map(([name, inner]) => [
      camel(name),
      name === "match-labels" || name === "matchLabels" ? inner : withoutHyphens(inner),
    ]),
  );
}

export function isOldConfig(value: unknown): value is Spec {
  if (!isMap(value)) return false;
  return PARTS.some((name) => Object.hasOwn(value, name) && typeof value[name] === "object");
}

/** The texts of a ConfigMap that hold such a configuration; undefined: none does. */
export function oldConfigsOf(data: unknown): Spec[] | undefined {
  if (!isMap(data)) return undefined;
  const found = Object.values(data).flatMap((text) => {
    const value = typeof text === "string" && HINT.test(text) ? readValue(text) : undefined;
    return isOldConfig(value) ? [value] : [];
  });
  return found.length === 0 ? undefined : found;
}

/** Whether somebody meant it to be one, though it cannot be read as such. */
export function looksLikeOldConfig(found: Found): boolean {
  const { data } = found.object;
  return (
    isMap(data) &&
    Object.values(data).some((text) => typeof text === "string" && /^\s*["']?address-pools["']?:/m.test(text))
  );
}

export function sourcesOfOldConfig(found: Found, config: Spec, notes: Notes, namespace?: string): Source[] {
  const entries = (name: string): Spec[] => listOf<Spec>(config, name).filter(isMap);
  const part = (kind: string, what: string, name: string, spec: Spec): Source =>
    partOf(found, kind, { name, part: `${what} "${name}"`, spec, namespace });
  const sources: Source[] = [];
  const aliases = isMap(config["bgp-communities"]) ? config["bgp-communities"] : {};
  const communities = Object.entries(aliases).map(([name, value]) => ({ name, value: inText(value) }));
  if (communities.length > 0)
    sources.push(part("Community", "communities", "bgp-communities", { communities }));
  for (const profile of entries("bfd-profiles")) {
    const { name, ...spec } = withoutHyphens(profile) as Spec;
    sources.push(part("BFDProfile", "BFD profile", inText(name ?? ""), spec));
  }
  for (const [at, peer] of entries("peers").entries()) {
    const spec = withoutHyphens(peer) as Spec;
    // Numbered as MetalLB's own converter did it.
    sources.push(part("BGPPeer", "peer", `peer${at + 1}`, spec));
  }
  for (const pool of entries("address-pools")) {
    const { name: written, ...spec } = withoutHyphens(pool) as Spec;
    const name = nameOf(inText(written ?? ""));
    const source = part("AddressPool", "pool", name, spec);
    if (name !== written) {
      notes.add(
        source,
        `was named "${inText(written)}", which no object can be: Services that ask for it by annotation have to say "${name}"`,
      );
    }
    sources.push(source);
  }
  for (const name of Object.keys(config)) {
    if (PARTS.includes(name)) continue;
    const whole = partOf(found, "ConfigMap", { name: "", part: "", spec: {}, namespace });
    notes.add(
      whole,
      `${name}: ${JSON.stringify(config[name])} is not carried over: nothing of ours corresponds to it`,
    );
  }
  return sources;
}

/** Names of objects have lower case, digits and hyphens. */
function nameOf(written: string): string {
  const name = written
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return name === "" ? "pool" : name;
}
