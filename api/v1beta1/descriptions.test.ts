/** `kubectl explain` and docs/reference say what every field is: the CRDs describe each of their properties. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "yaml";

const DIRECTORY = new URL("../../config/crd/", import.meta.url);
/**
 * Octets of a CRD as JSON. `kubectl apply` keeps the object in an annotation, and the API server takes 262,144 octets
 * of annotations for each object; the rest is room for what others write there.
 */
const LARGEST = 200_000;

interface Schema {
  readonly description?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const wordsOf = (text: string): string[] =>
  text
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? [];

/** Words that say nothing of their own. */
const EMPTY = new Set(["a", "an", "the", "of", "this", "is", "its", "for"]);

/** What is wrong with a description; undefined if nothing is. */
function faultOf(name: string, description: unknown): string | undefined {
  if (typeof description !== "string" || description.trim() === "") return "has no description";
  if (!/[.]$/.test(description))
    return `its description is no whole phrase, without a full stop: ${description}`;
  const known = new Set([...wordsOf(name), ...EMPTY]);
  if (wordsOf(description).every((word) => known.has(word))) {
    return `its description only repeats its name: ${description}`;
  }
  return undefined;
}

/**
 * A kind's schema without its metadata: an API server refuses a CRD that describes that, and `kubectl explain` has
 * Kubernetes' own words for it.
 */
function withoutMetadata({ properties, ...rest }: Schema): Schema {
  const own = Object.entries(properties ?? {}).filter(([name]) => name !== "metadata");
  return { ...rest, properties: Object.fromEntries(own) };
}

/** One line for each property at or below `path` that is not described, with its path. */
function undescribed(path: string, { properties, items, additionalProperties }: Schema): string[] {
  const own = Object.entries(properties ?? {}).flatMap(([name, property]) => {
    const fault = faultOf(name, property.description);
    return [
      ...(fault === undefined ? [] : [`${path}.${name}: ${fault}`]),
      ...undescribed(`${path}.${name}`, property),
    ];
  });
  return [
    ...own,
    ...(items === undefined ? [] : undescribed(`${path}[]`, items)),
    ...(typeof additionalProperties === "object" ? undescribed(`${path}{}`, additionalProperties) : []),
  ];
}

test("what counts as undescribed: nothing, no phrase, the name again; at every depth", () => {
  const described = { description: "How it is." };
  const schema = {
    properties: {
      peerPort: { description: "The peer port." },
      mode: described,
      list: { ...described, items: { properties: { inner: {}, other: described } } },
      map: { ...described, additionalProperties: { properties: { value: { description: "Milliseconds" } } } },
    },
  };
  assert.deepEqual(undescribed("Kind", schema), [
    "Kind.peerPort: its description only repeats its name: The peer port.",
    "Kind.list[].inner: has no description",
    "Kind.map{}.value: its description is no whole phrase, without a full stop: Milliseconds",
  ]);
});

const files = (await readdir(DIRECTORY)).filter((name) => name.startsWith("genkan.dev_")).sort();

test("there are CRDs to look at", () => assert.equal(files.length, 5));

for (const file of files) {
  const definition = parse(await readFile(new URL(file, DIRECTORY), "utf8"), { merge: true }) as Definition;
  const { names, versions } = definition.spec;

  test(`${file}: every property is described`, () => {
    const faults = versions.flatMap(({ name, schema: { openAPIV3Schema: schema } }) => {
      const path = `${names.kind}/${name}`;
      const fault = faultOf(names.kind, schema.description);
      return [
        ...(fault === undefined ? [] : [`${path}: ${fault}`]),
        ...undescribed(path, withoutMetadata(schema)),
      ];
    });
    assert.deepEqual(faults, []);
  });

  test(`${file}: metadata has no description, which an API server refuses`, () => {
    for (const { schema } of versions) {
      assert.deepEqual(schema.openAPIV3Schema.properties?.metadata, { type: "object" });
    }
  });

  test(`${file}: small enough for kubectl apply`, () => {
    const size = Buffer.byteLength(JSON.stringify(definition));
    assert.ok(size < LARGEST, `${size} octets as JSON, ${LARGEST} at most`);
  });
}
