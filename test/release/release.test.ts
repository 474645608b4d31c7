/**
 * A whole release with node's real size, for both architectures: built twice, verified as docs/install.md says, run
 * under emulation as far as it runs without a cluster, and pushed to a registry.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { freePorts } from "#hack/common/ports.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import { commandsOf } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const VERSION = "v1.2.3";
const ROLES = ["operator", "controller", "speaker"];
const CHROOT = "/usr/sbin/chroot";
/** No prefix has 40 bits. */
const BAD = `apiVersion: genkan.dev/v1beta1
kind: AddressPool
metadata: { name: bad, namespace: genkan-system }
spec: { protocol: layer2, addresses: [10.0.0.0/40] }
`;

let directory = "";
let registry = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-release-"));
  const [port = 0] = await freePorts(1);
  registry = `127.0.0.1:${port}/genkan`;
  await shell(
    "openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out genkan.pub",
  );
  await build("dist");
});
after(() => rm(directory, { recursive: true, force: true }));

const shell = async (command: string, cwd = directory, env = {}): Promise<string> => {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 24 };
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", command], options)).stdout;
};

/** By the command of the page, into another folder than the checkout's own. */
async function build(output: string): Promise<void> {
  const [, command = ""] = commandsOf("docs/install.md", "Build, push, install");
  const env = { VERSION, REGISTRY: registry, KEY: `${directory}/key.pem`, OUTPUT: `${directory}/${output}` };
  await shell(command, CHECKOUT, env);
}

test("two builds are the same bytes", async () => {
  await build("again");
  assert.equal(await shell("cat again/SHA256SUMS"), await shell("cat dist/SHA256SUMS"));
});

test("who downloaded it verifies it by the commands of the page", async () => {
  await copyFile(join(directory, "genkan.pub"), join(directory, "dist/genkan.pub"));
  const [verify = ""] = commandsOf("docs/release.md", "Verify a release");
  const output = await shell(verify, join(directory, "dist"));
  assert.match(output, /Signature Verified Successfully/);
  assert.match(output, /^install\.yaml: OK$/m);
});

test("the SBOM has the C library of both architectures", async () => {
  const { components } = JSON.parse(await readFile(join(directory, "dist/sbom.cdx.json"), "utf8"));
  const purls: string[] = components.map(({ purl }: { purl: string }) => purl);
  for (const architecture of ["amd64", "arm64"])
    for (const name of ["libc6", "libstdc++6", "nftables", "libgmp10", "busybox-static"])
      assert.ok(
        purls.some(
          (purl) =>
            decodeURIComponent(purl).startsWith(`pkg:deb/debian/${name}@`) &&
            purl.endsWith(`arch=${architecture}`),
        ),
        `${name} ${architecture}`,
      );
});

/** The root of an image, with the emulator in it where it is for arm64. */
async function rootOf(role: string, architecture = "arm64"): Promise<string> {
  const name = `${role}-${architecture}`;
  const [layout, root] = [join(directory, `layout-${name}`), join(directory, `root-${name}`)];
  await mkdir(layout);
  await mkdir(root);
  await shell(`tar -C ${layout} -xf dist/${role}.oci.tar`);
  const read = async (path: string) => JSON.parse(await readFile(join(layout, path), "utf8"));
  const blob = ({ digest }: { digest: string }): string => `blobs/${digest.replace(":", "/")}`;
  const index = await read(blob((await read("index.json")).manifests[0]));
  const ours = index.manifests.find(
    ({ platform }: { platform: { architecture: string } }) => platform.architecture === architecture,
  );
  for (const layer of (await read(blob(ours))).layers)
    await shell(`tar -C ${root} -xzf ${join(layout, blob(layer))}`);
  if (architecture === "arm64") await copyFile("/usr/bin/qemu-aarch64-static", join(root, "qemu"));
  return root;
}

const emulated = (root: string, command: string): Promise<string> => shell(`chroot ${root} /qemu ${command}`);

test("arm64: node runs from its image, and the operator says what it misses", async () => {
  const root = await rootOf("operator");
  assert.equal(await emulated(root, "/usr/bin/node -p process.arch"), "arm64\n");
  const failure = await emulated(root, "/usr/bin/node /app/operator.mjs").then(
    () => "",
    (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
  );
  assert.match(failure, /CONTROLLER_IMAGE is not set/);
});

test("arm64: the speaker's addon loads, and nft finds its libraries", async () => {
  const root = await rootOf("speaker");
  await writeFile(
    join(root, "probe.mjs"),
    `import { createRequire } from "node:module";
     const addon = createRequire(import.meta.url)("/app/socket.node");
     process.stdout.write(Object.keys(addon).sort().join());`,
  );
  const functions = await emulated(root, "/usr/bin/node /probe.mjs");
  const here = await shell(
    `node -p 'Object.keys(require("${CHECKOUT}/speaker/native/build/socket.node")).sort().join()'`,
  );
  assert.equal(functions, here.trim());
  // The emulator knows no sockets of nftables, so nft cannot start there: but it finds all that it links.
  const linked = await emulated(root, "/lib/ld-linux-aarch64.so.1 --list /usr/sbin/nft");
  assert.match(linked, /libnftables\.so\.1 => /);
  assert.doesNotMatch(linked, /not found/);
});

test("arm64: the image of the command has it, and a shell", async () => {
  const root = await rootOf("cli");
  assert.equal(await emulated(root, "/usr/bin/node /app/genkan.mjs --version"), `${VERSION}\n`);
  assert.match(await emulated(root, "/bin/sh -c 'echo shell'"), /^shell$/m);
});

test("the script of the template for GitLab runs in the image of the command, as its user", async () => {
  const root = await rootOf("cli", "amd64");
  const { script, variables } = parse(await readFile(join(CHECKOUT, "config/ci/gitlab.yml"), "utf8"))[
    "genkan-check"
  ];
  await mkdir(join(root, "builds"));
  await shell(`cp -r config/samples ${root}/builds/ && chmod 0777 ${root}/builds`, CHECKOUT);
  // What the runner does: the working copy is the directory, and variables are in the environment.
  const lines = ["set -e", "cd /builds", `GENKAN_PATH='${variables.GENKAN_PATH}'`, ...script];
  await writeFile(join(root, "builds/script"), lines.join("\n"));
  await shell(`env -i PATH=/usr/bin:/bin ${CHROOT} --userspec=65532:65532 ${root} /bin/sh /builds/script`);
  assert.match(await readFile(join(root, "builds/genkan.xml"), "utf8"), /<testsuite .*failures="0"/);
  await writeFile(join(root, "builds/bad.yaml"), BAD);
  await assert.rejects(
    shell(`env -i PATH=/usr/bin:/bin ${CHROOT} --userspec=65532:65532 ${root} /bin/sh /builds/script`),
  );
});

test("a registry that was pushed to by the command of the page has what install.yaml names", async () => {
  const host = registry.split("/")[0] ?? "";
  const configuration = join(directory, "registry.yml");
  await writeFile(
    configuration,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${directory}/registry } }\nhttp: { addr: "${host}" }\n`,
  );
  const server = spawn("docker-registry", ["serve", configuration], { stdio: "ignore" });
  try {
    await until("the registry to answer", () =>
      fetch(`http://${host}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const [, , push = ""] = commandsOf("docs/install.md", "Build, push, install");
    // The registry of the test speaks no TLS.
    const plain = push.replaceAll("skopeo copy", "skopeo copy --dest-tls-verify=false");
    const [pushCli = ""] = commandsOf("docs/check.md", "In CI");
    for (const command of [plain, pushCli.replaceAll("skopeo copy", "skopeo copy --dest-tls-verify=false")])
      await shell(command, directory, { REGISTRY: registry, VERSION });
    const pushed = await fetch(`http://${host}/v2/genkan/cli/tags/list`);
    assert.deepEqual(((await pushed.json()) as { tags: string[] }).tags, [VERSION]);
    const install = await readFile(join(directory, "dist/install.yaml"), "utf8");
    const named = [...install.matchAll(/genkan\/(\w+)@(sha256:\w+)/g)];
    assert.equal(named.length, 3);
    for (const [, role, digest] of named) {
      for (const reference of [digest, VERSION]) {
        const answer = await fetch(`http://${host}/v2/genkan/${role}/manifests/${reference}`, {
          headers: { accept: "application/vnd.oci.image.index.v1+json" },
        });
        assert.equal(answer.status, 200, `${role} ${reference}`);
        assert.equal(answer.headers.get("docker-content-digest"), digest);
      }
    }
  } finally {
    server.kill();
    await once(server, "exit");
  }
});

test("containerd imports the archives by the command of the page, under their names and digests", async () => {
  await ensurePrograms(["containers"]);
  const bin = join(CHECKOUT, ".lab/bin");
  const [configuration, socket] = [join(directory, "containerd.toml"), join(directory, "containerd.sock")];
  await writeFile(
    configuration,
    `version = 3
root = "${directory}/containerd/root"
state = "${directory}/containerd/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
[grpc]
address = "${socket}"
`,
  );
  const containerd = spawn(join(bin, "containerd"), ["--config", configuration], { stdio: "ignore" });
  const env = { CONTAINERD_ADDRESS: socket, PATH: `${bin}:${process.env.PATH}` };
  try {
    await until("containerd to answer", () => shell("ctr version", directory, env));
    const [load = ""] = commandsOf("docs/install.md", "Without access to the internet");
    await shell(load, directory, env);
    const listed = await shell("ctr --namespace k8s.io images list", directory, env);
    const install = await readFile(join(directory, "dist/install.yaml"), "utf8");
    for (const role of ROLES) {
      const digest = new RegExp(`${role}@(sha256:\\w+)`).exec(install)?.[1] ?? "none";
      const line =
        listed.split("\n").find((text) => text.startsWith(`${registry}/${role}:${VERSION} `)) ?? "";
      assert.ok(line.includes(digest) && line.includes("linux/amd64,linux/arm64"), listed);
    }
  } finally {
    containerd.kill();
    await once(containerd, "exit");
  }
});
