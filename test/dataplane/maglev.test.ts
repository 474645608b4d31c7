/**
 * The pod that `genkan explain --from` names is the one that the kernel picks: 10,000 connections of each family from a
 * wire against IPVS as the speaker programs it, with and without pods that drain. Runs itself in guests where this kernel
 * has no ip_vs.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { FAMILIES, type Family, formatAddress, parseAddress } from "#api/address.ts";
import { pick, tableOf } from "#cli/maglev/table.ts";
import { systemClock } from "#common/clock.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { planForwarding } from "#speaker/forwarding/plan.ts";
import { DEFAULT_SETTINGS, type ForwardedPort, type ForwardingInput } from "#speaker/forwarding/types.ts";
import { syn } from "#test/dataplane/packets.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { run } from "#test/network/namespace.ts";
import { Wire } from "#test/network/wire.ts";
import { until } from "#test/until.ts";

const FLOWS = 10_000;
const PODS = 11;
const VIPS = { IPv4: "203.0.113.10", IPv6: "2001:db8:51::10" } as const;
const PORTS = {
  /** Everybody serves; two pods drain; the client's port plays no part. */
  plain: 80,
  draining: 81,
  affine: 82,
  /** Weights of which the kernel makes smaller ones; two pods drain, one of which has another weight since it does. */
  weighed: 83,
} as const;
const WEIGHTS: Readonly<Record<number, number>> = { 1: 3, 4: 7, 5: 200, 7: 12, 9: 65 };

const DRAINING: readonly string[] = ["draining", "weighed"];

const podOf = (family: Family, number: number): string =>
  family === "IPv4"
    ? `10.244.${number % 3}.${10 + number}`
    : `fd44:${1 + (number % 3)}::${(10 + number * 37).toString(16)}`;

/** Addresses and ports all over, the same in every run: a multiplicative walk. */
function flowsOf(family: Family): { address: string; port: number }[] {
  return Array.from({ length: FLOWS }, (_, at) => {
    const bits = BigInt(at + 1) * 0x9e3779b97f4a7c15n;
    const value =
      family === "IPv4"
        ? (172n << 24n) | (16n << 16n) | (bits & 0xffffn)
        : (0xfd16n << 112n) | (bits & ((1n << 64n) - 1n));
    return { address: formatAddress({ family, value }), port: 1_024 + Number((bits >> 20n) % 60_000n) };
  });
}

function portsOf(family: Family, weights = WEIGHTS): ForwardedPort[] {
  const base = FAMILIES.indexOf(family) * 10 + 100;
  return Object.entries(PORTS).map(([what, port], at) => ({
    id: base + at,
    family,
    vip: VIPS[family],
    protocol: "TCP",
    port,
    scheduler: "mh",
    affinity: what === "affine",
    preferLocal: false,
    endpoints: Array.from({ length: PODS }, (_, number) => ({
      address: podOf(family, number),
      port: 8080,
      isLocal: number % 3 === 1,
      isServing: !DRAINING.includes(what) || (number !== 4 && number !== 7),
      returnPath: "direct",
      ...(what === "weighed" && { weight: weights[number] ?? 1 }),
    })),
  }));
}

const wanted = (weights = WEIGHTS): ForwardingInput => ({
  nodeAddresses: { IPv4: "192.168.50.11", IPv6: "fd50::11" },
  ports: FAMILIES.flatMap((family) => portsOf(family, weights)),
  vips: Object.values(VIPS),
});

/** `address port` of the client -> pod, as IPVS has it. IPv4 comes as eight hexadecimal digits. */
function chosen(vipPort: number): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of readFileSync("/proc/net/ip_vs_conn", "utf8").split("\n").slice(1)) {
    const [, from, port, , toPort, pod] = line.trim().split(/\s+/);
    if (from === undefined || port === undefined || pod === undefined) continue;
    if (Number.parseInt(toPort ?? "", 16) !== vipPort) continue;
    found.set(`${textOf(from)} ${Number.parseInt(port, 16)}`, textOf(pod));
  }
  return found;
}

function textOf(written: string): string {
  const address = written.includes(":")
    ? parseAddress(written)
    : ({ family: "IPv4", value: BigInt(`0x${written}`) } as const);
  assert.ok(address !== undefined, written);
  return formatAddress(address);
}

if (!isInside) {
  testInside("the pod that is named is the one that is picked", import.meta.filename, "long");
} else {
  let kernel: ForwardingKernel;
  let wire: Wire;

  before(async () => {
    wire = new Wire();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    const forwarding = new Forwarding(kernel, { clock: systemClock });
    for (const weights of [{ 1: 2, 7: 12 }, WEIGHTS]) await forwarding.reconcile(wanted(weights));
    const { writes } = await forwarding.reconcile(wanted());
    assert.equal(writes, 0);
  });
  after(() => {
    wire?.[Symbol.dispose]();
    kernel?.close();
  });

  for (const family of FAMILIES) {
    for (const [what, port] of Object.entries(PORTS)) {
      test(`${family}, ${what}: ${FLOWS} connections`, async () => {
        const id = portsOf(family).find((one) => one.port === port)?.id ?? 0;
        const mark = markOf(id, 1, DEFAULT_SETTINGS.routingBit);
        const server = planForwarding(wanted()).virtualServers.find((one) => one.mark === mark);
        assert.equal(server?.realServers.length, PODS);
        const targets = server.realServers;
        const table = tableOf(targets);
        const flows = flowsOf(family);
        run("ipvsadm", "-Z");
        for (let at = 0; at < FLOWS; at += 250) {
          const sent = flows
            .slice(at, at + 250)
            .map((flow) => syn(flow.address, VIPS[family], port, flow.port));
          assert.equal(wire.send(sent), sent.length);
        }
        const found = await until(
          `${FLOWS} entries`,
          () => {
            const all = chosen(port);
            return flows.every(({ address, port: from }) => all.has(`${address} ${from}`)) && all;
          },
          // Under qemu one look at them takes seconds.
          { deadlineMs: 120_000, everyMs: 500 },
        );
        const differing = flows.filter(
          (flow) =>
            pick({ table, targets }, flow, what !== "affine")?.address !==
            found.get(`${flow.address} ${flow.port}`),
        );
        assert.equal(differing.length, 0, JSON.stringify(differing.slice(0, 5)));
        const used = new Set(flows.map(({ address, port: from }) => found.get(`${address} ${from}`)));
        assert.equal(used.size, DRAINING.includes(what) ? PODS - 2 : PODS);
      });
    }
  }
}
