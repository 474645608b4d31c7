import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { judge } from "#api/v1beta1/admission/judge.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { faultText } from "#api/v1beta1/fault.ts";
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";
import { validateSchema } from "#api/v1beta1/validate.ts";

const DIRECTORY = new URL("../../config/samples/", import.meta.url);

test("every sample is admitted, and every kind that users write has one", async () => {
  const seen = new Set<string>();
  for (const file of (await readdir(DIRECTORY)).filter((name) => name.endsWith(".yaml"))) {
    for (const document of parseAllDocuments(await readFile(new URL(file, DIRECTORY), "utf8"))) {
      const object = document.toJS() as Judged;
      if (!(object.kind in SCHEMAS)) continue;
      seen.add(object.kind);
      const verdict = judge(
        { operation: "CREATE", kind: object.kind, object, oldObject: undefined },
        emptyView(DEFAULT_NAMESPACE),
      );
      assert.deepEqual(verdict.faults, [], file);
    }
  }
  assert.deepEqual(
    [...seen].sort(),
    Object.keys(SCHEMAS)
      .filter((kind) => kind !== "SpeakerStatus")
      .sort(),
  );
});

test("the schema of every kind is one that the validator takes", () => {
  for (const kind of Object.keys(SCHEMAS)) {
    const [first] = validateSchema(kind, { apiVersion: "genkan.dev/v1beta1", kind, metadata: {}, spec: 1 });
    assert.equal(
      first && faultText(first),
      kind === "SpeakerStatus" ? undefined : "spec: 1 must be object",
      kind,
    );
  }
});
