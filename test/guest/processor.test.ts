/** Where guests in user mode compute: each on one processor, which it shares with another guest only if there is none left. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { startGuest } from "#hack/guest/guest.ts";
import { SKIP } from "#test/guest/skip.ts";

/** The numbers of the processors that a process may use. */
async function processorsOf(pid: number | "self"): Promise<string[]> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const list = /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1] ?? "";
  return list.split(",").flatMap((part) => {
    const [from = 0, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => String(from + at));
  });
}

/** Of the process that holds the guest's kernel. */
async function processorOfGuest(relay: number): Promise<string> {
  const [first = 0] = (await readFile(`/proc/${relay}/task/${relay}/children`, "utf8"))
    .split(" ")
    .map(Number);
  const [processor = "", ...others] = await processorsOf(first);
  assert.deepEqual(others, []);
  return processor;
}

test("a second guest does not share a processor while one is free", {
  skip: SKIP,
  timeout: 600_000,
}, async () => {
  await using guests = new AsyncDisposableStack();
  const start = async (): Promise<string> => {
    const guest = await startGuest({ kernel: "user-mode", memory: 512 });
    guests.defer(() => guest.stop());
    return processorOfGuest(guest.pid);
  };
  const first = await start();
  const second = await start();
  if (first !== second) return;
  // Other programs of this machine may have guests as well.
  for (const processor of await processorsOf("self")) {
    const file = `/run/genkan-guest-processor-${processor}`;
    assert.notEqual(spawnSync("flock", ["-n", file, "true"]).status, 0, `${processor} is free`);
  }
});
