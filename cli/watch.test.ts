import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, EXIT } from "#cli/answer.ts";
import type { Format } from "#cli/rendered.ts";
import { watch } from "#cli/watch.ts";
import { FakeClock } from "#test/fakes/clock.ts";

type Look = Answer | Error;
const answer = (text: string, state: string, exitCode: Answer["exitCode"] = EXIT.well): Answer => ({
  ...{ text: `${text}\n`, value: { state }, exitCode },
});

/** What is printed while these are the answers, two seconds apart; the last one stays. */
async function played(looks: readonly Look[], format: Format, isTerminal: boolean) {
  const clock = new FakeClock();
  const end = new AbortController();
  const out: string[] = [];
  const told: string[] = [];
  let asked = 0;
  const watching = watch(
    {
      look: async () => {
        const next = looks[Math.min(asked, looks.length - 1)];
        asked += 1;
        if (next instanceof Error) throw next;
        return next ?? answer("", "");
      },
      ...{ format, isTerminal, clock },
      print: (text) => void out.push(text),
      complain: (text) => void told.push(text),
    },
    end.signal,
  );
  for (let round = 0; round < looks.length; round += 1) await clock.advance(2_000);
  end.abort();
  const code = await watching;
  return { out, told, asked, code };
}

const LOOKS: readonly Look[] = [
  answer("web 1 s", "a"),
  answer("web 3 s", "a"),
  new Error("API server away"),
  new Error("API server away"),
  answer("web 9 s", "b", EXIT.notWell),
];

test("programs get one document for each change, in a line of its own; ages are none", async () => {
  const { out, told, code } = await played(LOOKS, "json", false);
  assert.deepEqual(out, ['{"state":"a"}\n', '{"state":"b"}\n']);
  assert.deepEqual(told, ["API server away\n"]);
  assert.equal(code, EXIT.notWell);
  assert.deepEqual((await played(LOOKS, "yaml", false)).out, ["---\nstate: a\n", "---\nstate: b\n"]);
});

test("a terminal is drawn anew when anything on it is different; a file gets what changed", async () => {
  const wipe = "\u001b[H\u001b[2J";
  assert.deepEqual((await played(LOOKS, "table", true)).out, [
    `${wipe}web 1 s\n`,
    `${wipe}web 3 s\n`,
    `${wipe}web 9 s\n`,
  ]);
  assert.deepEqual((await played(LOOKS, "table", false)).out, ["web 1 s\n", "web 9 s\n"]);
});

test("who cannot be asked at the beginning is an error, as without --watch", async () => {
  const nothing = (): void => undefined;
  const watching = watch(
    {
      look: async () => {
        throw new Error("no such kind");
      },
      ...{ format: "table", isTerminal: false, clock: new FakeClock(), print: nothing, complain: nothing },
    },
    new AbortController().signal,
  );
  await assert.rejects(watching, /no such kind/);
});
