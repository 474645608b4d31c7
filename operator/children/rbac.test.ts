import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { WEBHOOK_SECRET_NAME } from "#api/names.ts";
import {
  CONSOLE_RULES,
  CONTROLLER_RULES,
  namedSecretRules,
  type PolicyRule,
  SPEAKER_RULES,
} from "#operator/children/rbac.ts";
import { settingsOf } from "#operator/settings.ts";

interface Role {
  readonly kind: string;
  readonly rules?: readonly PolicyRule[];
}

/** `group/resource:verb` of every rule, `group/resource/name:verb` where it is held of one object only. */
const flat = (rules: readonly PolicyRule[]): string[] =>
  rules.flatMap(({ apiGroups = [], resources = [], resourceNames = [], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => {
        const things =
          resourceNames.length === 0 ? [resource] : resourceNames.map((name) => `${resource}=${name}`);
        return things.flatMap((thing) => verbs.map((verb) => `${group}/${thing}:${verb}`));
      }),
    ),
  );

/** Of everything, or of the one object. */
const isHeld = (right: string, held: ReadonlySet<string>): boolean =>
  held.has(right) || held.has(right.replace(/=[^:]*:/, ":"));

test("the operator holds every right that it grants", async () => {
  const text = await readFile(new URL("../../config/rbac/operator.yaml", import.meta.url), "utf8");
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Role);
  const held = (kind: string): Set<string> =>
    new Set(documents.filter((role) => role.kind === kind).flatMap((role) => flat(role.rules ?? [])));
  const cluster = held("ClusterRole");
  const namespace = held("Role");
  for (const { inNamespace, inCluster } of [CONTROLLER_RULES, SPEAKER_RULES, CONSOLE_RULES]) {
    assert.deepEqual(
      flat(inCluster).filter((right) => !isHeld(right, cluster)),
      [],
    );
    assert.deepEqual(
      flat([...inNamespace, ...namedSecretRules(["any"])]).filter(
        (right) => !isHeld(right, namespace) && !isHeld(right, cluster),
      ),
      [],
    );
  }
});

test("speakers read the Secrets that BGPPeers name, and never the webhook's key", () => {
  assert.deepEqual(namedSecretRules([]), []);
  assert.deepEqual(namedSecretRules([WEBHOOK_SECRET_NAME]), []);
  assert.deepEqual(namedSecretRules(["spine", WEBHOOK_SECRET_NAME, "tor"]), [
    { apiGroups: [""], resources: ["secrets"], resourceNames: ["spine", "tor"], verbs: ["list", "watch"] },
  ]);
});

test("speakers may read the Secret that signs calls about owners, beside those of BGPPeers", () => {
  const spec = { layer2: { ownerChangedSecret: "owners" } };
  const peering = { hasPeers: true, hasFastProfile: false, passwordSecrets: ["owners", "tor"] };
  assert.deepEqual(settingsOf(spec, peering).namedSecrets, ["owners", "tor"]);
  assert.deepEqual(settingsOf({}).namedSecrets, []);
});
