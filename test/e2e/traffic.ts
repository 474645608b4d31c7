/** Traffic from the client host while something happens, and what it lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeLoad, loadSince, readLoad } from "#hack/common/load.ts";
import { judged, type Outage, type ProbeResult, parseResults, summarize } from "#hack/demo/outage.ts";
import { ROOT } from "#hack/demo/shell.ts";
import { type Bars, barsUnder, LONGEST_OUTAGE_MS, until } from "#test/e2e/patience.ts";
import { lab, tell } from "#test/e2e/suite.ts";

const EVERY_MS = 200;
/** A starved machine may answer that much later. */
const LATE_MS = 30_000;
/** So many, and what went wrong is over. */
const ANSWERED_IN_A_ROW = 10;
/** An answer that takes longer is counted as slow: TCP has sent its first packet again. */
const SLOW_MS = 1_000;

/**
 * No port of the client is used twice: a connection from one whose earlier connection went to a pod that is gone is tried
 * again after a second (docs/dataplane.md), which is not what is looked for here. Below those that the kernel chooses from.
 */
const FIRST_PORT = 2_000;
const PORTS_A_PROBE = 2_000;
const LAST_PORT = 32_000;

export interface TrafficOptions {
  readonly cause: () => Promise<void>;
  /** How long it goes on after `cause` at least; longer until all is answered again, but not for ever. */
  readonly forMs: number;
  /** A request that is not answered in time has failed; default 1,000. */
  readonly timeoutMs?: number;
}

/** What traffic met, and what it is held to. */
export interface Observed {
  readonly outages: ReadonlyMap<string, Outage>;
  /** Of the failures: connections that were open, and were reset or not answered. */
  readonly ended: ReadonlyMap<string, number>;
  readonly bars: Bars;
}

class Probe {
  static #nextPort = FIRST_PORT;
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;
  #output = "";

  constructor(address: string, timeoutMs: number) {
    const argv = [
      ...[process.execPath, join(ROOT, "hack/demo/probe.ts"), address, "80"],
      ...[String(EVERY_MS), String(timeoutMs), String(Probe.#nextPort), String(LATE_MS)],
    ];
    Probe.#nextPort += PORTS_A_PROBE;
    if (Probe.#nextPort >= LAST_PORT) Probe.#nextPort = FIRST_PORT;
    this.#done = lab()
      .on("client", argv, {
        signal: this.#stop.signal,
        keepsInput: true,
        onOutput: (text) => {
          this.#output += text;
        },
      })
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) throw error;
      });
  }

  /** Whole lines only. */
  results(doesLateCount = false): ProbeResult[] {
    const lines = this.#output.slice(0, this.#output.lastIndexOf("\n") + 1);
    return judged(parseResults(lines), doesLateCount);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

/**
 * Asks each address five times a second, with a new connection each time, from before `cause` until `forMs` after its
 * end; says and returns what failed since `cause` began, and how loaded this machine was. `what` is for the log.
 */
export async function traffic(
  what: string,
  addresses: readonly string[],
  { cause, forMs, timeoutMs = 1_000 }: TrafficOptions,
): Promise<Observed> {
  const load = await readLoad();
  const probes = new Map(addresses.map((address) => [address, new Probe(address, timeoutMs)]));
  try {
    for (const [address, probe] of probes) {
      await until(`the probe's first answer from ${address}`, () => probe.results().some(({ ok }) => ok), {
        deadlineMs: 60_000,
      });
    }
    const at = Date.now();
    await cause();
    const end = Date.now() + forMs;
    const isAnswered = (): boolean =>
      [...probes.values()].every((probe) =>
        probe
          .results()
          .slice(-ANSWERED_IN_A_ROW)
          .every(({ ok }) => ok),
      );
    while (Date.now() < end || (!isAnswered() && Date.now() < end + LONGEST_OUTAGE_MS)) await sleep(200);
    const during = await loadSince(load);
    const bars = barsUnder(during);
    const isStarved = bars.excuse !== undefined;
    const overAt = Date.now();
    if (isStarved) await lateAnswers([...probes.values()], overAt);
    const results = new Map(
      [...probes].map(([address, probe]) => [
        address,
        probe.results(isStarved).filter((result) => result.at <= overAt),
      ]),
    );
    const outages = new Map([...results].map(([address, all]) => [address, summarize(all, at)]));
    for (const [address, outage] of outages) {
      const all = results.get(address) ?? [];
      const slow = all.filter(({ ok, took }) => ok && took > SLOW_MS).length;
      tell(`  ${what}: ${address}: ${inWords(outage)}; ${slow} took longer than ${SLOW_MS} ms`);
      for (const line of gaps(all, at)) tell(`    ${line}`);
    }
    const ended = new Map([...results].map(([address, all]) => [address, endedIn(all, at)]));
    tell(`  meanwhile ${describeLoad(during)}`);
    return { outages, ended, bars };
  } finally {
    for (const probe of probes.values()) await probe.stop();
  }
}

/** Waits until each request from before `end` that failed because its time was over was answered late, or will not be. */
async function lateAnswers(probes: readonly Probe[], end: number): Promise<void> {
  const isOpen = ({ ok, at, took }: ProbeResult): boolean =>
    !ok && at <= end && Date.now() < at + took + LATE_MS;
  const isDecided = (): boolean => !probes.some((probe) => probe.results(true).some(isOpen));
  await until("late answers", isDecided, { everyMs: 200, deadlineMs: LATE_MS }).catch(() => {});
}

/** Every address was answered again in time. */
export function requireAnswered({ outages, bars }: Observed): void {
  for (const [address, outage] of outages) {
    const isAnswered = outage.answeredAfter !== undefined && outage.lastFailureAfter < bars.promisedMs;
    assert.ok(isAnswered, `${address}: ${inWords(outage)}${asExcused(bars)}`);
  }
}

/**
 * No request of any address failed, but for so many connections of each that were open and ended; where some may, a starved
 * machine may have had any number of them open.
 */
export function requireLossless({ outages, ended, bars }: Observed, mayEnd = 0): void {
  const most = mayEnd > 0 && bars.excuse !== undefined ? Number.POSITIVE_INFINITY : mayEnd;
  for (const [address, outage] of outages) {
    const failed = outage.failed - Math.min(most, ended.get(address) ?? 0);
    const isLossless = failed <= bars.mayFail(outage.asked);
    assert.ok(isLossless, `${address}: ${inWords(outage)}${asExcused(bars)}`);
  }
}

const endedIn = (results: readonly ProbeResult[], from: number): number =>
  results.filter(({ at, ok, error = "" }) => at >= from && !ok && /ECONNRESET|^no answer/.test(error)).length;

const asExcused = ({ excuse }: Bars): string =>
  excuse === undefined ? "" : ` (though the bar was lowered: ${excuse})`;

function inWords({ asked, failed, answeredAfter, lastFailureAfter }: Outage): string {
  if (failed === 0) return `none of ${asked} requests failed`;
  const again =
    answeredAfter === undefined ? "never answered again" : `answered again after ${answeredAfter} ms`;
  return `${failed} of ${asked} requests failed, ${again}, the last failure ended after ${lastFailureAfter} ms`;
}

/** Failures in a row, each row in one line: `20.4 s to 21.4 s: 3 failed (timeout)`. */
function gaps(results: readonly ProbeResult[], at: number): string[] {
  const rows: { from: number; to: number; count: number; error: string }[] = [];
  let isOpen = false;
  for (const { ok, at: began, took, error = "" } of results.filter((result) => result.at >= at)) {
    const row = rows.at(-1);
    if (!ok && isOpen && row !== undefined) {
      row.to = began + took;
      row.count += 1;
    } else if (!ok) rows.push({ from: began, to: began + took, count: 1, error });
    isOpen = !ok;
  }
  const seconds = (ms: number): string => `${((ms - at) / 1000).toFixed(1)} s`;
  return rows.map(
    ({ from, to, count, error }) => `${seconds(from)} to ${seconds(to)}: ${count} failed (${error})`,
  );
}
