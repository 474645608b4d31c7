import assert from "node:assert/strict";
import { test } from "node:test";
import { attribute } from "./attribute.ts";
import { DecodeError, u16, u32 } from "./bytes.ts";
import { decodeTraffic } from "./ipvs-traffic.ts";

const counted = (value: bigint): Buffer => Buffer.from(BigUint64Array.of(value).buffer);
/** As the kernel nests them: IPVS_CMD_ATTR_SERVICE, in it family, mark and IPVS_SVC_ATTR_STATS64. */
const payload = (parts: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([1, 1, 0, 0]), attribute(1, Buffer.concat(parts))]);
const family = attribute(1, u16.encode(10));
const mark = attribute(5, u32.encode(0x1388));
const statistics = attribute(
  12,
  Buffer.concat([
    attribute(1, counted(3n)),
    attribute(2, counted(5n)),
    attribute(3, counted(7n)),
    attribute(4, counted(0x1_0000_0002n)),
  ]),
);

test("connections, packets and bytes that came in, past 32 bits; what went out is in no count", () => {
  assert.deepEqual(decodeTraffic(payload([family, mark, statistics])), {
    family: 10,
    mark: 0x1388,
    connections: 3,
    packets: 5,
    bytes: 2 ** 32 + 2,
  });
});

test("a service that is found by address, and one without counts, say nothing", () => {
  assert.equal(decodeTraffic(payload([family, statistics])), undefined);
  assert.equal(decodeTraffic(payload([family, mark])), undefined);
});

test("counts that are cut are refused", () => {
  const cut = attribute(12, attribute(1, Buffer.alloc(4)));
  assert.throws(() => decodeTraffic(payload([mark, cut])), DecodeError);
});
