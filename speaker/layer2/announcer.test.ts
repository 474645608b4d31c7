import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#common/log.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { Announcer, type WorkerLike } from "./announcer.ts";
import type { Conflict, FromWorker, LinkIdentity, Rules, ToWorker } from "./messages.ts";

const LINK: LinkIdentity = { name: "eth0", index: 7, hardware: "02000000000b" };
const RULES: Rules = { own: [LINK.hardware], members: ["02000000000c"], addressConflict: "yield" };
const wanted = (...vips: string[]) => new Map([["eth0", new Set(vips)]]);

/** `isSlow`: a worker says that it is ready only when the test says so for it. */
function world({ isSlow = false } = {}) {
  const clock = new FakeClock();
  const got: ToWorker[][] = [];
  const told: Conflict[] = [];
  const overlaps: string[] = [];
  let ended = 0;
  const workers: { say(message: FromWorker): void; exit(): void }[] = [];
  const spawn = (): WorkerLike => {
    const own: ToWorker[] = [];
    got.push(own);
    const listeners = new Map<string, (value: never) => void>();
    workers.push({
      say: (message) => listeners.get("message")?.(message as never),
      exit: () => listeners.get("exit")?.(1 as never),
    });
    return {
      postMessage(message) {
        own.push(message);
        if (message.type !== "update") return;
        const { sequence } = message;
        listeners.get("message")?.({ type: "done", sequence, problems: [] } as never);
      },
      on: (event: string, listener: (value: never) => void) => {
        listeners.set(event, listener);
        if (event === "message" && !isSlow) listener({ type: "ready" } as never);
      },
      terminate: async () => {
        ended += 1;
        return 0;
      },
    };
  };
  const announcer = new Announcer({
    clock,
    log: silentLogger,
    spawn,
    onTrouble() {},
    onConflicts: (conflicts) => told.push(...conflicts),
    onOverlaps: (vips) => overlaps.push(...vips),
  });
  return { announcer, clock, got, told, overlaps, workers, ended: () => ended };
}

describe("announcer", () => {
  test("a worker knows the rules before any address, a new one too; equal rules are told once", async () => {
    const { announcer, got, workers } = world();
    announcer.rule(RULES);
    assert.equal(got.length, 0, "no worker only for rules");
    await announcer.set([LINK], wanted("192.0.2.1"));
    announcer.rule({ ...RULES });
    announcer.rule({ ...RULES, members: [] });
    workers[0]?.exit();
    await announcer.set([LINK], wanted("192.0.2.1"));
    assert.deepEqual(
      got.map((messages) => messages.map(({ type }) => type)),
      [
        ["rule", "update", "rule"],
        ["rule", "update"],
      ],
    );
    assert.deepEqual(got[1]?.[0], { type: "rule", rules: { ...RULES, members: [] } });
  });

  test("a worker that starts slowly is left to start, and is asked nothing until it has", async () => {
    const { announcer, clock, got, workers, ended } = world({ isSlow: true });
    const first = announcer.set([LINK], wanted("192.0.2.1"));
    const failed = assert.rejects(first, { code: "WorkerStarting" });
    await clock.advance(5_000);
    await failed;
    const second = announcer.set([LINK], wanted("192.0.2.2"));
    workers[0]?.say({ type: "ready" });
    await second;
    assert.deepEqual([workers.length, ended()], [1, 0]);
    assert.deepEqual(
      got[0]?.flatMap((message) => (message.type === "update" ? message.add : [])),
      [{ link: "eth0", vip: "192.0.2.2" }],
      "what was given up meanwhile is not announced",
    );
    assert.equal(clock.pending, 0);
  });

  test("a worker that never starts is ended, and another one is started", async () => {
    const { announcer, clock, workers, ended } = world({ isSlow: true });
    for (let at = 0; at < 13; at += 1) {
      const failed = assert.rejects(announcer.set([LINK], wanted("192.0.2.1")), { name: "AnnouncerError" });
      await clock.advance(5_000);
      await failed;
    }
    assert.deepEqual([workers.length, ended()], [2, 1]);
    const failed = assert.rejects(announcer.set([LINK], wanted("192.0.2.1")), { code: "WorkerEnded" });
    await announcer.close();
    await failed;
    assert.equal(clock.pending, 0);
  });

  test("passes on which addresses other nodes announce, too", async () => {
    const { announcer, overlaps, workers } = world();
    await announcer.set([LINK], wanted("192.0.2.1"));
    workers[0]?.say({ type: "overlaps", vips: ["192.0.2.1"] });
    assert.deepEqual(overlaps, ["192.0.2.1"]);
  });

  test("knows what is contested until it is over, is given up, or the worker ends", async () => {
    const { announcer, told, workers } = world();
    const conflict = (vip: string, state: Conflict["state"]): Conflict => ({
      link: "eth0",
      vip,
      station: "5254000000ff",
      state,
    });
    const say = (...conflicts: Conflict[]): unknown => workers[0]?.say({ type: "conflicts", conflicts });
    const vips = (): string[] => announcer.contested().map(({ vip }) => vip);
    await announcer.set([LINK], wanted("192.0.2.1", "192.0.2.2", "192.0.2.3"));
    say(...["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((vip) => conflict(vip, "defended")));
    say(conflict("192.0.2.1", "over"));
    assert.deepEqual(vips(), ["192.0.2.2", "192.0.2.3"]);
    await announcer.set([LINK], wanted("192.0.2.1", "192.0.2.3"));
    const before = told.length;
    say(conflict("192.0.2.2", "yielded"));
    assert.deepEqual([vips(), told.length], [["192.0.2.3"], before], "it was on its way when we gave it up");
    workers[0]?.exit();
    assert.deepEqual(vips(), []);
  });
});
