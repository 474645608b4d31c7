import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv } from "ajv";
import { type LockFile, sbomOf } from "#hack/release/sbom.ts";

const SCHEMAS = "node_modules/@cyclonedx/cyclonedx-library/res/schema/";
const ROOT = new URL("../../", import.meta.url);
const json = (path: string) => JSON.parse(readFileSync(new URL(path, ROOT), "utf8"));
const lock: LockFile = json("package-lock.json");
const DEBIAN = [{ name: "libgmp10", version: "2:6.2.1+dfsg1-1.1", architecture: "arm64" }];
const OF = { version: "v1.2.3", nodeVersion: "26.10.0", debian: DEBIAN };

/** The schema as its makers publish it. Its formats are left out: ajv has none by itself. */
function validator() {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const bom = json(`${SCHEMAS}bom-1.6.SNAPSHOT.schema.json`);
  for (const name of ["spdx", "jsf-0.82", "cryptography-defs"]) {
    const file = `${name}.SNAPSHOT.schema.json`;
    ajv.addSchema(json(`${SCHEMAS}${file}`), new URL(file, bom.$id).href);
  }
  return ajv.compile(bom);
}

test("the schema of CycloneDX 1.6 takes it, and would not take a wrong one", () => {
  const validate = validator();
  const sbom = sbomOf(lock, OF);
  assert.ok(validate(sbom), JSON.stringify(validate.errors?.slice(0, 3)));
  const [first] = sbom.components;
  assert.equal(validate({ ...sbom, components: [{ ...first, type: "thing" }] }), false);
  assert.equal(
    validate({ ...sbom, components: [{ ...first, licenses: [{ license: { id: "No-Such" } }] }] }),
    false,
  );
});

test("all that runs is in it, and nothing that only builds or tests", () => {
  const names = sbomOf(lock, OF).components.map(({ group, name }) => (group ? `${group}/${name}` : name));
  const wanted = Object.keys(json("package.json").dependencies);
  assert.deepEqual(
    wanted.filter((name) => !names.includes(name)),
    [],
  );
  const tools = ["@biomejs/biome", "esbuild", "fast-check", "knip", "typescript"];
  assert.deepEqual(
    tools.filter((name) => names.includes(name)),
    [],
  );
  assert.ok(names.includes("node"));
});

test("it is the same each time, every reference leads to a component, and all are reached", () => {
  const sbom = sbomOf(lock, OF);
  assert.deepEqual(sbomOf(lock, OF), sbom);
  const refs = [sbom.metadata.component, ...sbom.components].map((component) => component["bom-ref"]);
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(
    sbom.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.includes(ref)),
    [],
  );
  const links = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const visit = (ref: string): void => {
    if (reached.has(ref)) return;
    reached.add(ref);
    links.get(ref)?.forEach(visit);
  };
  visit(sbom.metadata.component["bom-ref"]);
  assert.deepEqual(
    refs.filter((ref) => !reached.has(ref)),
    [],
  );
});

test("a package of Debian has the URL that tools look for, with its epoch", () => {
  const found = sbomOf(lock, OF).components.find(({ name }) => name === "libgmp10");
  assert.equal(found?.purl, "pkg:deb/debian/libgmp10@2%3A6.2.1%2Bdfsg1-1.1?arch=arm64");
});

test("of two versions, each package gets the one that node would load", () => {
  const small: LockFile = {
    packages: {
      "": { dependencies: { a: "1", "@s/b": "1" } },
      "node_modules/a": { version: "1.0.0", dependencies: { c: "2" }, integrity: "sha512-AAE=" },
      "node_modules/a/node_modules/c": { version: "2.0.0", license: "(MIT OR ISC)" },
      "node_modules/@s/b": { version: "3.0.0", dependencies: { c: "1" } },
      "node_modules/c": { version: "1.0.0" },
      "node_modules/tool": { version: "9.0.0", dev: true },
    },
  };
  const { components, dependencies } = sbomOf(small, { ...OF, debian: [] });
  assert.deepEqual(Object.fromEntries(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn.join()])), {
    "pkg:generic/genkan@1.2.3": "pkg:generic/node@26.10.0,pkg:npm/%40s/b@3.0.0,pkg:npm/a@1.0.0",
    "pkg:generic/node@26.10.0": "",
    "pkg:npm/%40s/b@3.0.0": "pkg:npm/c@1.0.0",
    "pkg:npm/a@1.0.0": "pkg:npm/c@2.0.0",
    "pkg:npm/c@1.0.0": "",
    "pkg:npm/c@2.0.0": "",
  });
  const a = components.find(({ name }) => name === "a");
  assert.deepEqual(a?.hashes, [{ alg: "SHA-512", content: "0001" }]);
  assert.deepEqual(components.find(({ version }) => version === "2.0.0")?.licenses, [
    { expression: "(MIT OR ISC)" },
  ]);
});
