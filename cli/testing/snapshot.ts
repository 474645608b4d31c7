/** A small cluster as the API server has it, for tests of what is made of it. */
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import { ANNOTATION_SPEAKER_STATE, LABEL_SPEAKER_LEASE, speakerLease } from "#api/names.ts";
import type { PlanSnapshot } from "#cli/plan/change.ts";

const AT = new Date("2026-01-01T00:01:00Z");
const SYSTEM = "genkan-system";
const meta = (name: string, namespace?: string) => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...(namespace !== undefined && { namespace }),
});

export const node = (number: number, labels: Record<string, string> = {}) => ({
  metadata: { ...meta(`n${number}`), labels },
  status: { addresses: [{ type: "InternalIP", address: `172.30.0.${number}` }] },
});

export const lease = (number: number, { isReady = true, silentSeconds = 0, hearsClaims = false } = {}) => ({
  metadata: {
    ...meta(speakerLease(`n${number}`), SYSTEM),
    labels: { [LABEL_SPEAKER_LEASE]: `n${number}` },
    annotations: {
      [ANNOTATION_SPEAKER_STATE]: JSON.stringify({
        isReady,
        links: [{ name: "eth0", prefixes: [`172.30.0.${number}/24`] }],
        ...(hearsClaims && { hearsClaims }),
      }),
    },
  },
  spec: {
    holderIdentity: `speaker-${number}`,
    renewTime: new Date(AT.getTime() - silentSeconds * 1_000).toISOString(),
  },
});

export const pool = (name: string, spec: object) => ({
  metadata: meta(name, SYSTEM),
  spec: { protocol: "layer2", ...spec },
});

export const service = (
  name: string,
  vip: string | undefined,
  id: number,
  spec: object = {},
  annotations = {},
) => ({
  metadata: { ...meta(name, "default"), annotations },
  spec: {
    type: "LoadBalancer",
    ipFamilies: ["IPv4"],
    ports: [{ name: "http", port: 80, protocol: "TCP" }],
    ...spec,
  },
  status:
    vip === undefined
      ? {}
      : {
          loadBalancer: { ingress: [{ ip: vip, ipMode: "Proxy" }] },
          conditions: [
            {
              type: FORWARDING_CONDITION,
              status: "True",
              reason: "Assigned",
              message: `AddressPool "office": IPv4/TCP/80=${id}`,
              lastTransitionTime: "2026-01-01T00:00:00Z",
            },
          ],
        },
});

/** Address -> node; `unready`: these are not ready. */
export const slice = (
  of: string,
  endpoints: Readonly<Record<string, string>>,
  unready: readonly string[] = [],
) => ({
  metadata: { ...meta(`${of}-1`, "default"), labels: { "kubernetes.io/service-name": of } },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: Object.entries(endpoints).map(([address, nodeName]) => ({
    addresses: [address],
    nodeName,
    conditions: { ready: !unready.includes(address) },
  })),
});

/** Three nodes with live speakers, a pool of two addresses, and nothing else but `parts`. */
export function snapshot(parts: object = {}): PlanSnapshot {
  return {
    namespace: SYSTEM,
    at: AT,
    loadBalancers: [{ metadata: meta("loadbalancer", SYSTEM), spec: {} }],
    pools: [pool("office", { addresses: ["172.30.0.100-172.30.0.101"] })],
    peers: [],
    profiles: [],
    speakers: [],
    leases: [lease(1), lease(2), lease(3)],
    services: [],
    slices: [],
    nodes: [node(1), node(2), node(3)],
    namespaces: [{ metadata: meta("default") }],
    serviceCIDRs: [],
    ...parts,
  } as unknown as PlanSnapshot;
}
