/** Ports of Services for tests of forwarding: two that are alike in both families, and restricted ones. */
import { FAMILIES, type Family } from "#api/address.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { tagOfAddress } from "#speaker/forwarding/tags.ts";
import {
  DEFAULT_SETTINGS,
  type ForwardedEndpoint,
  type ForwardedPort,
  type ForwardingInput,
  PROTOCOLS,
  type Protocol,
} from "#speaker/forwarding/types.ts";
import type { Probe } from "#test/dataplane/clients.ts";

export const endpoint = (
  address: string,
  isLocal: boolean,
  more: Partial<ForwardedEndpoint> = {},
): ForwardedEndpoint => ({
  address,
  port: 8080,
  isLocal,
  isServing: true,
  returnPath: "direct",
  ...more,
});

export const web = (more: Partial<ForwardedPort> = {}): ForwardedPort => ({
  id: 5000,
  family: "IPv4",
  vip: "192.168.50.100",
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: [endpoint("10.244.2.10", false), endpoint("10.244.1.10", true), endpoint("10.244.3.10", false)],
  ...more,
});
export const web6 = (): ForwardedPort => ({
  ...web({ id: 5001, family: "IPv6", vip: "fd50::100" }),
  endpoints: [endpoint("fd44:1::10", true), endpoint("fd44:2::10", false)],
});
export const wanting = (
  ports: ForwardedPort[],
  vips = [...new Set(ports.map((port) => port.vip))],
): ForwardingInput => ({ nodeAddresses: { IPv4: "192.168.50.11", IPv6: "fd50::11" }, ports, vips });

/** Of what another node sent to the pod by a tunnel, for the port with the id. */
export const markOfPod = (id: number, address: string): number =>
  markOf(id, 2, DEFAULT_SETTINGS.routingBit, tagOfAddress(address));

/** What a port of each protocol admits: each something else, and SCTP nobody. */
export const RANGES: Readonly<Record<Protocol, readonly string[]>> = {
  TCP: ["172.16.0.0/25", "fd16::/112"],
  UDP: ["172.16.0.128/25", "fd16::1:0/112"],
  SCTP: [],
};
/** First and last addresses of ranges among them. */
export const SOURCES = {
  IPv4: ["172.16.0.1", "172.16.0.127", "172.16.0.128"],
  IPv6: ["fd16::1", "fd16::ffff", "fd16::1:0"],
} as const;
export const VIPS = { IPv4: "192.168.50.100", IPv6: "fd50::100" } as const;

export const restricted = (): ForwardedPort[] =>
  FAMILIES.flatMap((family) =>
    PROTOCOLS.map((protocol, index) => ({
      ...(family === "IPv4" ? web() : web6()),
      id: (family === "IPv4" ? 7000 : 7100) + index,
      protocol,
      sourceRanges: RANGES[protocol],
    })),
  );
export const probe = (
  family: Family,
  protocol: Protocol,
  source: string,
  more: Partial<Probe> = {},
): Probe => ({
  source,
  vip: VIPS[family],
  protocol,
  port: 80,
  ...more,
});
