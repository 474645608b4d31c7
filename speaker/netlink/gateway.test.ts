/** Default routes as Linux 6.18 answers with them (RTM_GETROUTE, RTM_F_FIB_MATCH). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "./bytes.ts";
import { decodeGateway, type Gateway } from "./route.ts";

const HEAD4 = "02000000fe0300010000000008000f00fe000000";
const HEAD6 = "0a000000fe0300010000000008000f00fe000000";

const ANSWERS: readonly [what: string, hex: string, expected: Gateway | undefined][] = [
  [
    "default via 10.1.0.1 dev d0 metric 7",
    `${HEAD4}0800060007000000080005000a0100010800040003000000`,
    { address: "10.1.0.1", link: 3 },
  ],
  [
    "default via fe80::1 dev d0",
    `${HEAD6}080006000004000014000500fe8000000000000000000000000000010800040003000000`,
    { address: "fe80::1", link: 3 },
  ],
  [
    "default nexthop via 10.1.0.8 nexthop via 10.1.0.7",
    `${HEAD4}240009001000000003000000080005000a0100081000000003000000080005000a010007`,
    { address: "10.1.0.7", link: 3 },
  ],
  [
    "default nexthop via fe80::9 dev d0 nexthop via fe80::8 dev d0",
    `${HEAD6}08000600000400003c0009001c0000000300000014000500fe8000000000000000000000000000091c0000000300000014000500fe800000000000000000000000000008`,
    { address: "fe80::8", link: 3 },
  ],
  ["default dev d0, with no gateway at all", `${HEAD4}0800040003000000`, undefined],
  [
    "240.0.0.0/4 via 10.1.0.3, which is no default route",
    "02040000fe0300010000000008000f00fe00000008000100f0000000080005000a0100030800040003000000",
    undefined,
  ],
];
for (const [what, hex, expected] of ANSWERS) {
  test(what, () => assert.deepEqual(decodeGateway(Buffer.from(hex, "hex")), expected));
}

test("an answer that is cut short is no route", () => {
  assert.throws(() => decodeGateway(Buffer.alloc(4)), DecodeError);
  const short = Buffer.from(`${HEAD4}0c000900ff00000003000000`, "hex");
  assert.throws(() => decodeGateway(short), DecodeError);
});
