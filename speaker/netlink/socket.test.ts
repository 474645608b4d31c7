/** Batches against a kernel that refuses some, and against one whose answers get lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketError } from "#speaker/native/socket.ts";
import { writeU32 } from "./bytes.ts";
import { decodeMessages, encodeMessage, FLAG, TYPE } from "./header.ts";
import { type Endpoint, NetlinkSocket, type Request } from "./socket.ts";

const EINVAL = 22;
const lost = () =>
  new SocketError({ syscall: "recv", code: "ENOBUFS", errno: 105, message: "No buffer space available" });

/**
 * Refuses messages whose payload begins with 1. `room`: so many answers fit into the socket's buffer; the kernel drops
 * the others and says so once (netlink(7)).
 */
class FakeEndpoint {
  readonly #answers: Buffer[] = [];
  readonly #room: number;
  #isLost = false;
  sent = 0;

  constructor(room: number) {
    this.#room = room;
  }

  send([bytes = Buffer.alloc(0)]: readonly Buffer[]): number {
    for (const { flags, sequence, payload } of decodeMessages(bytes)) {
      this.sent += 1;
      const isRefused = payload.readUInt8(0) === 1;
      if (!isRefused && (flags & FLAG.ack) === 0) continue;
      if (this.#answers.length >= this.#room) {
        this.#isLost = true;
        continue;
      }
      const body = Buffer.alloc(20);
      writeU32(body, isRefused ? -EINVAL >>> 0 : 0, 0);
      this.#answers.push(encodeMessage({ type: TYPE.error, flags: 0, sequence, payload: body }));
    }
    return 1;
  }

  receive(buffer: Buffer): number | undefined {
    if (this.#isLost) {
      this.#isLost = false;
      throw lost();
    }
    return this.#answers.shift()?.copy(buffer);
  }

  setOption(): void {}
  bind(): void {}
  close(): void {}
}

function world(room = Number.POSITIVE_INFINITY) {
  const endpoint = new FakeEndpoint(room);
  const socket = new NetlinkSocket(16, { written: 0 }, () => endpoint as unknown as Endpoint);
  return { endpoint, socket };
}
const request = (index: number, isBad: boolean): Request => ({
  type: 30,
  payload: Buffer.from([isBad ? 1 : 0, 0, 0, 0]),
  attempt: `add ${index}`,
});
const requests = (count: number, bad: readonly number[]): Request[] =>
  Array.from({ length: count }, (_, index) => request(index, bad.includes(index)));

test("a batch says which of its requests were refused; all others were made", () => {
  const { endpoint, socket } = world();
  const bad = [0, 7, 19_999];
  const refused = socket.batch(requests(20_000, bad));
  assert.deepEqual(
    refused.map(({ index, error }) => [index, error.message]),
    bad.map((index) => [index, `add ${index}: EINVAL`]),
  );
  assert.equal(endpoint.sent, 20_000);
});

test("answers that get lost stop nothing: what is known is told, and the next batch starts clean", () => {
  const { endpoint, socket } = world(2);
  const refused = socket.batch(requests(10, [1, 2, 3, 4]));
  assert.deepEqual(
    refused.map(({ index }) => index),
    [1, 2],
  );
  assert.equal(endpoint.sent, 10);
  assert.deepEqual(socket.batch(requests(10, [])), []);
});

test("a single change without an answer is an error", () => {
  assert.throws(() => world(0).socket.change(request(0, false)), { name: "NetlinkError", code: "EAGAIN" });
  assert.throws(() => world().socket.change(request(0, true)), { name: "NetlinkError", code: "EINVAL" });
});

test("a transaction without an answer is an error", () => {
  const frame = request(9, false);
  const { socket } = world(0);
  assert.throws(() => socket.transaction(frame, requests(3, []), frame), { code: "EAGAIN" });
  world().socket.transaction(frame, requests(3, []), frame);
});
