import assert from "node:assert/strict";
import { test } from "node:test";
import { FormerAddresses } from "./former-addresses.ts";

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const time = (second: number): string => at(second).toISOString().replace(".000Z", "Z");
const own = (number: number, since = 0) => ({
  address: `192.0.2.${number}`,
  service: "default/web",
  links: ["eth0"],
  since: time(since),
  reason: "no other node had it, as far as is known here",
});
const shown = (
  record: ReturnType<FormerAddresses["next"]>,
): (readonly [string, string | undefined, string])[] =>
  record.map(({ address, since, until }) => [address, since, until]);

test("what a node gives up is in the record, with since when, until when and why; what it keeps is not", () => {
  const former = new FormerAddresses();
  assert.deepEqual(former.next([own(1), own(2)], at(0)), []);
  assert.deepEqual(former.next([own(1)], at(30)), [
    {
      address: "192.0.2.2",
      service: "default/web",
      since: time(0),
      until: time(30),
      reason: "no other node had it, as far as is known here",
    },
  ]);
  const again = former.next([own(1), own(2, 40)], at(40));
  assert.equal(former.next([own(1), own(2, 40)], at(50)), again, "nothing changed, so nothing is written");
  assert.deepEqual(shown(former.next([], at(60))), [
    ["192.0.2.2", time(0), time(30)],
    ["192.0.2.1", time(0), time(60)],
    ["192.0.2.2", time(40), time(60)],
  ]);
});

test("a speaker that starts again goes on with the record, and gives up what it does not have back in ten seconds", () => {
  const former = new FormerAddresses();
  former.inherit(
    {
      node: "n1",
      addresses: [own(1), own(2)],
      formerAddresses: [{ address: "192.0.2.9", until: time(1) }],
    },
    at(100),
  );
  assert.deepEqual(shown(former.next([], at(101))), [["192.0.2.9", undefined, time(1)]]);
  assert.deepEqual(shown(former.next([own(1, 102)], at(102))), [["192.0.2.9", undefined, time(1)]]);
  assert.deepEqual(shown(former.next([own(1, 102)], at(110))), [
    ["192.0.2.9", undefined, time(1)],
    ["192.0.2.2", time(0), time(110)],
  ]);
});

test("the record holds 200, the latest, and survives what somebody wrote into it", () => {
  const former = new FormerAddresses();
  former.inherit({ node: "n1", addresses: "x", formerAddresses: 7 } as never, at(0));
  for (let round = 0; round < 500; round += 1) former.next(round % 2 === 0 ? [own(1, round)] : [], at(round));
  const record = former.next([], at(600));
  assert.equal(record.length, 200);
  assert.equal(record.at(-1)?.until, time(499));
});
