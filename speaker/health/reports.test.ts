import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GossipError } from "../gossip/wire/error.ts";
import { HOLDS_MS, MOST_WORDS, type Report, Reports, type Word } from "./reports.ts";
import { decodeReport, encodeReport, isReport, portionsOf } from "./wire.ts";

const word = (id: number, isFailing: boolean, last = 1): Word => ({
  ...{ id, address: `10.0.0.${last}`, port: 80, isFailing },
});
const report = (number: number, words: readonly Word[], changes: Partial<Report> = {}): Report => ({
  ...{ node: "n1", run: 1, number, words },
  ...changes,
});
const fails = (reports: Reports, id = 7, node = "n1"): boolean => reports.isFailing(word(id, true), node);

test("what a node says of its endpoints holds, and is told to a pass once", () => {
  const reports = new Reports();
  assert.ok(reports.hear(report(1, [word(7, true), word(8, false)]), 0));
  assert.ok(fails(reports));
  assert.deepEqual([...reports.takeView().changed], [7]);
  assert.deepEqual([...reports.takeView().changed], []);
  assert.ok(!reports.hear(report(1, [word(7, false)]), 0), "the same again is no news");
  assert.ok(fails(reports));
});

test("nobody's word counts for another node's endpoint", () => {
  const reports = new Reports();
  reports.hear(report(1, [word(7, true)], { node: "n2" }), 0);
  assert.ok(!fails(reports));
  assert.ok(fails(reports, 7, "n2"));
});

test("the later word counts, in whatever order they come", () => {
  const reports = new Reports();
  assert.ok(reports.hear(report(2, [word(7, false)]), 0));
  assert.ok(reports.hear(report(1, [word(7, true), word(8, true)]), 0), "it was not heard before");
  assert.ok(!fails(reports, 7));
  assert.ok(fails(reports, 8));
});

test("another life of the speaker begins with all well, and the one before is not heard any more", () => {
  const reports = new Reports();
  reports.hear(report(900, [word(7, true)]), 0);
  reports.takeView();
  assert.ok(reports.hear(report(1, [], { run: 2 }), 0));
  assert.ok(!fails(reports));
  assert.deepEqual([...reports.takeView().changed], [7]);
  assert.ok(!reports.hear(report(901, [word(7, true)]), 0));
  assert.ok(!fails(reports));
});

test("what is not said again is forgotten: a node that hears nothing keeps the pod", () => {
  const reports = new Reports();
  reports.hear(report(1, [word(7, true), word(8, true)]), 0);
  reports.hear(report(2, [word(8, true)]), HOLDS_MS - 1);
  reports.takeView();
  reports.expire(HOLDS_MS);
  assert.ok(!fails(reports, 7));
  assert.ok(fails(reports, 8));
  assert.deepEqual([...reports.takeView().changed], [7]);
  reports.expire(3 * HOLDS_MS);
  assert.ok(reports.isEmpty);
});

test("a node's words are bounded", () => {
  const reports = new Reports();
  for (let number = 1; number <= 100; number += 1) {
    const words = Array.from({ length: 100 }, (_, at) => word(number * 100 + at, true));
    reports.hear(report(number, words), 0);
  }
  assert.equal(reports.takeView().changed.size, MOST_WORDS);
});

const words = fc.array(
  fc
    .record({
      id: fc.integer({ min: 0, max: 2 ** 27 - 1 }),
      address: fc.oneof(
        fc.integer({ min: 1, max: 254 }).map((last) => `10.1.2.${last}`),
        fc.constant("fd00::1"),
      ),
      port: fc.integer({ min: 1, max: 65_535 }),
      isFailing: fc.boolean(),
    })
    .map((one): Word => ({ ...one })),
  { maxLength: 300 },
);

test("portions fit into a message each, and come out as they went in, IPv4 first", () => {
  fc.assert(
    fc.property(words, fc.nat(2 ** 32 - 1), (all, number) => {
      const portions = portionsOf(all, "node-1");
      assert.deepEqual(portions.flat(), all);
      for (const portion of portions) {
        const one = report(number, portion, { node: "node-1", run: 1_790_000_000_000 });
        const bytes = encodeReport(one);
        assert.ok(bytes.length <= 1_200 && isReport(bytes));
        const isFirst = ({ address }: Word): boolean => !address.includes(":");
        const sorted = [...portion.filter(isFirst), ...portion.filter((other) => !isFirst(other))];
        assert.deepEqual(decodeReport(bytes), { ...one, words: sorted });
      }
    }),
    { numRuns: 50 },
  );
});

test("what is cut, changed or no report at all is refused or read, and nothing else", () => {
  const sound = encodeReport(report(1, [word(7, true), word(8, false)]));
  for (let length = 0; length < sound.length; length += 1)
    assert.throws(() => decodeReport(sound.subarray(0, length)), GossipError);
  assert.throws(() => decodeReport(Buffer.concat([sound, Buffer.of(0)])), GossipError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const octets of [bytes, Buffer.concat([sound.subarray(0, 3), bytes])]) {
        try {
          decodeReport(octets);
        } catch (error) {
          assert.ok(error instanceof GossipError);
        }
      }
    }),
  );
});
