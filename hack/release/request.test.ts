import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError, readRequest } from "#hack/release/request.ts";

const RIGHT = ["--version", "v1.2.3", "--registry", "registry.example.com/genkan"];

test("version and registry are enough", () => {
  assert.deepEqual(readRequest([...RIGHT, "--key", ""]), {
    version: "v1.2.3",
    registry: "registry.example.com/genkan",
    architectures: ["amd64", "arm64"],
    key: undefined,
    output: "dist",
  });
});

test("a port, a release candidate, one architecture and a key", () => {
  const argv = ["--version", "v1.0.0-rc.1", "--registry", "127.0.0.1:5000", "--architectures", "arm64"];
  const request = readRequest([...argv, "--key", "a.pem"]);
  assert.deepEqual(
    [request.version, request.registry, request.architectures, request.key],
    ["v1.0.0-rc.1", "127.0.0.1:5000", ["arm64"], "a.pem"],
  );
});

const WRONG: readonly (readonly [what: string, argv: readonly string[], words: RegExp])[] = [
  ["no version", ["--registry", "a.example.com"], /^VERSION is "";/],
  ["a version without v", ["--version", "1.2.3", "--registry", "a"], /^VERSION is "1\.2\.3"/],
  ["a path as version", ["--version", "v1.2.3/../x", "--registry", "a"], /^VERSION/],
  ["no registry", ["--version", "v1.2.3", "--registry", ""], /^REGISTRY is "";/],
  ["a scheme", ["--version", "v1.2.3", "--registry", "https://a.example.com"], /^REGISTRY/],
  ["a tag", ["--version", "v1.2.3", "--registry", "a.example.com/genkan:v1"], /^REGISTRY/],
  ["an end with a slash", ["--version", "v1.2.3", "--registry", "a.example.com/"], /^REGISTRY/],
  ["a command", ["--version", "v1.2.3", "--registry", "a;id"], /^REGISTRY/],
  ["an architecture that nobody builds", [...RIGHT, "--architectures", "amd64,s390x"], /^ARCHITECTURES/],
  ["an option that is none", [...RIGHT, "--tag", "x"], /--tag/],
];

for (const [what, argv, words] of WRONG)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => readRequest(argv),
      (error) => error instanceof RequestError && words.test(error.message),
    );
  });
