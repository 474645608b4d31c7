/** What wrk(1) prints, as numbers. Pure. */

export interface Said {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests without an answer, or with another one than 200. */
  readonly failed: number;
}

const MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

/** Throws where the figures are not there. */
export function parseWrk(text: string): Said {
  const number = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const latency = (percent: number): number | undefined => {
    const [, value, unit = ""] = new RegExp(`^ +${percent}% +([\\d.]+)(us|ms|s|m)$`, "m").exec(text) ?? [];
    return value === undefined ? undefined : Number(value) * (MS[unit] ?? Number.NaN);
  };
  const requests = number(/^ +(\d+) requests in /m);
  const [p50Ms, p99Ms] = [latency(50), latency(99)];
  if (requests === undefined || p50Ms === undefined || p99Ms === undefined)
    throw new Error(`wrk said no figures: ${text.slice(0, 500)}`);
  const errors = /^ +Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(text);
  const broken = (errors ?? []).slice(1).reduce((sum, count) => sum + Number(count), 0);
  return { requests, p50Ms, p99Ms, failed: broken + (number(/^ +Non-2xx or 3xx responses: (\d+)$/m) ?? 0) };
}
