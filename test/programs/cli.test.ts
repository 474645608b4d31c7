/** The command as its own process: exit codes, what goes where. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function genkan(argv: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...argv], { cwd: directory });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  child.stdin.on("error", () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

const POOL = (name: string, addresses: string): string =>
  `apiVersion: genkan.dev/v1beta1
kind: AddressPool
metadata: { name: ${name}, namespace: genkan-system }
spec: { protocol: layer2, addresses: [${addresses}] }
`;
const SERVICE = "apiVersion: v1\nkind: Service\nmetadata: { name: s }\n";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-cli-"));
  await mkdir(join(directory, "good/below"), { recursive: true });
  await writeFile(join(directory, "good/a.yaml"), `${SERVICE}---\n# ours\n${POOL("a", "10.0.0.0/24")}`);
  await writeFile(
    join(directory, "good/below/b.json"),
    JSON.stringify({ apiVersion: "v1", kind: "List", items: [] }),
  );
  await writeFile(join(directory, "good/values.yaml"), "replicas: 2\n");
  await writeFile(join(directory, "good/notes.txt"), "[[[");
  await writeFile(join(directory, "overlapping.yaml"), POOL("b", "10.0.0.128/25"));
  await writeFile(join(directory, "broken.yaml"), "a: [1\n");
});
after(() => rm(directory, { recursive: true, force: true }));

test("a checkout has it by name, with no registry asked", async () => {
  const argv = ["--offline", "genkan", "check", "-f", "config/samples"];
  const { stdout } = await promisify(execFile)("npx", argv, { cwd: ROOT });
  assert.match(stdout, /^4 judged: 4 admitted, 0 refused/m);
});

test("0 where all would be admitted; what is not ours is passed over and counted", async () => {
  const { code, out } = await genkan(["check", "-f", "good"]);
  assert.equal(
    out.trim().split("\n").at(-1),
    "1 judged: 1 admitted, 0 refused; 1 of other kinds passed over; 1 that are no manifests passed over",
  );
  assert.match(out, /^good\/a\.yaml:6: AddressPool "a" admitted$/m);
  assert.equal(code, 0);
});

test("1 on a refusal, which may come of objects in two files", async () => {
  const { code, out } = await genkan(["check", "-f", "good", "-f", "overlapping.yaml", "-o", "json"]);
  const { objects, admitted, refused } = JSON.parse(out);
  assert.deepEqual([admitted, refused], [1, 1]);
  assert.deepEqual(objects[1], {
    file: "overlapping.yaml",
    line: 1,
    kind: "AddressPool",
    name: "b",
    admitted: false,
    refusals: [
      {
        field: "spec.addresses[0]",
        message: 'spec.addresses[0]: 10.0.0.128/25 overlaps 10.0.0.0/24 of AddressPool "a"',
        line: 4,
        column: 39,
      },
    ],
    warnings: [],
  });
  assert.equal(code, 1);
});

test("1 where kind and name are there twice", async () => {
  const { code, out } = await genkan(
    ["check", "-f", "-"],
    `${POOL("a", "10.0.0.0/24")}---\n${POOL("a", "10.1.0.0/24")}`,
  );
  assert.match(
    out,
    /^stdin:6: AddressPool "a" refused\n {2}stdin:8:13: metadata\.name: AddressPool "a" is already in stdin:1$/m,
  );
  assert.equal(code, 1);
});

test("2 on what cannot be read, whatever else is there", async () => {
  for (const [argv, words] of [
    [["check", "-f", "broken.yaml", "-f", "good"], /^broken\.yaml:\d+: /m],
    [["check", "-f", "gone.yaml"], /^gone\.yaml: there is no such file$/m],
    [["check", "-f", "good/values.yaml"], /^good\/values\.yaml:1: is no manifest/m],
  ] as const) {
    const { code, out } = await genkan(argv);
    assert.match(out, words);
    assert.equal(code, 2);
  }
  assert.equal((await genkan(["check"])).code, 2);
  assert.equal((await genkan(["check", "-f", "good", "-o", "xml"])).code, 2);
  assert.equal((await genkan(["judge"])).code, 2);
  assert.equal((await genkan(["--help"])).code, 0);
});

test("files that are left out, formats of CI, strictness and the build", async () => {
  const both = ["check", "-f", "good", "-f", "overlapping.yaml", "--strict"];
  assert.equal((await genkan([...both, "--exclude", "overlapping.yaml"])).code, 0);
  assert.equal((await genkan([...both, "--exclude", "over*", "--exclude", "good/a.yaml"])).code, 1);
  const sarif = await genkan([...both, "-o", "sarif"]);
  assert.equal(JSON.parse(sarif.out).runs[0].results.length, 1);
  assert.match((await genkan([...both, "-o", "junit"])).out, /failures="1"/);
  for (const words of ["--version", "version"])
    assert.deepEqual(await genkan([words]), { code: 0, out: "development\n", err: "" });
});

test("a namespace that is not set is told, unless it is given", async () => {
  const text = POOL("a", "10.0.0.0/24").replace(", namespace: genkan-system", "");
  assert.match(
    (await genkan(["check", "-f", "-"], text)).out,
    /warning: metadata\.namespace: not set: apply it with -n genkan-system/,
  );
  assert.doesNotMatch((await genkan(["check", "-f", "-", "-n", "genkan-system"], text)).out, /warning/);
  const elsewhere = POOL("a", "10.0.0.0/24").replace("genkan-system", "default");
  assert.equal((await genkan(["check", "-f", "-"], elsewhere)).code, 1);
});

test("migrate writes manifests that check takes, and the notes for people beside them", async () => {
  const metallb =
    "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: { name: a }\nspec: { addresses: [10.0.0.0/24] }\n";
  const { code, out, err } = await genkan(["migrate", "-f", "-"], metallb);
  assert.equal(code, 3);
  assert.match(
    err,
    /^stdin:1: IPAddressPool "a": no advertisement selects it.*\n1 LoadBalancer, 1 AddressPool made; 1 notes$/m,
  );
  assert.equal((await genkan(["check", "-f", "-"], out)).code, 0);
  const checked = await genkan(["check", "-f", "-"], metallb);
  assert.match(checked.out, /1 of these are MetalLB's: genkan migrate makes ours of them/);
  const broken = await genkan(["migrate", "-f", "broken.yaml", "-f", "-"], metallb);
  assert.deepEqual([broken.code, broken.out], [2, ""]);
  const announced = `${metallb}---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: { name: a }\n`;
  assert.equal((await genkan(["migrate", "-f", "-"], announced)).code, 0);
  const nothing = await genkan(["migrate", "-f", "-"], SERVICE);
  assert.deepEqual([nothing.code, nothing.out], [1, ""]);
  assert.match(nothing.err, /^nothing made: there is no configuration of MetalLB/);
});
