/** `Forwarding` over a kernel in memory, asked by short words. */
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardedPort, ForwardingInput } from "#speaker/forwarding/types.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";

/** TCP port 80 of a Service with the id, with endpoints on no node. */
export const port = (id: number, ...addresses: string[]): ForwardedPort => ({
  service: `team-${id}/web`,
  id,
  family: "IPv4",
  vip: `203.0.113.${id}`,
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: addresses.map((address) => ({
    address,
    port: 8080,
    isLocal: false,
    isServing: true,
    returnPath: "snat",
  })),
});
export const wanting = (...ports: ForwardedPort[]): ForwardingInput => ({
  nodeAddresses: {},
  ports,
  vips: [],
});
export function world() {
  const kernel = new FakeForwardingKernel();
  const clock = new FakeClock();
  let drifts = 0;
  const onDrift = (): void => {
    drifts += 1;
  };
  const forwarding = new Forwarding(kernel, { clock, onDrift });
  const { servers, sets } = kernel.present;
  return {
    kernel,
    clock,
    forwarding,
    drifts: () => drifts,
    async pass(input: ForwardingInput) {
      const { refused, ...rest } = await forwarding.reconcile(input);
      return { ...rest, refused: refused.map(({ service, what, code }) => `${service}: ${what}: ${code}`) };
    },
    reals: (mark: number) => [...(servers.get(`2/${mark}`)?.reals.keys() ?? [])].sort(),
    ports: () => [...(sets.get("ports4")?.keys() ?? [])].map((key) => Number(`0x${key.slice(6, 8)}`)),
  };
}
