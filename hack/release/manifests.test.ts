import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { readObjects, toYaml, withImages } from "#hack/release/manifests.ts";

test("images of ours are named anew wherever they stand, and nothing else", () => {
  const value = {
    image: "genkan.dev/operator:v1",
    env: [{ value: "genkan.dev/speaker:v1" }, { value: "genkan.dev/managed-by" }],
    group: "genkan.dev",
    count: 3,
    nothing: null,
  };
  assert.deepEqual(
    withImages(value, (role) => `r.example.com/${role}@x`),
    {
      image: "r.example.com/operator@x",
      env: [{ value: "r.example.com/speaker@x" }, { value: "genkan.dev/managed-by" }],
      group: "genkan.dev",
      count: 3,
      nothing: null,
    },
  );
});

test("what is written is read back the same, modes of files as numbers and without anchors", async () => {
  const objects = await readObjects();
  const text = toYaml(objects);
  assert.deepEqual(
    parseAllDocuments(text, { version: "1.1" }).map((document) => document.toJS()),
    objects,
  );
  assert.match(text, /defaultMode: 288\n/);
  assert.doesNotMatch(text, /^ *(- )?\S+: [&*]\w/m);
});

test("three roles have images in config/default", async () => {
  const roles: string[] = [];
  withImages(await readObjects(), (role) => {
    roles.push(role);
    return role;
  });
  assert.deepEqual(roles.sort(), ["controller", "operator", "speaker"]);
});
