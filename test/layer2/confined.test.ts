/**
 * The profiles that config/profiles has for speakers. seccomp: real speakers do their work under it, and what no speaker
 * needs is refused. AppArmor: its parser takes the profile; it is loaded nowhere, since kernels of tests have no AppArmor.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PORT } from "#api/names.ts";
import { until } from "#test/until.ts";
import { confining, missedCalls, readProfile, refusedCalls } from "./confine.ts";
import { LONG, NAMES, SpeakerNodes, VIP, VIP6 } from "./speaker-nodes.ts";

const APPARMOR = new URL("../../config/profiles/genkan-speaker.apparmor", import.meta.url).pathname;

/** What is tried under a profile, and the errno of it; 0: it was let through. */
function probed(under: readonly string[]): Map<string, number> {
  const [program = "", rules = ""] = under;
  const lines = execFileSync(program, [rules, "probe"], { encoding: "utf8" }).trim().split("\n");
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("what no speaker needs is refused and told of, and its kinds of sockets are not", () => {
  const errnos = probed(confining(readProfile(), "probe"));
  for (const name of ["socket of AF_INET", "socket of AF_NETLINK"]) assert.equal(errnos.get(name), 0, name);
  // Libraries take ENOSYS for "try clone", which is looked at.
  assert.equal(errnos.get("clone3"), 38);
  const refused = [...errnos].filter(([, errno]) => errno === 1).map(([name]) => name);
  assert.equal(refused.length, errnos.size - 3, [...errnos].join(" "));
  const told = refusedCalls("probe").map((line) => line.split(" ")[0]);
  // Each call once, with the first arguments that it had.
  assert.deepEqual(told, [...new Set(refused.map((name) => name.split(" ")[0]))].sort());
});

test("the profile holds what counts: each call once, and none without a reason", () => {
  const { syscalls } = readProfile();
  const plain = syscalls.filter(({ args }) => args === undefined).flatMap(({ names }) => names);
  assert.deepEqual(plain, [...new Set(plain)]);
  assert.ok(syscalls.every(({ comment }) => comment.length > 0));
});

describe("three confined speakers", { concurrency: false }, () => {
  let nodes: SpeakerNodes;
  before(async () => {
    nodes = await SpeakerNodes.start(confining(readProfile(), "three"));
  });
  after(async () => nodes?.[Symbol.asyncDispose]());

  test("every thread of them is under the filter", () => {
    for (const name of NAMES) {
      const { pid } = nodes.speaker(name);
      const threads = readdirSync(`/proc/${pid}/task`);
      assert.ok(threads.length > 4, `${threads.length} threads`);
      for (const thread of threads)
        assert.match(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"), /^Seccomp:\t2$/m);
    }
  });

  test("addresses of both families are answered for, metrics are served, a death is taken over, an end hands over", async () => {
    const ownerOf = (vip: string): Promise<string> =>
      until(
        `one owner of ${vip}`,
        async () => {
          const found = await nodes.bridge.owners(nodes.client, vip);
          return found.length === 1 ? found[0] : undefined;
        },
        LONG,
      );
    await ownerOf(VIP6);
    const first = await ownerOf(VIP);
    const { namespace } = nodes.speaker(first).host;
    const page = execFileSync(
      "nsenter",
      [`--net=/run/netns/${namespace}`, "curl", "-s", `http://127.0.0.1:${PORT.speaker}/metrics`],
      { encoding: "utf8" },
    );
    assert.match(page, /^genkan_announced_addresses\{protocol="layer2",family="IPv4"\} \d/m);
    await nodes.speaker(first).end("SIGKILL");
    await until("another owner", async () => (await ownerOf(VIP)) !== first, LONG);
    const second = await ownerOf(VIP);
    await nodes.speaker(second).end("SIGTERM");
    assert.ok(nodes.speaker(second).hasEnded);
    await until("the third one", async () => ![first, second].includes(await ownerOf(VIP)), LONG);
  });

  test("nothing that they needed was refused", () => {
    const told = refusedCalls("three").map((line) => line.split(" ")[0]);
    assert.deepEqual(told, ["io_uring_setup"], "what Node does without shows that it is told of");
    assert.deepEqual(missedCalls("three"), []);
  });
});

test("the test is awake: by a profile without netlink a program that needs it ends", () => {
  const { syscalls, ...rest } = readProfile();
  const without = syscalls.filter(({ args }) => args?.[0].value !== 16);
  const [program = "", rules = ""] = confining({ ...rest, syscalls: without }, "without-netlink");
  assert.equal(probed([program, rules]).get("socket of AF_NETLINK"), 1);
  const { stderr } = spawnSync(program, [rules, "ip", "link"], { encoding: "utf8" });
  assert.match(stderr, /Operation not permitted/);
});

const RUNC = new URL("../../.lab/bin/runc", import.meta.url).pathname;

/** In a container: the filter is there, nft starts, sockets of all kinds that speakers have can be made. */
const PROGRAM = `
const { execFileSync } = require("node:child_process");
console.log(require("node:fs").readFileSync("/proc/self/status", "utf8").match(/^Seccomp:.*$/m)[0]);
console.log(execFileSync("/usr/sbin/nft", ["--version"], { encoding: "utf8" }));
require("node:dgram").createSocket("udp6").bind(0, () => process.exit(0));
`;

test("a container runtime takes the profile as the kubelet gives it, and a program starts under it", {
  skip: existsSync(RUNC) ? false : "runc is not built (node hack/lab/main.ts programs)",
}, () => {
  const bundle = mkdtempSync(join(tmpdir(), "genkan-confined-"));
  try {
    for (const name of ["usr", "proc", "dev"]) mkdirSync(join(bundle, "rootfs", name), { recursive: true });
    for (const name of ["bin", "sbin", "lib", "lib64"])
      symlinkSync(`usr/${name}`, join(bundle, "rootfs", name));
    writeFileSync(join(bundle, "rootfs/node"), "");
    writeFileSync(join(bundle, "config.json"), JSON.stringify(containerOf(basename(bundle))));
    const words = ["--root", join(bundle, "state"), "run", "--bundle", bundle, basename(bundle)];
    const out = execFileSync(RUNC, words, { encoding: "utf8" });
    assert.match(out, /^Seccomp:\t2\nnftables v/);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
});

/** As OCI's runtime-spec has it; the profile's comments are the only thing that a runtime is not given. */
function containerOf(name: string): object {
  const { syscalls, ...rest } = readProfile();
  const granted = ["CAP_NET_ADMIN", "CAP_NET_RAW"];
  const bind = (destination: string, source: string) => ({
    ...{ destination, source, type: "bind", options: ["rbind", "ro"] },
  });
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0 },
      args: ["/node", "-e", PROGRAM],
      env: ["PATH=/usr/bin:/usr/sbin"],
      cwd: "/",
      capabilities: { bounding: granted, effective: granted, permitted: granted },
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      bind("/usr", "/usr"),
      bind("/node", realpathSync(process.execPath)),
    ],
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
      cgroupsPath: `/${name}`,
      seccomp: { ...rest, syscalls: syscalls.map(({ comment: _, ...call }) => call) },
    },
  };
}

const hasParser = spawnSync("apparmor_parser", ["--version"]).error === undefined;

test("AppArmor's own parser takes the profile", {
  skip: hasParser ? false : "apparmor_parser is not on this machine (Debian's package apparmor)",
}, () => {
  execFileSync("apparmor_parser", ["--skip-kernel-load", "--skip-cache", "--debug", APPARMOR], {
    stdio: ["ignore", "ignore", "inherit"],
  });
});
