/** What a release installs is what config/default installs, as kubectl's own kustomize says it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { type Manifest, readObjects, toYaml } from "#hack/release/manifests.ts";

/** By kind, namespace and name. */
function byIdentity(objects: readonly Manifest[]): Map<string, Manifest> {
  const identity = ({ kind, metadata }: Manifest): string =>
    `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
  return new Map(objects.map((object) => [identity(object), object]));
}

test("install.yaml has the objects of kubectl kustomize config/default, field by field", async () => {
  await ensurePrograms(["kube"]);
  const rendered = await run([".lab/bin/kubectl", "kustomize", "config/default"], { cwd: CHECKOUT });
  const theirs = byIdentity(parseAllDocuments(rendered).map((document) => document.toJS() as Manifest));
  const text = toYaml(await readObjects());
  const ours = byIdentity(
    parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS() as Manifest),
  );
  assert.ok(theirs.size > 15);
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [identity, object] of theirs) assert.deepEqual(ours.get(identity), object, identity);
});
