/** What a real kernel with ip_vs counts for Services, as speakers read it. Runs itself in a guest where this one has none. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { openTraffic } from "#speaker/traffic/open.ts";
import type { TrafficReport } from "#speaker/traffic/report.ts";
import { TrafficWatch } from "#speaker/traffic/traffic-watch.ts";
import { Clients } from "#test/dataplane/clients.ts";
import { becomeNode } from "#test/dataplane/own-node.ts";
import { endpoint, probe, wanting, web } from "#test/dataplane/ports.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { until } from "#test/until.ts";

if (!isInside) {
  testInside("traffic", import.meta.filename, "long");
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;

  before(() => {
    becomeNode();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    forwarding = new Forwarding(kernel, { clock: new FakeClock() });
  });
  after(() => kernel?.close());

  test("each client's packet is a connection of the Service that it is for, and 40 bytes", async () => {
    using clients = new Clients();
    const pods = [endpoint("10.244.1.10", true), endpoint("10.244.2.10", false)];
    const ports = [
      web({ service: "shop/web", endpoints: pods }),
      web({ id: 5002, service: "shop/mail", port: 25, endpoints: pods }),
      ...Array.from({ length: 600 }, (_, at) =>
        web({ id: 6_000 + at, service: `many/s${at}`, port: 1_000 + at, endpoints: pods }),
      ),
    ];
    await forwarding.reconcile(wanting(ports));
    const reports: (TrafficReport | undefined)[] = [];
    const watch = new TrafficWatch({
      clock: systemClock,
      log: silentLogger,
      isWanted: () => true,
      nodes: () => 1,
      open: openTraffic,
      serviceOf: (mark) => forwarding.serviceOf(mark),
      onReport: (report) => reports.push(report),
    });
    await watch.look();
    const from = (count: number, port: number, place: number) =>
      Array.from({ length: count }, (_, at) => probe("IPv4", "TCP", `172.16.${place}.${at + 1}`, { port }));
    await clients.reached(...from(8, 80, 1), ...from(3, 25, 2));
    const counted = (service: string) => watch.services.find((one) => one.service === service)?.total;
    // The kernel adds up what its processors have counted every two seconds.
    await until(
      "the kernel to have counted",
      async () => {
        await watch.look();
        return counted("shop/web")?.packets === 8 && counted("shop/mail")?.packets === 3;
      },
      { deadlineMs: 60_000, everyMs: 500 },
    );
    assert.equal(watch.services.length, 602, "the list is longer than one answer of the kernel");
    assert.deepEqual(counted("shop/web"), { connections: 8, packets: 8, bytes: 320 });
    assert.deepEqual(counted("shop/mail"), { connections: 3, packets: 3, bytes: 120 });
    const told = new Set(reports.flatMap((report) => report?.services.map(({ service }) => service) ?? []));
    assert.deepEqual(told, new Set(["shop/web", "shop/mail"]));
    await forwarding.reconcile(wanting(ports.slice(0, 1)));
    await watch.look();
    assert.deepEqual(
      watch.services.map(({ service, total }) => [service, total.packets]),
      [["shop/web", 8]],
    );
  });
}
