/**
 * How a guest in user mode ends. Its programs are processes of this machine, as root: whoever dies first, nothing of the
 * guest may go on. A guest that dies by itself says why.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { GuestLost } from "#hack/guest/channel.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { SKIP } from "#test/guest/skip.ts";
import { until } from "#test/until.ts";

const OPTIONS = { skip: SKIP, timeout: 600_000 };

/** Processes of this machine by the process namespace that they are in; those that have ended are in none. */
async function byNamespace(): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const namespace = await readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
    if (namespace !== undefined) found.set(namespace, [...(found.get(namespace) ?? []), pid]);
  }
  return found;
}

/** The kernel that a relay started, and the namespace of everything that runs in it. */
async function kernelOf(relay: number): Promise<{ kernel: number; namespace: string }> {
  const childrenOf = async (pid: number): Promise<number[]> =>
    (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").map(Number);
  const [first = 0] = await childrenOf(relay);
  const [kernel = 0] = await childrenOf(first);
  assert.match(await readlink(`/proc/${kernel}/exe`), /\/linux$/);
  return { kernel, namespace: await readlink(`/proc/${kernel}/ns/pid`) };
}

/** A process like a test file: starts a guest that is not detached, with a program that never ends, and waits. */
async function startHolder(): Promise<{ holder: ChildProcess; relay: number }> {
  const script = `import { startGuest } from "#hack/guest/guest.ts";
    const guest = await startGuest({ kernel: "user-mode", memory: 512 });
    guest.spawn(["sh", "-c", "while :; do :; done"]).done.catch(() => {});
    await guest.exec(["sh", "-c", "setsid sleep 1000 & true"]);
    console.log(guest.pid);
    setInterval(() => {}, 1000);`;
  const argv = ["--input-type=module", "--eval", script];
  const holder = spawn(process.execPath, argv, { cwd: CHECKOUT, stdio: ["ignore", "pipe", "inherit"] });
  const [pid] = (await once(holder.stdout ?? holder, "data")) as [Buffer];
  return { holder, relay: Number(pid.toString()) };
}

const victims = ["the relay", "the kernel", "the process that started it"] as const;
for (const victim of victims) {
  test(`${victim} is killed: nothing of the guest is left`, OPTIONS, async () => {
    const { holder, relay } = await startHolder();
    try {
      const { kernel, namespace } = await kernelOf(relay);
      const running = (await byNamespace()).get(namespace) ?? [];
      assert.ok(running.length > 3, `kernel, ports and programs: ${running.join()}`);
      const pid = { "the relay": relay, "the kernel": kernel, "the process that started it": holder.pid }[
        victim
      ];
      process.kill(pid ?? 0, "SIGKILL");
      await until("everything of the guest to be gone", async () => {
        const left = (await byNamespace()).get(namespace) ?? [];
        if (left.length > 0) throw new Error(`still there: ${left.join()}`);
        return (await readlink(`/proc/${relay}/exe`).catch(() => undefined)) === undefined;
      });
    } finally {
      holder.kill("SIGKILL");
    }
  });
}

test(
  "a panic: who waits is told with the console's words, which are kept, and stop() ends",
  OPTIONS,
  async () => {
    const guest = await startGuest({ kernel: "user-mode", memory: 512 });
    const waiting = guest.exec(["sleep", "1000"]);
    const crash = guest.exec(["sh", "-c", "echo c > /proc/sysrq-trigger"]);
    for (const done of [waiting, crash])
      await assert.rejects(done, (error) => error instanceof GuestLost && /panic/i.test(error.message));
    await assert.rejects(guest.exec(["true"]), GuestLost);
    const directory = join(CHECKOUT, "build/guest");
    const before = new Set(await readdir(directory).catch(() => []));
    await guest.stop();
    const kept = (await readdir(directory)).filter((name) => !before.has(name));
    assert.equal(kept.length, 1);
    assert.match(await readFile(join(directory, kept[0] ?? ""), "utf8"), /panic/i);
    await rm(join(directory, kept[0] ?? ""));
  },
);
