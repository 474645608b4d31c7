import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { until } from "#test/until.ts";
import { DatagramReceiver, DatagramSender, ThreadTimer } from "./datagram.ts";
import { endpointOf } from "./sockaddr.ts";

/** One that nobody else has, most likely; the next ones are tried, too. */
const PORT = 20_000 + (process.pid % 20_000);

for (const { family, address } of [
  { family: "IPv4", address: "127.0.0.1" },
  { family: "IPv6", address: "::1" },
] as const) {
  test(`${family}: a datagram comes with its sender, the hops that it had left, and its link`, async () => {
    let wakeups = 0;
    const receiver = new DatagramReceiver({ family, address, ports: [PORT] }, () => {
      wakeups += 1;
    });
    const ports = Array.from({ length: 16 }, (_, at) => 49_152 + ((process.pid + at) % 16_000));
    const sender = new DatagramSender({ family, address, ports, to: { address, port: PORT }, hops: 200 });
    try {
      sender.send(Buffer.from("hello"));
      sender.send(Buffer.alloc(100, 7));
      await until("two datagrams", () => wakeups > 0);
      assert.equal(receiver.read(), 2);
      assert.equal(receiver.read(), 0);
      const [first, second] = receiver.datagrams;
      assert.equal(first?.payload.toString("utf8", 0, first.length), "hello");
      assert.deepEqual(
        [first?.hops, (first?.link ?? 0) > 0, endpointOf(first?.from ?? Buffer.alloc(28)).address],
        [200, true, address],
      );
      assert.ok(ports.includes(endpointOf(first?.from ?? Buffer.alloc(28)).port));
      assert.deepEqual([second?.length, second?.payload.length], [100, 64]);
    } finally {
      sender.close();
      receiver.close();
    }
  });
}

test("a port that another has is refused; of several the first free one is taken", () => {
  const options = { family: "IPv4", address: "127.0.0.1", ports: [PORT] } as const;
  const first = new DatagramReceiver(options, () => {});
  assert.throws(() => new DatagramReceiver(options, () => {}), { code: "EADDRINUSE" });
  const second = new DatagramReceiver({ ...options, ports: [PORT, PORT + 1] }, () => {});
  first.close();
  second.close();
});

test("the timer fires once an arming, not before its time; arming again replaces", async () => {
  const firedAt: number[] = [];
  const timer = new ThreadTimer(() => {
    firedAt.push(systemClock.now());
    timer.arm(Number.POSITIVE_INFINITY);
  });
  const start = systemClock.now();
  timer.arm(5);
  timer.arm(30);
  await until("the timer", () => firedAt.length > 0);
  assert.ok((firedAt[0] ?? 0) - start >= 30);
  timer.arm(0);
  await until("the next", () => firedAt.length > 1);
  assert.equal(firedAt.length, 2);
  timer.close();
});
