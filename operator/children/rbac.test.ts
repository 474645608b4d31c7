import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { CONTROLLER_RULES, type PolicyRule, SPEAKER_RULES } from "#operator/children/rbac.ts";

interface Role {
  readonly kind: string;
  readonly rules?: readonly PolicyRule[];
}

/** `group/resource:verb` of every rule. */
const flat = (rules: readonly PolicyRule[]): string[] =>
  rules
    // What is held of one object only can't be granted of all.
    .filter(({ resourceNames = [] }) => resourceNames.length === 0)
    .flatMap((rule) =>
      (rule.apiGroups ?? []).flatMap((group) =>
        (rule.resources ?? []).flatMap((resource) =>
          rule.verbs.map((verb) => `${group}/${resource}:${verb}`),
        ),
      ),
    );

test("the operator holds every right that it grants", async () => {
  const text = await readFile(new URL("../../config/rbac/operator.yaml", import.meta.url), "utf8");
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Role);
  const held = (kind: string): Set<string> =>
    new Set(documents.filter((role) => role.kind === kind).flatMap((role) => flat(role.rules ?? [])));
  const cluster = held("ClusterRole");
  const namespace = held("Role");
  for (const { inNamespace, inCluster } of [CONTROLLER_RULES, SPEAKER_RULES]) {
    assert.deepEqual(
      flat(inCluster).filter((right) => !cluster.has(right)),
      [],
    );
    assert.deepEqual(
      flat(inNamespace).filter((right) => !namespace.has(right) && !cluster.has(right)),
      [],
    );
  }
});
