import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { ip } from "#test/network/namespace.ts";
import { PacketSocket } from "./packet.ts";
import { Socket, SocketError } from "./socket.ts";

/** Two ends of a cable: ours stays here, the other host is a namespace of this process's own. */
const HOST = `gkk-${process.pid}`;
const OURS = `gkk${process.pid}a`.slice(0, 15);

/** 2001:db8::77 */
const TARGET = "20010db8000000000000000000000077";

function linkIndex(name: string): number {
  return Number(readFileSync(`/sys/class/net/${name}/ifindex`, "utf8"));
}

function hardwareAddress(name: string): Buffer {
  const text = readFileSync(`/sys/class/net/${name}/address`, "utf8").trim();
  return Buffer.from(text.replaceAll(":", ""), "hex");
}

/** Answers any request (RFC 826) with our hardware address. */
function answer(request: Buffer, own: Buffer): Buffer {
  const reply = Buffer.alloc(42);
  request.copy(reply, 0, 6, 12);
  own.copy(reply, 6);
  request.copy(reply, 12, 12, 20);
  reply.writeUInt16BE(2, 20);
  own.copy(reply, 22);
  request.copy(reply, 28, 38, 42);
  request.copy(reply, 32, 22, 32);
  return reply;
}

function finished(program: string, args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args);
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}

test("packet sockets", { timeout: 120_000 }, async (t) => {
  ip(`netns add ${HOST}
    link add ${OURS} type veth peer name far netns ${HOST}
    link set ${OURS} up
    -n ${HOST} link set far up
    -n ${HOST} addr add 192.0.2.1/24 dev far
    -n ${HOST} addr add 2001:db8::1/64 dev far nodad`);
  t.after(() => ip(`netns del ${HOST}`));

  await t.test("an ARP request over the cable is received and answered", async () => {
    const seen: string[] = [];
    const own = hardwareAddress(OURS);
    const socket = new PacketSocket({
      linkIndex: linkIndex(OURS),
      receive: "arp",
      onFrames: (frames) => {
        for (const frame of frames) seen.push(frame.toString("hex", 38, 42));
        socket.send(frames.map((frame) => answer(frame, own)));
      },
      onError: (error) => assert.fail(error),
    });
    const result = await finished("ip", [
      ..."netns exec".split(" "),
      HOST,
      ..."arping -c 1 -w 5 -I far 192.0.2.77".split(" "),
    ]);
    socket.close();
    assert.equal(result.code, 0, result.output);
    assert.deepEqual([...new Set(seen)], ["c000024d"]);
  });

  await t.test("a neighbor solicitation for an address of nobody arrives", async () => {
    const first = Promise.withResolvers<Buffer>();
    const socket = new PacketSocket({
      linkIndex: linkIndex(OURS),
      receive: "neighborDiscovery",
      onFrames: (frames) => {
        // The kernel asks for addresses of its own as well while they are new (RFC 4862 section 5.4).
        const asked = frames.find((frame) => frame.toString("hex", 62, 78) === TARGET);
        if (asked !== undefined) first.resolve(Buffer.from(asked));
      },
      onError: first.reject,
    });
    const asking = finished("ip", [
      ..."netns exec".split(" "),
      HOST,
      ..."ping -6 -c 1 -W 0.2 2001:db8::77".split(" "),
    ]);
    const frame = await first.promise;
    socket.close();
    await asking;
    assert.equal(frame.readUInt16BE(12), 0x86dd);
    assert.equal(frame.readUInt8(54), 135);
  });

  await t.test("five workers come and go with an open socket", async () => {
    const source = `
      const { parentPort, workerData } = await import("node:worker_threads");
      const { PacketSocket } = await import(workerData.module);
      globalThis.socket = new PacketSocket({ linkIndex: workerData.linkIndex, receive: "arp",
        onFrames: () => {}, onError: (error) => { throw error; } });
      parentPort.postMessage("open");
      if (workerData.leaves) process.exit(0);`;
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: {
          module: new URL("./packet.ts", import.meta.url).href,
          linkIndex: linkIndex(OURS),
          leaves: round % 2 === 0,
        },
      });
      const ended = new Promise<number>((resolve, reject) => {
        worker.on("error", reject);
        worker.on("exit", resolve);
      });
      await new Promise((resolve) => worker.once("message", resolve));
      // Nobody has the address: the kernel asks for it at once, and ping fails.
      await finished("ip", ["netns", "exec", HOST, ..."ping -c 1 -W 0.1 192.0.2.77".split(" ")]);
      if (round % 2 === 1) await worker.terminate();
      await ended;
    }
  });

  await t.test("a link that is gone is ENODEV", () => {
    const open = () => new PacketSocket({ linkIndex: 999_999, receive: "arp", onFrames() {}, onError() {} });
    assert.throws(open, (error) => error instanceof SocketError && error.code === "ENODEV");
  });

  await t.test("a closed socket refuses and does not touch another one's descriptor", () => {
    const socket = new Socket(17, 3, 0);
    socket.close();
    socket.close();
    assert.throws(() => socket.name(), { name: "SocketError", code: "EBADF" });
  });
});
