import assert from "node:assert/strict";
import { test } from "node:test";
import { asJunit } from "#cli/check/junit.ts";
import { exitCodeOf, forPeople } from "#cli/check/print.ts";
import { asSarif } from "#cli/check/sarif.ts";
import { type CheckReport, checkDocuments } from "#cli/check/verdicts.ts";
import { readDocuments } from "#cli/documents.ts";

const OPTIONS = { namespace: "genkan-system", isNamespaceGiven: true };
const check = (text: string, file = "a b/pools.yaml"): CheckReport =>
  checkDocuments(readDocuments(file, text), OPTIONS);

const POOL = `# ours
apiVersion: genkan.dev/v1beta1
kind: AddressPool
metadata:
  name: a
spec:
  protocol: layer2
  colour: blue
  addresses:
    - 10.0.0.0/24
    - 127.0.0.0/24
`;
const LIST = `apiVersion: v1
kind: List
items:
  - { apiVersion: genkan.dev/v1beta1, kind: AddressPool, metadata: { name: b }, spec: { addresses: [] } }
`;

test("each fault stands at its field, in lists and in one line too", () => {
  const [pool] = check(POOL).objects;
  assert.deepEqual(
    pool?.faults.map(({ field }, at) => [field, pool.places[at]]),
    [
      ["spec.colour", { line: 8, column: 3 }],
      ["spec.addresses[1]", { line: 11, column: 7 }],
    ],
  );
  const [inList] = check(LIST).objects;
  assert.ok(
    inList?.places.every(({ line, column }) => line === 4 && column > 70),
    JSON.stringify(inList),
  );
  assert.match(forPeople(check(POOL)), /^ {2}a b\/pools\.yaml:8:3: spec\.colour: unknown field$/m);
});

test("SARIF has a result for each fault and each file that cannot be read, with places", () => {
  const text = `${POOL}---\na: [1\n`;
  const sarif = JSON.parse(asSarif(check(text, "a b/x#1.yaml")));
  const [run] = sarif.runs;
  assert.equal(sarif.version, "2.1.0");
  assert.deepEqual(
    run.results.map((each: { ruleId: string }) => each.ruleId),
    ["refused", "refused", "unreadable"],
  );
  const [first] = run.results;
  assert.equal(first.message.text, 'AddressPool "a": spec.colour: unknown field');
  assert.deepEqual(first.locations[0].physicalLocation, {
    artifactLocation: { uri: "a%20b/x%231.yaml" },
    region: { startLine: 8, startColumn: 3 },
  });
  // Every rule that a result names is there.
  const rules = run.tool.driver.rules.map(({ id }: { id: string }) => id);
  assert.ok(run.results.every(({ ruleId }: { ruleId: string }) => rules.includes(ruleId)));
});

test("JUnit has a test for each object, and no letter that XML cannot hold", () => {
  const odd = POOL.replace("name: a", 'name: "<a&\\u0001\\uD800>"');
  const xml = asJunit(check(odd));
  assert.match(xml, /<testsuite name="genkan check" tests="1" failures="1" errors="0">/);
  assert.match(xml, /name="AddressPool &quot;&lt;a&amp;\\u0001\\ud800&gt;&quot;"/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what may not be there
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
  assert.match(asJunit(check("a: [1\n")), /errors="1">\n {2}<testcase .*\n {4}<error message="/);
});

test("strict: nothing judged, or a template passed over, is no success", () => {
  const service = check("apiVersion: v1\nkind: Service\n");
  assert.deepEqual([exitCodeOf(service), exitCodeOf(service, true)], [0, 1]);
  const template = check(POOL.replace("name: a", "name: {{ .Values.name }}"));
  assert.equal(template.templates, 1);
  assert.deepEqual([exitCodeOf(template), exitCodeOf(template, true)], [0, 1]);
  const fine = check(POOL.replace("  colour: blue\n", "").replace("    - 127.0.0.0/24\n", ""));
  assert.equal(exitCodeOf(fine, true), 0, forPeople(fine));
});
