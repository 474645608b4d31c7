/**
 * Which test files share a process. A process for each file costs a quarter of a second of computing, which is more than
 * most of them compute themselves; a file that touches nothing outside of itself cannot tell the difference.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where unit tests are looked for. */
const ROOMS: readonly string[] = [
  ...["api", "cli", "common", "console", "controller", "hack", "operator", "speaker"],
  ...["test/bench", "test/cases", "test/upstream"],
];

/** Hooks of a whole file would be hooks of all files. The rest is the machine, real time, and what processes have one of. */
const TOUCHES = [
  /^(?:before|after|beforeEach|afterEach)\(/m,
  /"node:(?:async_hooks|child_process|cluster|dgram|dns|fs|http|https|http2|net|os|timers|tls|v8|vm|worker_threads)\b/,
  /\bprocess\.(?:argv|chdir|emit|env|exit|exitCode|on|once)\b/,
  /\bmock\.|\bglobalThis\b|\bset(?:Timeout|Interval)\b|\bsystemClock\b/,
  /#speaker\/native\//,
  // It listens on loopback; and who tries a client against it waits.
  /#test\/fakes\/api-server/,
];

/** Of a test file's text. Pure. */
export function touchesNothing(text: string): boolean {
  return TOUCHES.every((pattern) => !pattern.test(text));
}

/** Paths from `root`, sorted. */
export function pureFiles(root: string): string[] {
  return globSync(
    ROOMS.map((room) => `${room}/**/*.test.ts`),
    { cwd: root },
  )
    .filter((file) => touchesNothing(readFileSync(join(root, file), "utf8")))
    .sort();
}
