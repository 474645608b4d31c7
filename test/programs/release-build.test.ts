/** A release with a small program in node's place: everything but the time that node's size costs. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostPlatform } from "#hack/images/platform.ts";
import { HOST_ARCHITECTURE } from "#hack/lab/oci.ts";
import { buildRelease, type Release } from "#hack/release/build.ts";

const REGISTRY = "registry.example.com/genkan";

let directory = "";
let first: Release;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-release-"));
  first = await build("first");
});
after(() => rm(directory, { recursive: true, force: true }));

async function build(name: string, version = "v1.2.3"): Promise<Release> {
  const addon = join(directory, "socket.node");
  await writeFile(addon, "addon");
  const platforms = [{ ...(await hostPlatform(addon)), node: "/usr/bin/env" }];
  const request = { version, registry: REGISTRY, key: undefined, output: join(directory, name) };
  return buildRelease(request, { platforms, scratch: join(directory, `${name}-parts`) });
}

test("two builds of one version are the same bytes, and another version has other images", async () => {
  const second = await build("second");
  assert.equal(second.sums, first.sums);
  assert.deepEqual(second.images, first.images);
  const other = await build("other", "v1.2.4");
  for (const [role, image] of first.images) assert.notEqual(other.images.get(role), image, role);
});

test("an archive's index is what install.yaml names, and every blob is what its digest says", async () => {
  const archive = join(directory, "first/speaker.oci.tar");
  const read = (path: string): Buffer => execFileSync("tar", ["-xOf", archive, path], { maxBuffer: 1 << 28 });
  const blob = ({ digest }: { digest: string }): Buffer => {
    const bytes = read(`blobs/${digest.replace(":", "/")}`);
    assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, digest);
    return bytes;
  };
  const json = (descriptor: { digest: string }) => JSON.parse(blob(descriptor).toString());
  const [top] = JSON.parse(read("index.json").toString()).manifests;
  assert.equal(top.annotations["io.containerd.image.name"], `${REGISTRY}/speaker:v1.2.3`);
  const install = await readFile(join(directory, "first/install.yaml"), "utf8");
  assert.ok(install.includes(`value: ${REGISTRY}/speaker@${top.digest}\n`));
  assert.doesNotMatch(install, /genkan\.dev\/(operator|controller|speaker):/);

  const [{ platform, ...reference }] = json(top).manifests;
  assert.deepEqual(platform, { os: "linux", architecture: HOST_ARCHITECTURE });
  const manifest = json(reference);
  const config = json(manifest.config);
  assert.equal(config.config.Labels["org.opencontainers.image.version"], "v1.2.3");
  assert.equal(manifest.layers.length, 2);
  const contents = manifest.layers.map((layer: { digest: string }) =>
    execFileSync("gzip", ["-dc"], { input: blob(layer), maxBuffer: 1 << 28 }),
  );
  assert.deepEqual(
    contents.map((bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`),
    config.rootfs.diff_ids,
  );
  const listing = execFileSync("tar", ["-tf", "-"], { input: contents[1], encoding: "utf8" });
  assert.match(listing, /^app\/speaker\.mjs$/m);
});

test("a folder with files that are no release is left as it is; an earlier release goes", async () => {
  const folder = join(directory, "somebody");
  await mkdir(folder);
  await writeFile(join(folder, "letter"), "dear");
  await assert.rejects(build("somebody"), /OUTPUT is ".*somebody"; there are files/);
  assert.equal(await readFile(join(folder, "letter"), "utf8"), "dear");
  const earlier = join(directory, "first/old.tar");
  await writeFile(earlier, "");
  assert.deepEqual((await build("first")).sums, first.sums);
  await assert.rejects(readFile(earlier), { code: "ENOENT" });
});

test("the SBOM names the packages of the libraries in the images, as dpkg knows them", async () => {
  const { components } = JSON.parse(await readFile(join(directory, "first/sbom.cdx.json"), "utf8"));
  for (const name of ["libc6", "nftables"]) {
    const control = execFileSync("dpkg-query", ["--status", name], { encoding: "utf8" });
    const version = /^Version: (.*)$/m.exec(control)?.[1];
    const found = components.find((component: { name: string }) => component.name === name);
    assert.equal(found?.version, version, name);
    assert.ok(found.purl.startsWith("pkg:deb/debian/"));
  }
});
