/**
 * Sessions signed by TCP-AO, with another speaker and with a router made of system calls alone; none of the packaged
 * routers speaks it. Runs itself in guests: the default kind's kernel has TCP-AO, Debian 12's is too old, and refuses.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TcpAo } from "#api/tcp-ao.ts";
import { ensureProgram } from "#hack/guest/cache.ts";
import type { PeerSettings, WantedSession } from "#speaker/bgp/types.ts";
import { Password } from "#speaker/known/password.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { plain } from "./frr-pair.ts";
import { sessionNamed } from "./session.ts";

const NAME = "frr-eBGP-IPv4-plain";
const SESSION = sessionNamed(NAME);
const PREFIX = "198.18.0.1/32";
const OURS: TcpAo = { sendId: 5, receiveId: 7, algorithm: "HMAC-SHA-1-96" };
const THEIRS: TcpAo = { ...OURS, sendId: OURS.receiveId, receiveId: OURS.sendId };
const KERNEL_NAMES = { "HMAC-SHA-1-96": "hmac(sha1)", "AES-128-CMAC-96": "cmac(aes128)" } as const;
/** Of OPEN and KEEPALIVE of the router. */
const UP = { deadlineMs: 40_000, everyMs: 100 };

if (!isInside) testInside("TCP-AO", import.meta.filename, "long");
else suite();

function suite(): void {
  let topology: Topology;
  let device: Device;
  let program: string;
  /** Why none of this can be tried here. */
  let refusal: string | undefined;

  before(async () => {
    topology = new Topology("gkao");
    topology.addRouter("frr", [SESSION]);
    program = await ensureProgram(join(import.meta.dirname, "ao-peer.c"), "ao-peer");
    const { lines, child } = router("listen", "secret");
    const word = await until("the router's first word", () => lines[0]);
    if (word !== "listening") refusal = `this kernel has no TCP-AO: ${word}`;
    await ended(child);
  });
  after(() => topology?.[Symbol.dispose]());

  function router(
    how: "listen" | "dial" | "plain",
    key: string,
    ao: TcpAo = THEIRS,
  ): { lines: string[]; child: ChildProcess } {
    const { sendId, receiveId, algorithm } = ao;
    const ends = [SESSION.peer.address, SESSION.device.address];
    const words = [how, ...ends, key, `${sendId}`, `${receiveId}`, KERNEL_NAMES[algorithm]];
    const child = spawn("ip", ["netns", "exec", topology.namespaceOf("frr"), program, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on("line", (line) => lines.push(line));
    return { lines, child };
  }

  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill();
    await exit;
  }

  const wanted = (key: string, more: Partial<PeerSettings> = {}): ReadonlyMap<string, WantedSession> => {
    const planned = planOf([peerView(SESSION)]).get(NAME);
    assert.ok(planned);
    const settings = {
      ...planned.settings,
      sourceAddress: SESSION.device.address,
      password: new Password(key),
      tcpAo: OURS,
      connectTimeMs: 1_000,
    };
    return new Map([[NAME, { settings: { ...settings, ...more }, advertisements: [plain(PREFIX)] }]]);
  };
  const report = async (of: Device) => (await of.sessions())[0];
  const established = (of: Device) =>
    until("the session", async () => (await report(of))?.state === "Established", UP);

  const needs = (t: { skip(why: string): void }): boolean => {
    if (refusal !== undefined) t.skip(refusal);
    return refusal === undefined;
  };

  describe("a session that is signed by TCP-AO (RFC 5925)", { timeout: 300_000 }, () => {
    before(() => {
      device = new Device(topology.device);
    });
    after(() => device.kill());

    test("a kernel without it: no session, and the reason is said", async (t) => {
      if (refusal === undefined) {
        t.skip("this kernel has TCP-AO");
        return;
      }
      await device.reconcile(wanted("secret"));
      const said = await until("the reason", async () => (await report(device))?.lastError);
      assert.match(said, /TCP-AO: this node's kernel has none/);
    });

    for (const algorithm of ["HMAC-SHA-1-96", "AES-128-CMAC-96"] as const) {
      test(`the node connects, ${algorithm}: with the same key, and never with another`, async (t) => {
        if (!needs(t)) return;
        const { lines, child } = router("listen", "secret", { ...THEIRS, algorithm });
        t.after(() => ended(child));
        await until("the router", () => lines.includes("listening"));
        const tcpAo = { ...OURS, algorithm };
        await device.reconcile(wanted("other", { tcpAo }));
        const said = await until("the reason", async () => (await report(device))?.lastError, UP);
        assert.match(said, /no answer from/);
        // The right key with the ids the other way round is a wrong one, too.
        const swapped = { ...tcpAo, sendId: tcpAo.receiveId, receiveId: tcpAo.sendId };
        await device.reconcile(wanted("secret", { tcpAo: swapped }));
        await until("the reason", async () => (await report(device))?.lastError !== undefined, UP);
        assert.deepEqual(lines, ["listening"]);
        await device.reconcile(wanted("secret", { tcpAo }));
        await established(device);
        assert.ok(lines.includes("message 1") && lines.includes("message 4"), lines.join());
        // The key of a live session changes: it ends, and does not come back before the router has the new one.
        await device.reconcile(wanted("newer", { tcpAo }));
        await until("the end", () => lines.includes("closed"), UP);
        assert.notEqual((await report(device))?.state, "Established");
        await device.reconcile(new Map());
      });
    }

    test("the router connects: with the key, and neither with another nor without any", async (t) => {
      if (!needs(t)) return;
      await device.reconcile(wanted("secret", { connectTimeMs: 60_000 }));
      const strangers = [router("plain", "secret"), router("dial", "other"), router("dial", "secret", OURS)];
      for (const { child } of strangers) t.after(() => ended(child));
      // Three attempts of each one's kernel.
      await sleep(4_000);
      for (const { lines } of strangers) assert.deepEqual(lines, []);
      const { lines, child } = router("dial", "secret");
      t.after(() => ended(child));
      await established(device);
      assert.ok(lines.includes("message 1"));
      await device.reconcile(new Map());
      await until("the end", () => lines.includes("closed"), UP);
    });

    test("the same peer is signed by MD5, then by TCP-AO, then not at all", async (t) => {
      if (!needs(t)) return;
      const { tcpAo: _, ...md5 } = [...wanted("secret").values()][0]?.settings ?? assert.fail();
      await device.reconcile(new Map([[NAME, { settings: md5, advertisements: [] }]]));
      await device.reconcile(wanted("secret", { connectTimeMs: 60_000 }));
      const signed = router("dial", "secret");
      t.after(() => ended(signed.child));
      await established(device);
      const { password: _password, ...none } = md5;
      await device.reconcile(new Map([[NAME, { settings: none, advertisements: [] }]]));
      await until("the end", () => signed.lines.includes("closed"), UP);
      const unsigned = router("plain", "secret");
      t.after(() => ended(unsigned.child));
      await established(device);
      await device.reconcile(new Map());
    });

    test("two speakers: up with what each expects of the other, with its prefixes", async (t) => {
      if (!needs(t)) return;
      const other = new Device(topology.namespaceOf("frr"));
      t.after(() => other.kill());
      await device.reconcile(wanted("secret"));
      await other.reconcile(
        wanted("secret", {
          address: SESSION.device.address,
          sourceAddress: SESSION.peer.address,
          localAsn: SESSION.peer.asn,
          peerAsn: SESSION.device.asn,
          routerId: "10.0.9.9",
          tcpAo: THEIRS,
        }),
      );
      await Promise.all([established(device), established(other)]);
      await until("its prefix", async () => (await report(other))?.prefixesReceived === 1);
      await device.reconcile(new Map());
    });
  });
}
