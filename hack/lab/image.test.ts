import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fullName, writeImage } from "#hack/lab/image.ts";
import { TarError, tarHeader } from "#hack/lab/tar.ts";

let scratch = "";
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "genkan-image-"));
});
after(() => rm(scratch, { recursive: true }));

test("names get the registry and tag that runtimes add", () => {
  assert.equal(fullName("echo"), "docker.io/library/echo:latest");
  assert.equal(fullName("genkan/speaker:dev"), "docker.io/genkan/speaker:dev");
  assert.equal(fullName("genkan.dev/speaker:v1"), "genkan.dev/speaker:v1");
  assert.equal(fullName("localhost/pause:1"), "localhost/pause:1");
  assert.equal(fullName("host:5000/a"), "host:5000/a:latest");
});

test("an image is read back by tar, its digests are true, and the same input gives the same bytes", async () => {
  const root = join(scratch, "root");
  const deep = "d".repeat(60);
  await mkdir(join(root, deep, deep), { recursive: true });
  await writeFile(join(root, deep, deep, "file"), "content", { mode: 0o755 });
  await writeFile(join(root, "empty"), "");
  await symlink("empty", join(root, "link"));
  const spec = { name: "test/one:1", layers: [root], entrypoint: ["/file"], environment: ["A=b"] };
  await writeImage(spec, join(scratch, "one.tar"));
  await writeImage(spec, join(scratch, "two.tar"));
  const bytes = await readFile(join(scratch, "one.tar"));
  assert.ok(bytes.equals(await readFile(join(scratch, "two.tar"))));

  const read = (path: string): Buffer => execFileSync("tar", ["-xOf", join(scratch, "one.tar"), path]);
  const json = (path: string) => JSON.parse(read(path).toString());
  const blob = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
  const manifest = json(blob(json("index.json").manifests[0].digest));
  const layer = read(blob(manifest.layers[0].digest));
  assert.equal(`sha256:${createHash("sha256").update(layer).digest("hex")}`, manifest.layers[0].digest);
  assert.equal(layer.length, manifest.layers[0].size);
  const config = json(blob(manifest.config.digest));
  assert.deepEqual(config.rootfs.diff_ids, [manifest.layers[0].digest]);
  assert.deepEqual(config.config.Entrypoint, ["/file"]);
  const listing = execFileSync("tar", ["-tvf", "-"], { input: layer }).toString();
  assert.match(listing, /-rwxr-xr-x 0\/0 +7 .* d{60}\/d{60}\/file/);
  assert.match(listing, /link -> empty/);
});

test("a path that the format cannot hold is refused, not cut", () => {
  const entry = { type: "file", mode: 0o644, size: 0 } as const;
  assert.throws(() => tarHeader({ ...entry, path: "x".repeat(101) }), TarError);
  assert.throws(() => tarHeader({ ...entry, path: "a", type: "link", target: "x".repeat(101) }), TarError);
});
