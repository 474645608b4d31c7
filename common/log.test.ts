import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "#api/log-level.ts";
import { createLogger } from "#common/log.ts";

/** What a logger writes, line by line. */
function recording(options: { level: LogLevel; format?: "json" | "text" }) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).trimEnd().split("\n"));
      done();
    },
  });
  return { lines, log: createLogger({ format: "json", ...options, stream, fields: { role: "test" } }) };
}

test("a record is one line of JSON with time, level, message and fields", () => {
  const { lines, log } = recording({ level: "info" });
  log.child({ pool: "web" }).info("IP address assigned", { event: "ipAllocated", ip: "172.22.0.201" });
  const { time, ...record } = JSON.parse(lines[0] ?? "");
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(record, {
    level: "info",
    msg: "IP address assigned",
    role: "test",
    pool: "web",
    event: "ipAllocated",
    ip: "172.22.0.201",
  });
  assert.match(lines[0] ?? "", /^\{"event":"ipAllocated","time":/);
});

test("errors are written out with their causes, wherever they are; bigints don't break the line", () => {
  const { lines, log } = recording({ level: "info" });
  const cause = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
  log.error("failed", {
    error: new TypeError("list services", { cause }),
    nested: { error: cause },
    big: 7n,
  });
  const record = JSON.parse(lines[0] ?? "");
  assert.equal(record.error.name, "TypeError");
  assert.equal(record.error.cause.code, "ECONNREFUSED");
  assert.equal(record.nested.error.message, "connection refused");
  assert.equal(record.big, "7");
  assert.equal(lines.length, 1);
});

test("a level that changes counts from the next record on, for those made before, too; debug bounds nothing", () => {
  const { lines, log } = recording({ level: "info" });
  const child = log.child({ part: "bgp" });
  const said = (times: number): number => {
    const before = lines.length;
    for (let at = 0; at < times; at += 1) child.debug("again", { event: "same" });
    return lines.length - before;
  };
  assert.equal(said(1), 0);
  log.setLevel("debug");
  assert.equal(said(1_000), 1_000);
  log.setLevel("none");
  child.error("nothing");
  log.error("nothing");
  log.setLevel("info");
  assert.equal(said(1), 0);
  child.info("something");
  assert.equal(lines.length, 1_001);
});

for (const [level, count] of [
  ["all", 4],
  ["debug", 4],
  ["info", 3],
  ["warn", 2],
  ["error", 1],
  ["none", 0],
] as const) {
  test(`level ${level} writes ${count} of four records`, () => {
    const { lines, log } = recording({ level });
    let built = 0;
    const fields = {
      get costly() {
        built += 1;
        return 1;
      },
    };
    for (const severity of ["debug", "info", "warn", "error"] as const) log[severity]("message", fields);
    assert.equal(lines.length, count);
    assert.equal(built, count, "a suppressed record is not built");
  });
}

test("the text form is one readable line", () => {
  const { lines, log } = recording({ level: "info", format: "text" });
  log.warn("no contact", { node: "node1", why: "timed out" });
  assert.match(
    lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}no contact role=test node=node1 why="timed out"$/,
  );
});

test("only the names of the API are levels", () => {
  for (const level of LOG_LEVELS) assert.equal(parseLogLevel(level), level);
  assert.equal(parseLogLevel("INFO"), undefined);
  assert.equal(parseLogLevel(""), undefined);
});

test("one cause has so many records in a minute, and then a line that says how many were left out", () => {
  let now = 0;
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).trimEnd().split("\n"));
      done();
    },
  });
  const log = createLogger({ level: "info", format: "json", stream, now: () => now });
  for (let at = 0; at < 6_000; at += 1) log.warn("cannot write to Service", { service: `a/${at}` });
  for (let at = 0; at < 3_000; at += 1) log.info("assigned", { event: "ipAllocated", service: `a/${at}` });
  assert.equal(lines.length, 3_030, "each Service's own news has its line");
  now = 60_000;
  log.info("something else");
  const [summary] = lines.slice(3_030).map((line) => JSON.parse(line));
  assert.deepEqual(
    [summary.level, summary.of, summary.leftOut, summary.example],
    ["warn", "cannot write to Service", 5_970, { service: "a/30" }],
  );
});
