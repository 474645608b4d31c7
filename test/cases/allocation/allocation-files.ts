/** Cases of allocation as data: Services and pools in a short form, what comes of them in full words. */
import { readdir, readFile } from "node:fs/promises";
import { parse } from "yaml";
import type { Family } from "#api/address.ts";
import { ANNOTATION_ADDRESSES, ANNOTATION_POOL, ANNOTATION_SHARING_KEY } from "#api/names.ts";
import type { Service } from "#common/kube/resource.ts";
import type { PoolSpec } from "#controller/allocation/pool.ts";

/** A Service, with only what matters to allocation. */
export interface ShortService {
  readonly name: string;
  readonly namespace?: string;
  readonly type?: string;
  readonly families?: readonly Family[];
  readonly policy?: string;
  /** spec.loadBalancerIP. */
  readonly ip?: string;
  /** The annotations, in our own spelling. */
  readonly addresses?: string;
  readonly pool?: string;
  readonly key?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** `TCP/80`. */
  readonly ports?: readonly string[];
  readonly local?: boolean;
  readonly selector?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly class?: string;
  readonly nodePorts?: boolean;
  readonly deleting?: boolean;
  /** Addresses in its status from before. */
  readonly has?: readonly string[];
}

export type Step =
  | { readonly add: ShortService }
  | { readonly change: ShortService }
  | { readonly delete: string }
  | { readonly pools: Readonly<Record<string, PoolSpec>> }
  | { readonly closed: readonly string[] }
  | { readonly namespaces: Namespaces }
  /** Somebody else writes these addresses into the status of these Services. */
  | { readonly wrong: Readonly<Record<string, readonly string[]>> }
  | { readonly restart: true }
  /** These are added or changed while no controller runs, and then one starts. */
  | { readonly down: readonly ShortService[] };

export type Namespaces = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface AllocationCase {
  readonly case: string;
  readonly file: string;
  readonly pools: Readonly<Record<string, PoolSpec>>;
  readonly namespaces: Namespaces;
  /** Pools whose configuration was refused. */
  readonly closed: readonly string[];
  /** The class that is ours. */
  readonly class?: string;
  /** Created one after the other; `together`: all are there when the controller starts. */
  readonly services: readonly ShortService[];
  readonly together: boolean;
  readonly steps: readonly Step[];
  /** Service -> its addresses, separated by a space. */
  readonly gets: Readonly<Record<string, string>>;
  /** Service -> `Reason: message`. */
  readonly refused: Readonly<Record<string, string>>;
  /** Service -> `address: why` of those that it may not keep. */
  readonly lost: Readonly<Record<string, readonly string[]>>;
  /** Services that get nothing and no word either. */
  readonly nothing: readonly string[];
  /** Services that are not ours. */
  readonly ignored: readonly string[];
}

const DIRECTORY = new URL("./", import.meta.url);

export async function readCases(): Promise<AllocationCase[]> {
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith(".yaml")).sort();
  const all = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, DIRECTORY), "utf8");
      const { cases, ...shared } = parse(text) as { cases: Partial<AllocationCase>[] };
      return cases.map((one) => ({ ...NOTHING, ...shared, ...one, file }) as AllocationCase);
    }),
  );
  return all.flat();
}

const NOTHING = {
  pools: {},
  namespaces: { default: {} },
  closed: [],
  together: false,
  steps: [],
  gets: {},
  refused: {},
  lost: {},
  nothing: [],
  ignored: [],
};

/** The Service as the API server has it; `age`: which one of all it is, the first 0. */
export function serviceOf(short: ShortService, age: number): Service {
  const { name, namespace = "default", families = ["IPv4"], ports = ["TCP/80"] } = short;
  const annotations = {
    ...(short.addresses !== undefined && { [ANNOTATION_ADDRESSES[0]]: short.addresses }),
    ...(short.pool !== undefined && { [ANNOTATION_POOL[0]]: short.pool }),
    ...(short.key !== undefined && { [ANNOTATION_SHARING_KEY[0]]: short.key }),
    ...short.annotations,
  };
  const created = new Date(Date.UTC(2026, 0, 1, 0, 0, age)).toISOString().replace(".000Z", "Z");
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name,
      namespace,
      uid: `${name}-${age}`,
      resourceVersion: "1",
      creationTimestamp: created,
      annotations,
      ...(short.labels !== undefined && { labels: { ...short.labels } }),
      ...(short.deleting === true && { deletionTimestamp: created }),
    },
    spec: {
      type: short.type ?? "LoadBalancer",
      ipFamilies: [...families],
      ipFamilyPolicy: short.policy ?? "SingleStack",
      ports: ports.map((port) => {
        const [protocol = "TCP", number] = port.split("/");
        return { name: port.toLowerCase().replace("/", "-"), protocol, port: Number(number) };
      }),
      selector: { app: "test", ...short.selector },
      ...(short.ip !== undefined && { loadBalancerIP: short.ip }),
      ...(short.local === true && { externalTrafficPolicy: "Local" }),
      ...(short.class !== undefined && { loadBalancerClass: short.class }),
      ...(short.nodePorts !== undefined && { allocateLoadBalancerNodePorts: short.nodePorts }),
    },
    ...(short.has !== undefined && {
      status: { loadBalancer: { ingress: short.has.map((ip) => ({ ip })) } },
    }),
  };
}
