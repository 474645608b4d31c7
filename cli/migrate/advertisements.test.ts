import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocuments } from "#cli/documents.ts";
import { type Migration, migrate } from "#cli/migrate/convert.ts";

const object = (kind: string, name: string, spec: string, labels = "{}"): string =>
  `---\napiVersion: metallb.io/v1beta1\nkind: ${kind}\nmetadata: { name: ${name}, labels: ${labels} }\nspec: ${spec}\n`;
const made = (...texts: readonly string[]): Migration =>
  migrate(readDocuments("f", texts.join("")), { namespace: "genkan-system", prefer: "bgp" });
const specsOf = ({ objects }: Migration): readonly unknown[] =>
  objects.filter(({ kind }) => kind !== "LoadBalancer").map(({ spec }) => spec);

test("advertisements that say the same in another order become one", () => {
  const migration = made(
    object("IPAddressPool", "a", "{ addresses: [10.0.0.0/24] }"),
    object("BGPAdvertisement", "one", '{ peers: [r, s], communities: ["1:1", no-export] }'),
    object(
      "BGPAdvertisement",
      "two",
      '{ peers: [s, r], communities: ["65535:65281", "1:1"], aggregationLength: 32 }',
    ),
    // Too wide, which is left out: then it says what the others say.
    object(
      "BGPAdvertisement",
      "wide",
      '{ peers: [r, s], communities: ["1:1", no-export], aggregationLength: 8 }',
    ),
  );
  assert.equal(
    (specsOf(migration)[0] as { bgpAdvertisements: readonly unknown[] }).bgpAdvertisements.length,
    1,
  );
});

test("selectors that say the same in another order become one", () => {
  const nodes = (values: string): string =>
    `{ nodeSelectors: [{ matchExpressions: [{ key: rack, operator: In, values: ${values} }] }] }`;
  const migration = made(
    object("IPAddressPool", "a", "{ addresses: [10.0.0.0/24] }"),
    object("L2Advertisement", "one", nodes("[c, d]")),
    object("L2Advertisement", "two", nodes("[d, c]")),
  );
  assert.deepEqual(specsOf(migration), [
    {
      protocol: "layer2",
      nodeSelectors: [{ matchExpressions: [{ key: "rack", operator: "In", values: ["d", "c"] }] }],
      addresses: ["10.0.0.0/24"],
    },
  ]);
});

test("ranges that can never work are left out with a note, and the others stay", () => {
  const migration = made(
    object("IPAddressPool", "a", '{ addresses: [10.0.0.0/24, 127.0.0.0/24, "fe80::/64"] }'),
    object("L2Advertisement", "one", "{}"),
  );
  assert.deepEqual(specsOf(migration), [{ protocol: "layer2", addresses: ["10.0.0.0/24"] }]);
  assert.deepEqual(
    migration.notes.map(({ message }) => message),
    [
      "spec.addresses: 127.0.0.0/24 is not carried over: it overlaps 127.0.0.0/8 (loopback): no Service can be reached there",
      "spec.addresses: fe80::/64 is not carried over: it overlaps fe80::/10 (link-local): no Service can be reached there",
    ],
  );
});

test("labels that objects of JavaScript have by themselves select only who has them", () => {
  const selecting =
    "{ ipAddressPoolSelectors: [{ matchExpressions: [{ key: constructor, operator: Exists }] }] }";
  const migration = made(
    object("IPAddressPool", "a", "{ addresses: [10.0.0.0/24] }", "{ constructor: x }"),
    object("IPAddressPool", "b", "{ addresses: [10.0.1.0/24] }"),
    object("BGPAdvertisement", "one", selecting),
  );
  assert.deepEqual(
    (specsOf(migration) as readonly { protocol: string }[]).map(({ protocol }) => protocol),
    ["bgp", "layer2"],
  );
});
