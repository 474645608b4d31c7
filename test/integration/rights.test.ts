/** The comparison of privileges.test.ts itself: a comparison that finds everything used would show nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asked } from "#test/integration/audit.ts";
import { rightsOf, usedBy, wordsOf } from "#test/integration/rights.ts";

const rights = [
  ...rightsOf(
    [
      { apiGroups: ["g"], resources: ["leases"], verbs: ["list", "get", "create"] },
      { apiGroups: ["g"], resources: ["leases"], resourceNames: ["one", "two"], verbs: ["get"] },
      { apiGroups: [""], resources: ["services/status"], verbs: ["patch"] },
    ],
    "n",
  ),
  ...rightsOf([{ apiGroups: [""], resources: ["services"], verbs: ["patch", "list"] }], undefined),
];

const cases: readonly [what: string, asked: Partial<Asked>, used: string[]][] = [
  ["an object by its name", { verb: "get", name: "two" }, ["get leases=two (g) in n"]],
  ["an object that no name is granted for", { verb: "get", name: "three" }, ["get leases (g) in n"]],
  ["another namespace", { verb: "get", name: "two", namespace: "m" }, []],
  ["another group", { verb: "list", group: "h" }, []],
  ["a verb that nobody granted", { verb: "delete", name: "two" }, []],
  [
    "an apply that makes its object",
    { verb: "patch", group: "", resource: "services", code: 201 },
    ["patch services"],
  ],
  [
    "a subresource, and not the object",
    { verb: "patch", group: "", resource: "services/status" },
    ["patch services/status in n"],
  ],
];

for (const [what, change, used] of cases) {
  test(`a right is used by: ${what}`, () => {
    const asked = {
      user: "u",
      verb: "",
      group: "g",
      resource: "leases",
      namespace: "n",
      name: "",
      code: 200,
    };
    assert.deepEqual(usedBy({ ...asked, ...change }, rights).map(wordsOf), used);
  });
}
