import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeRates } from "./forwarding-bars.ts";
import type { Sample } from "./forwarding-samples.ts";

const sample = (way: string, round: number, cpuMicros: number, more: Partial<Sample> = {}): Sample => ({
  place: "guest",
  way,
  family: "IPv4",
  kind: "keep",
  round,
  cpuMicros,
  wallMicros: cpuMicros,
  faults: 0,
  ...more,
});

test("rates are compared round by round, and the family that does worse is judged", () => {
  const rates = judgeRates([
    ...[40, 80, 42].flatMap((micros, round) => [
      sample("dnat", round, micros),
      sample("genkan", round, micros / 0.97),
    ]),
    sample("dnat", 0, 45, { family: "IPv6" }),
    sample("genkan", 0, 50, { family: "IPv6" }),
    // What had errors is not compared.
    sample("genkan", 3, 1, { family: "IPv6", faults: 2 }),
    sample("dnat", 3, 1_000, { family: "IPv6" }),
  ]);
  assert.deepEqual(rates, [
    {
      name: "requests-local-keepalive",
      place: "guest",
      ratio: 0.9,
      ratio_IPv4: 0.97,
      ratio_IPv6: 0.9,
      against: "kube-proxy-nftables",
      bar: 0.95,
      bar_is_least: true,
      met: false,
    },
  ]);
});

test("what was not measured at a place is not judged there", () => {
  assert.deepEqual(judgeRates([sample("dnat", 0, 40)]), []);
});
