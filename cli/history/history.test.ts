import assert from "node:assert/strict";
import { test } from "node:test";
import { history, staysOf } from "#cli/history/command.ts";
import { lease, service, snapshot } from "#cli/testing/snapshot.ts";

const VIP = "172.30.0.100";
const time = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const report = (number: number, status: object) => ({
  metadata: { name: `n${number}`, namespace: "genkan-system" },
  status,
});
const had = (since: number, until: number, reason: string) => ({
  address: VIP,
  service: "default/web",
  since: time(since),
  until: time(until),
  reason,
});
const has = (since: number, reason: string) => ({ address: VIP, since: time(since), reason });
const shot = (parts: object) => snapshot({ services: [service("web", VIP, 1)], ...parts });

test("stays of all nodes in the order of time, with why, for how long, and how long nobody had the address", () => {
  const found = staysOf(
    shot({
      speakers: [
        report(1, { formerAddresses: [had(0, 10, "first"), had(30, 40, "elected")], addresses: [] }),
        report(2, { formerAddresses: [had(12, 30, "n1 left")], addresses: [has(41, "n1 fell silent")] }),
        report(3, { addresses: [{ ...has(1, "other"), address: "172.30.0.101" }] }),
      ],
    }),
    VIP,
  );
  assert.deepEqual(
    found.map(({ node, lasted, without, reason, until }) => [node, lasted, without, reason, until]),
    [
      ["n1", 10, undefined, "first", time(10)],
      ["n2", 18, 2, "n1 left", time(30)],
      ["n1", 10, 0, "elected", time(40)],
      ["n2", 19, 1, "n1 fell silent", undefined],
    ],
  );
});

test("a dead speaker's last word is over when another node has the address", () => {
  const speakers = [
    report(1, { addresses: [has(0, "first")] }),
    report(2, { addresses: [has(20, "n1 fell silent")] }),
  ];
  const leases = [lease(1, { silentSeconds: 60 }), lease(2)];
  const [before, now] = staysOf(shot({ speakers, leases }), VIP);
  assert.deepEqual([before?.until, before?.lasted, now?.until, now?.lasted], [time(20), 20, undefined, 40]);
});

test("a speaker that was killed and started again gave the address up when another node had it", () => {
  const speakers = [
    report(1, { formerAddresses: [had(0, 45, "first")] }),
    report(2, { addresses: [has(20, "n1 fell silent")] }),
  ];
  const [before, now] = staysOf(shot({ speakers }), VIP);
  assert.deepEqual([before?.until, before?.lasted, now?.without], [time(20), 20, 0]);
});

test("as a table; of an address the last hundred; of a Service that is not there an error", () => {
  const formerAddresses = Array.from({ length: 150 }, (_, at) => ({
    ...had(0, 1, `move ${at}`),
    since: new Date(Date.UTC(2025, 0, 1, 0, at)).toISOString(),
    until: new Date(Date.UTC(2025, 0, 1, 0, at, 59)).toISOString(),
  }));
  const { text, value, exitCode } = history(
    shot({ speakers: [report(1, { formerAddresses })] }),
    "default/web",
  );
  const { stays } = value as { readonly stays: readonly { readonly reason: string }[] };
  assert.deepEqual([stays.length, stays[0]?.reason, exitCode], [100, "move 50", 0]);
  assert.match(
    text,
    /^ADDRESS +NODE +SINCE +FOR +WITHOUT OWNER BEFORE +WHY\n172\.30\.0\.100 +n1 +2025.* 59s +1s +move 50\n/,
  );
  assert.match(history(shot({}), "default/web").text, /No node has answered/);
  assert.throws(() => history(shot({}), "default/none"), { code: "NO_SERVICE" });
});
