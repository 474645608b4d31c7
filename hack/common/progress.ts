/** Lines for whoever waits: what is going on, and how long it has taken. */

export type Say = (line: string) => void;

const started = performance.now();

/** Writes `[  12.3 s] line` to standard error, so that standard output stays what was asked for. */
export const say: Say = (line) => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stderr.write(`[${seconds} s] ${line}\n`);
};

/** Runs `work`; says `what` again every few seconds until it is done. */
export async function watched<T>(what: string, work: Promise<T>, tell: Say): Promise<T> {
  const begin = performance.now();
  const timer = setInterval(() => {
    tell(`${what}: still at it after ${Math.round((performance.now() - begin) / 1000)} s`);
  }, 10_000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
