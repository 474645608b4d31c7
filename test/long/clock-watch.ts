/**
 * Stands beside a long run, before everything that is measured (SCHED_FIFO), and does nothing but look at the clock:
 * when it is late by so many milliseconds (the argument), the machine itself stood still. A line of JSON for each time,
 * {at, ms}; ends with its input.
 */
const EVERY_MS = 5;
const LATE_MS = Number(process.argv[2] ?? 50);

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  const late = now - last - EVERY_MS;
  if (late >= LATE_MS) {
    process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ms: Math.round(late) })}\n`);
  }
  last = now;
}, EVERY_MS);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
