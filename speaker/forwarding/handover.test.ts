/**
 * Between two transactions packets come, too. While kube-proxy forwards, and this node's forwarding comes or goes, each
 * address is at any moment either kube-proxy's (our chains let its packets pass) or ours with every port.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange } from "#api/address.ts";
import type { Element } from "#speaker/forwarding/types.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { addressKey, markOfValue, portKey } from "./elements.ts";
import { Forwarding } from "./forwarding.ts";
import type { ForwardedPort, ForwardingInput } from "./types.ts";

const ADDRESSES = 120;
const PORTS = [80, 443];
/** So that the elements of one portion are more than one transaction takes. */
const RANGES = Array.from({ length: 40 }, (_, at) => `192.0.${at}.0/25`);

const vipOf = (at: number): string => `203.0.${at >> 8}.${at & 255}`;
const INPUT: ForwardingInput = {
  nodeAddresses: { IPv4: "192.0.2.10" },
  routed: [parseRange("203.0.0.0/16")],
  vips: Array.from({ length: ADDRESSES }, (_, at) => vipOf(at)),
  ports: Array.from({ length: ADDRESSES }, (_, at) => at).flatMap((at) =>
    PORTS.map(
      (port, index): ForwardedPort => ({
        ...{ service: `team/s${at}`, id: 1 + at * PORTS.length + index, family: "IPv4", vip: vipOf(at) },
        ...{ protocol: "TCP", port, scheduler: "mh", affinity: false, preferLocal: false },
        sourceRanges: RANGES,
        endpoints: [
          { address: "10.0.0.1", port: 8080, isLocal: true, isServing: true, returnPath: "direct" },
          { address: "10.0.1.1", port: 8080, isLocal: false, isServing: true, returnPath: "direct" },
        ],
      }),
    ),
  ),
};

/** An address that neither kube-proxy nor IPVS answers for, as the chains `pre` and `ours` take it (guard.ts). */
function turnedAway({ present }: FakeForwardingKernel): string | undefined {
  const has = (set: string, key: string): boolean => present.sets.get(set)?.has(key) === true;
  const isRouted = (present.sets.get("routed4")?.size ?? 0) > 0;
  return INPUT.vips.find((vip) => {
    if (!has("vips4", addressKey(vip))) return isRouted;
    if (!present.routes.has(vip)) return true;
    return PORTS.some((port) => {
      const key = portKey(vip, "TCP", port);
      const mark = present.sets.get("tier1v4")?.get(key)?.value;
      return !has("ports4", key) || mark === undefined || !isServed(present, mark);
    });
  });
}

function isServed({ servers }: FakeForwardingKernel["present"], mark: string): boolean {
  const number = markOfValue(mark);
  const server = servers.get(`2/${number}`);
  return server !== undefined && server.service.scheduler === "mh" && server.reals.size > 0;
}

function watched(): { kernel: FakeForwardingKernel; forwarding: Forwarding; looks: () => number } {
  const kernel = new FakeForwardingKernel();
  const { change } = kernel.elements;
  let looks = 0;
  kernel.elements.change = (difference: {
    add: Map<string, readonly Element[]>;
    remove: Map<string, readonly Element[]>;
  }) => {
    change(difference);
    looks += 1;
    assert.equal(turnedAway(kernel), undefined, `after transaction ${looks}`);
  };
  const forwarding = new Forwarding(kernel, { clock: new FakeClock() });
  return { kernel, forwarding, looks: () => looks };
}

test("from kube-proxy to IPVS, and back, no address is nobody's after any transaction", async () => {
  const { kernel, forwarding, looks } = watched();
  await forwarding.reconcile(INPUT);
  assert.equal(kernel.present.sets.get("vips4")?.size, ADDRESSES);
  assert.ok(kernel.present.sets.get("routed4")?.size, "pools are known in the end");
  const there = looks();
  assert.ok(there > 10, `${there} transactions`);
  await forwarding.remove();
  assert.ok(looks() > there + 10, `${looks()} transactions`);
});

test("a pass that gives way after each portion hands over address by address, too", async () => {
  const { kernel, forwarding, looks } = watched();
  let passes = 0;
  for (let isComplete = false; !isComplete; passes += 1) {
    const before = looks();
    // Each input brings other ranges of the pools.
    const routed = [parseRange(`203.${1 + (passes % 2)}.0.0/16`), parseRange("203.0.0.0/20")];
    ({ isComplete } = await forwarding.reconcile({ ...INPUT, routed }, () => passes < 5 && looks() > before));
  }
  assert.equal(passes, 6);
  assert.equal(kernel.present.sets.get("vips4")?.size, ADDRESSES);
});

test("elements that somebody took away come back address by address, too", async () => {
  const { kernel, forwarding } = watched();
  await forwarding.reconcile(INPUT);
  kernel.dropTable();
  await forwarding.reconcile(INPUT);
  assert.equal(kernel.present.sets.get("vips4")?.size, ADDRESSES);
});
