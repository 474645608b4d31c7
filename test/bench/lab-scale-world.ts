/** What `make bench-lab-scale` writes to the API server: Services of so many pods, by number. Pure. */
import type { EndpointSlice } from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";

export interface World {
  readonly services: number;
  /** Of each Service. */
  readonly endpoints: number;
  /** Where all pods are. */
  readonly node: string;
}

/** Every so manieth Service is changed by the child alone, which measures the time until the kernel has it. */
const SAMPLED = 50;
export const isSampled = (at: number): boolean => at % SAMPLED === 0;

/** Of pod `pod` of Service `at`: no two have the same. */
export function addressOf(at: number, pod: number, { endpoints }: World): string {
  const number = at * endpoints + pod;
  return `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

const endpointsOf = (at: number, world: World, isFirstReady: boolean) =>
  Array.from({ length: world.endpoints }, (_, pod) => {
    const isReady = pod > 0 || isFirstReady;
    return {
      addresses: [addressOf(at, pod, world)] as [string],
      nodeName: world.node,
      conditions: { ready: isReady, serving: isReady, terminating: false },
    };
  });

export const sliceOf = (at: number, world: World): Draft<EndpointSlice> => ({
  metadata: { name: `s${at}`, namespace: "default", labels: { "kubernetes.io/service-name": `s${at}` } },
  addressType: "IPv4",
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints: endpointsOf(at, world, true),
});

/** The first pod became ready, or is not any more: all endpoints are written, as the controller of slices does. */
export const readyBody = (at: number, world: World, isReady: boolean): object => ({
  endpoints: endpointsOf(at, world, isReady),
});
