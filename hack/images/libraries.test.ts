import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { test } from "node:test";
import { librariesOf, parseElf } from "#hack/images/libraries.ts";
import { hostPlatform } from "#hack/images/platform.ts";

test("what a program needs, as readelf prints it", () => {
  const output = `
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]
 0x0000000000000001 (NEEDED)             Shared library: [libdl.so.2]
 0x0000000000000001 (NEEDED)             Shared library: [libstdc++.so.6]
 0x000000006ffffffe (VERNEED)            0x823018
`;
  assert.deepEqual(parseElf(output), {
    needed: ["libdl.so.2", "libstdc++.so.6"],
    loader: "/lib64/ld-linux-x86-64.so.2",
  });
  assert.deepEqual(parseElf("There is no dynamic section in this file.\n"), {
    needed: [],
    loader: undefined,
  });
});

test("the same files as the machine's own loader finds, for a program of this machine", async () => {
  const platform = await hostPlatform("/none");
  const program = process.execPath;
  const ours = [...(await librariesOf([program], platform)).values()];
  const ldd = execFileSync("ldd", [program], { encoding: "utf8" });
  const theirs = [...ldd.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path = ""]) => path);
  const real = (paths: readonly string[]): string[] => paths.map((path) => realpathSync(path)).sort();
  assert.ok(theirs.length > 2, ldd);
  assert.deepEqual(real(ours), real(theirs));
});

test("a library that is not there is an error that names it", async () => {
  const { node, architecture } = await hostPlatform("/none");
  await assert.rejects(
    librariesOf([node], { root: "/nonexistent", architecture }),
    /shared library lib\S+ of /,
  );
});
