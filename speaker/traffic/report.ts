/** What of a node's traffic is told: a bounded part of it, in the status and in metrics. Pure. */
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { ServiceTraffic, Traffic } from "./meter.ts";

export type TrafficReport = NonNullable<NonNullable<SpeakerStatus["status"]>["traffic"]>;

/** The schema's limit. Its JSON is 6 kB at most of names that people choose. */
export const MAX_REPORTED = 50;
/** Three series each. */
export const MAX_MEASURED = 500;

/** Those with most bytes a second first. Values are rounded, so that a Service that goes on as before is no news. */
export function trafficReport(all: readonly ServiceTraffic[]): TrafficReport {
  const busy = all.filter(({ rate }) => rate.packets > 0);
  const rates = busy.map(({ rate }) => rate);
  const sorted = busy.toSorted((a, b) => b.rate.bytes - a.rate.bytes || (a.service < b.service ? -1 : 1));
  return {
    ...rounded({
      connections: sumOf(rates, "connections"),
      packets: sumOf(rates, "packets"),
      bytes: sumOf(rates, "bytes"),
    }),
    busyServices: busy.length,
    services: sorted.slice(0, MAX_REPORTED).map(({ service, rate }) => ({ service, ...rounded(rate) })),
  };
}

const sumOf = (rates: readonly Traffic[], kind: keyof Traffic): number =>
  rates.reduce((sum, rate) => sum + rate[kind], 0);

function rounded({ connections, packets, bytes }: Traffic) {
  return {
    connectionsPerMinute: figures(connections * 60),
    packetsPerSecond: figures(packets),
    bytesPerSecond: figures(bytes),
  };
}

/** To two figures, upwards: what there is is never 0. */
function figures(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.ceil(value / unit) * unit;
}

/** Which Services' counts are shown to Prometheus: those with most bytes since they were first measured. */
export const measured = (all: readonly ServiceTraffic[]): readonly ServiceTraffic[] =>
  all.length <= MAX_MEASURED
    ? all
    : all
        .toSorted((a, b) => b.total.bytes - a.total.bytes || (a.service < b.service ? -1 : 1))
        .slice(0, MAX_MEASURED);
