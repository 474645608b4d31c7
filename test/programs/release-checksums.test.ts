import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { signChecksums, writeChecksums } from "#hack/release/checksums.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-sums-"));
  await writeFile(join(directory, "b"), "two");
  await writeFile(join(directory, "a"), "one");
});
after(() => rm(directory, { recursive: true }));

const inside = (command: string): string => {
  const options = { cwd: directory, encoding: "utf8", stdio: "pipe" } as const;
  return execFileSync("sh", ["-euc", command], options);
};
const VERIFY = "openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig";

test("sha256sum takes the sums, in the order of names", async () => {
  const sums = await writeChecksums(directory, ["b", "a"]);
  assert.deepEqual(sums.match(/[ab]$/gm), ["a", "b"]);
  assert.equal(inside("sha256sum --check SHA256SUMS"), "a: OK\nb: OK\n");
});

test("openssl verifies the signature of a key that openssl made, and refuses other sums", async () => {
  inside("openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub");
  await writeChecksums(directory, ["a"]);
  await signChecksums(directory, join(directory, "key.pem"));
  assert.match(inside(VERIFY), /Verified Successfully/);
  await writeChecksums(directory, ["b"]);
  assert.throws(
    () => inside(VERIFY),
    (error) => /Verification Failure/.test((error as { stdout: string }).stdout),
  );
});

test("a key of another kind is refused", async () => {
  inside("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem");
  await assert.rejects(signChecksums(directory, join(directory, "ec.pem")), /ec\.pem: a key of type ec;/);
});
