import assert from "node:assert/strict";
import { test } from "node:test";
import type { Piece } from "./audit.ts";
import { Auditor } from "./auditor.ts";

/** How long one piece of each kind takes, and how many pieces there are. */
interface Kernel {
  readonly servers: number;
  readonly serverMs: number;
  readonly listPieces: number;
  readonly setPieces: number;
}

/** An auditor over a kernel whose answers take time, after so many milliseconds. */
function after(ms: number, kernel: Kernel, isTouchedEachSlice = false) {
  let now = 0;
  const clock = { now: () => now };
  const times = { lists: 0, sets: 0, held: 0 };
  let epoch = 0;
  function* pieces(count: number, each: number): Generator<Piece> {
    for (let at = 0; at < count; at += 1) {
      now += each;
      yield;
    }
  }
  const auditor = new Auditor({
    clock,
    epoch: () => epoch,
    audit: {
      size: kernel.servers,
      *services() {
        yield* pieces(kernel.listPieces, 1);
        times.lists += 1;
      },
      *elements() {
        yield* pieces(kernel.setPieces, 1);
        times.sets += 1;
      },
      *destinations() {
        yield* pieces(kernel.servers, kernel.serverMs);
      },
      *routes() {},
    },
  });
  while (now < ms) {
    now += auditor.pauseMs;
    if (isTouchedEachSlice) epoch += 1;
    const startedAt = now;
    auditor.slice();
    times.held = Math.max(times.held, now - startedAt);
  }
  return { auditor, ...times };
}

const FEW: Kernel = { servers: 100, serverMs: 0.02, listPieces: 1, setPieces: 1 };
/** 10,000 Services of ten pods each, on a processor of our own. */
const MANY: Kernel = { servers: 110_000, serverMs: 0.025, listPieces: 300, setPieces: 400 };

test("what is few is looked at every few seconds", () => {
  const { auditor, lists } = after(60_000, FEW);
  assert.ok((auditor.lastRound?.endedAt ?? 0) > 55_000);
  assert.ok(lists >= 18, `${lists} lists`);
});

test("of what is many, a list that takes longer than the time to the next one leaves half of it for the rest", () => {
  const { auditor, lists } = after(240_000, MANY);
  const { tookMs = Number.NaN } = auditor.lastRound ?? {};
  assert.ok(tookMs <= 60_000, `a round took ${tookMs} ms`);
  assert.ok(lists >= 20, `${lists} lists`);
});

test("so does somebody who changes nftables all the time", () => {
  const { auditor, sets } = after(240_000, MANY, true);
  const { tookMs = Number.NaN } = auditor.lastRound ?? {};
  assert.ok(tookMs <= 90_000, `a round took ${tookMs} ms`);
  assert.ok(sets >= 10, `all sets were looked at ${sets} times`);
});

test("no slice holds the thread longer than 10 ms", () => assert.ok(after(120_000, MANY).held <= 10));
