/** Questions, answers, and what is said of them. test/layer2/paths.test.ts does the same with real kernels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { internetChecksum } from "../checksum.ts";
import { decodeAdvertised, decodeEchoReply, encodeEcho, encodeSolicitation } from "./packet.ts";
import { type Answer, PathTally } from "./tally.ts";
import { pathPeers } from "./ways.ts";

test("an echo has the length that was asked for, and a checksum where the kernel makes none", () => {
  const four = encodeEcho("IPv4", { identifier: 7, sequence: 9, bytes: 1_500 });
  assert.deepEqual([four.length, internetChecksum(four)], [1_480, 0]);
  assert.equal(encodeEcho("IPv6", { identifier: 7, sequence: 9, bytes: 1_500 }).length, 1_460);
});

test("only answers to ourselves are taken", () => {
  const header = Buffer.alloc(20);
  const reply = encodeEcho("IPv4", { identifier: 7, sequence: 9, bytes: 64 });
  reply[0] = 0;
  assert.equal(decodeEchoReply("IPv4", Buffer.concat([header, reply]), 7), 9);
  assert.equal(decodeEchoReply("IPv4", Buffer.concat([header, reply]), 8), undefined);
  const six = encodeEcho("IPv6", { identifier: 7, sequence: 9, bytes: 64 });
  assert.equal(decodeEchoReply("IPv6", six, 7), undefined, "a question is no answer");
  six[0] = 129;
  assert.equal(decodeEchoReply("IPv6", six, 7), 9);
});

test("an advertisement says whose it is", () => {
  const target = Buffer.from("fd300000000000000000000000000002", "hex");
  const asked = encodeSolicitation(target, Buffer.from("020000000001", "hex"));
  assert.deepEqual([asked.length, decodeAdvertised(asked)], [32, undefined]);
  asked[0] = 136;
  assert.equal(decodeAdvertised(asked), "fd30::2");
});

test("noise is no answer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      decodeAdvertised(Buffer.from(noise));
      for (const family of ["IPv4", "IPv6"] as const) decodeEchoReply(family, Buffer.from(noise), 7);
    }),
  );
});

const LARGE: Answer = {
  node: "b",
  address: "172.30.0.2",
  kind: "large",
  bytes: 1_500,
  hasSmall: true,
  has: true,
};
const GROUP: Answer = { ...LARGE, kind: "multicast", address: "fd30::2" };
const lost = (answer: Answer): Answer => ({ ...answer, has: false });
const rounds = (tally: PathTally, count: number, ...answers: Answer[]) => {
  for (let at = 0; at < count; at += 1) tally.see(answers);
  return tally.trouble;
};

test("five lost in a row are named, with the node and the size; three that arrive take it back", () => {
  const tally = new PathTally();
  assert.equal(rounds(tally, 4, lost(LARGE)), undefined);
  assert.ok(tally.isInDoubt);
  const trouble = rounds(tally, 1, lost(LARGE));
  assert.equal(trouble?.reason, "LargePacketsLost");
  assert.match(trouble.message, /MTU .* too small: packets of 1500 bytes.* do not reach b \(172\.30\.0\.2\)/);
  assert.ok(!tally.isInDoubt);
  assert.ok(rounds(tally, 2, LARGE));
  assert.ok(rounds(tally, 1, lost(LARGE)));
  assert.equal(rounds(tally, 3, LARGE), undefined);
});

test("one that arrives in between says that it is loss, and no rule", () => {
  const tally = new PathTally();
  for (let at = 0; at < 20; at += 1)
    assert.equal(rounds(tally, 4, lost(LARGE)) ?? rounds(tally, 1, LARGE), undefined);
});

test("of a node that answers nothing nothing is said, and what was said of it stays until it is asked no more", () => {
  const silent = { ...lost(LARGE), hasSmall: false };
  assert.equal(rounds(new PathTally(), 99, silent), undefined);
  const tally = new PathTally();
  assert.ok(rounds(tally, 5, lost(LARGE)));
  assert.ok(rounds(tally, 9, silent));
  assert.equal(rounds(tally, 1), undefined);
});

test("multicast has a reason of its own, and both are said", () => {
  const trouble = rounds(new PathTally(), 5, LARGE, lost(GROUP));
  assert.equal(trouble?.reason, "MulticastLost");
  assert.match(trouble.message, /multicast does not reach b \(fd30::2\).*MLD snooping/);
  const both = rounds(new PathTally(), 5, lost(LARGE), lost(GROUP));
  assert.match(both?.message ?? "", /1500 bytes.*; MulticastLost: /);
});

test("each node asks the three after it, and is asked by three", () => {
  const nodes = new Map(["a", "b", "c", "d", "e"].map((name) => [name, { addresses: { IPv4: name } }]));
  const asked = [...nodes.keys()].flatMap((name) =>
    pathPeers(name, nodes, [...nodes.keys()]).map((peer) => `${name}${peer.name}`),
  );
  assert.equal(asked.length, 15);
  assert.deepEqual(asked.slice(-3), ["ea", "eb", "ec"]);
  for (const name of nodes.keys()) assert.equal(asked.filter((pair) => pair.endsWith(name)).length, 3);
});
