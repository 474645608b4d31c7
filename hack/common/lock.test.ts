import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { locked } from "#hack/common/lock.ts";

const directory = mkdtempSync(join(tmpdir(), "genkan-lock-"));
const path = join(directory, "lab-test");
const quiet = (): void => {};
after(() => rm(directory, { recursive: true }));

test("work on one file is done one after the other, and whoever waits is told", async () => {
  const order: string[] = [];
  const told: string[] = [];
  const first = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const one = locked(path, quiet, async () => {
    order.push("first in");
    entered.resolve();
    await first.promise;
    order.push("first out");
  });
  await entered.promise;
  const isTold = Promise.withResolvers<void>();
  const two = locked(
    path,
    (line) => {
      told.push(line);
      isTold.resolve();
    },
    async () => {
      order.push("second in");
    },
  );
  await locked(`${path}-other`, quiet, async () => {
    order.push("other in");
  });
  await isTold.promise;
  first.resolve();
  await Promise.all([one, two]);
  assert.deepEqual(order, ["first in", "other in", "first out", "second in"]);
  assert.deepEqual(told, ["waiting for another command on lab-test to end"]);
});

test("work that fails lets go", async () => {
  await assert.rejects(
    locked(path, quiet, async () => {
      throw new Error("as it should");
    }),
    /as it should/,
  );
  assert.equal(await locked(path, quiet, async () => 7), 7);
});

test("a process that is killed lets go", async () => {
  const script = `import { locked } from ${JSON.stringify(join(CHECKOUT, "hack/common/lock.ts"))};
await locked(${JSON.stringify(path)}, () => {}, async () => { console.log("in"); await new Promise((r) => setTimeout(r, 60_000)); });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: CHECKOUT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  assert.equal(await locked(path, quiet, async () => "mine"), "mine");
});
