/** A guest as the tests use it, on each kernel: commands, their input and output, several callers, what is shared. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { connectGuest, type Guest } from "#hack/guest/boot.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { KERNEL_KINDS } from "#hack/guest/kernel.ts";
import { SKIP } from "#test/guest/skip.ts";

for (const kernel of KERNEL_KINDS)
  describe(`a guest of kind ${kernel}`, { skip: SKIP, timeout: 600_000 }, () => {
    let directory: string;
    let guest: Guest;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "genkan-guest-test-"));
      guest = await startGuest({
        directory,
        memory: 768,
        detached: true,
        kernel,
        progress: (line) => console.error(line),
      });
    });
    after(async () => {
      await guest?.stop();
      await rm(directory, { recursive: true, force: true });
    });

    it("has the kernel that the data plane needs", async () => {
      const script =
        "ipvsadm -A -f 7 -s mh -b mh-port && ipvsadm -Sn && ip link set tunl0 up && ip link set ip6tnl0 up";
      const result = await guest.exec(["unshare", "-n", "sh", "-ec", script]);
      assert.deepEqual(result, { code: 0, stdout: "-A -f 7 -s mh -b mh-port\n", stderr: "" });
    });

    it("passes input, both outputs, exit codes and signals", async () => {
      const input = "x".repeat(3_000_000);
      const counted = await guest.exec(["sh", "-c", "wc -c; echo problem >&2; exit 9"], { input });
      assert.deepEqual(counted, { code: 9, stdout: "3000000\n", stderr: "problem\n" });
      const echoed = await guest.exec(["cat"], { input });
      assert.equal(echoed.stdout, input);
      assert.equal((await guest.exec(["sh", "-c", "kill -TERM $$"])).code, 143);
      const missing = await guest.exec(["no-such-program"]);
      assert.equal(missing.code, 127);
      assert.match(missing.stderr, /no-such-program: No such file/);
    });

    it("runs commands side by side, in network namespaces, and kills them on request", async () => {
      assert.equal((await guest.exec(["ip", "netns", "add", "gt"])).code, 0);
      const controller = new AbortController();
      const sleeper = guest.exec(["sh", "-c", "sleep 1000 & wait"], { signal: controller.signal });
      const both = await Promise.all(
        ["gt", undefined].map((netns) =>
          guest.exec(["readlink", "/proc/self/ns/net"], netns === undefined ? {} : { netns }),
        ),
      );
      assert.notEqual(both[0]?.stdout, both[1]?.stdout);
      assert.match((await guest.exec(["true"], { netns: "absent" })).stderr, /network namespace absent/);
      controller.abort();
      assert.equal((await sleeper).code, 137);
    });

    it("serves a second process, and leaves a daemon running", async () => {
      const other = await connectGuest(directory);
      assert.ok(other);
      const started = await other.exec([
        "sh",
        "-c",
        "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!",
      ]);
      other.disconnect();
      const third = await connectGuest(directory);
      assert.ok(third);
      assert.equal((await third.exec(["kill", "-0", started.stdout.trim()])).code, 0);
      third.disconnect();
    });

    it("writes into the checkout of the host and nowhere else", async () => {
      const name = `/etc/genkan-guest-test-${process.pid}`;
      assert.equal((await guest.exec(["sh", "-ec", `echo 1 > ${name}; test -s ${name}`])).code, 0);
      assert.equal(existsSync(name), false);
      const shared = join(CHECKOUT, ".lab", "guest", `shared-${process.pid}`);
      assert.equal((await guest.exec(["sh", "-c", `echo 1 > ${shared} && sync`])).code, 0);
      assert.equal(await readFile(shared, "utf8"), "1\n");
      await rm(shared);
    });
  });
