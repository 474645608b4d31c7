/** Rates as people read them. Pure. */
import type { Rates } from "#console/traffic.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** `1.5 MB`: by powers of 1,000, two figures or all before the point. */
export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  const text = unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));
  return `${text.replace(/\.0$/, "")} ${UNITS[unit]}`;
}

/** `1.5 MB/s, 120 connections/min`; "" where nothing is known. */
export const ratesText = (rates: Rates | undefined): string =>
  rates === undefined
    ? ""
    : `${bytes(rates.bytesPerSecond)}/s, ${rates.connectionsPerMinute} connections/min`;
