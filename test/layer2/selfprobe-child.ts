/** A node's forwarding, with nothing to forward, and its self-probe, for selfprobe.test.ts. Each change is one line. */
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import type { Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import { type Addresses, SelfProbe } from "#speaker/selfprobe/selfprobe.ts";

interface Arguments {
  readonly own: Addresses;
  readonly other: Addresses;
  readonly tunnel: Encapsulation;
}

const { own, other, tunnel } = JSON.parse(process.argv[2] ?? "") as Arguments;
const kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
await new Forwarding(kernel, { clock: systemClock }).reconcile({
  nodeAddresses: own,
  ports: [],
  vips: [],
  tunnel,
  members: [other].flatMap(({ IPv4, IPv6 }) => [IPv4, IPv6].filter((one) => one !== undefined)),
});
const probe = new SelfProbe({
  clock: systemClock,
  log: silentLogger,
  linkName: (index) => `number ${index}`,
  onChange: () => process.stdout.write(`${probe.trouble?.message ?? "open"}\n`),
  roundMs: 500,
  quietMs: 1_500,
});
probe.set(own, [other], tunnel);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
process.stdout.write("started\n");
await probe.run(stop.signal);
kernel.close();
