import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMadison, rankSources, type SourcePackage } from "#hack/guest/user-mode/sources.ts";

const source = (series: string, version: string, suite = "trixie-backports"): SourcePackage => ({
  name: `linux-source-${series}`,
  version,
  suite,
});

test("reads what the mirror lists, and nothing else", () => {
  const output = `linux-source-7.2 | 7.2.12-1~bpo13+1 | http://mirror.example/debian trixie-backports/main amd64 Packages
linux-source-6.12 |  6.12.117-1 | http://mirror.example/debian trixie/main amd64 Packages
linux-source | 6.12.117-1 | http://mirror.example/debian trixie/main amd64 Packages
`;
  assert.deepEqual(parseMadison(output), [
    source("7.2", "7.2.12-1~bpo13+1"),
    source("6.12", "6.12.117-1", "trixie"),
  ]);
  assert.deepEqual(parseMadison(""), []);
});

test("7.2 first, then the newest beyond it, then 6.12; one version of each; others are not tried", () => {
  const found = ["6.1", "6.12", "7.10", "7.3", "7.1", "7.2", "8.0"].map((series) => source(series, "1"));
  const older = source("7.2", "0");
  assert.deepEqual(
    rankSources([...found, older]).map(({ name, version }) => `${name.slice(13)} ${version}`),
    ["7.2 1", "8.0 1", "7.10 1", "7.3 1", "6.12 1"],
  );
});
