/** Names and addresses of a lab: all follow from the number of its instance, so that several stand side by side. Pure. */
import { SocketAddress } from "node:net";
import { join } from "node:path";
import { LAB_DIRECTORY } from "#hack/common/checkout.ts";

export const BIN_DIRECTORY = join(LAB_DIRECTORY, "bin");
export const SERVICE_RANGES = ["10.96.0.0/16", "fd00:96::/112"] as const;
/** Of SERVICE_RANGES: where pods find the cluster's name server. */
export const CLUSTER_DNS: Pair = { v4: "10.96.0.10", v6: "fd00:96::a" };
export const CLUSTER_DOMAIN = "cluster.local";
export const MAX_INSTANCE = 9;
export const API_PORT = 6443;

/** One address of each family. */
export interface Pair {
  readonly v4: string;
  readonly v6: string;
}

export interface Layout {
  readonly instance: number;
  /** State of this instance. */
  readonly directory: string;
  readonly bridge: string;
  readonly tap: string;
  /** Link of the router's and of the client's namespace. */
  readonly routerLink: string;
  readonly host: Pair;
  readonly router: Pair;
  /** The router's address towards the client. */
  readonly gateway: Pair;
  readonly client: Pair;
  readonly clientRange: Pair;
  readonly podRange: Pair;
}

export interface NodeLayout {
  readonly name: string;
  readonly number: number;
  /** Below /run/netns; also its cgroup's name. */
  readonly netns: string;
  /** The bridge's side of its link. */
  readonly link: string;
  readonly address: Pair;
  readonly podRange: Pair;
}

/** A name or number that the lab has no address for. */
export class LayoutError extends Error {
  readonly code = "LAB_LAYOUT";
}

export function layoutOf(instance: number): Layout {
  if (!Number.isInteger(instance) || instance < 0 || instance > MAX_INSTANCE) {
    throw new LayoutError(`--instance ${instance}: must be 0 to ${MAX_INSTANCE}`);
  }
  const i = instance;
  return {
    instance,
    directory: join(LAB_DIRECTORY, String(i)),
    bridge: `gk${i}br`,
    tap: `gk${i}tap`,
    routerLink: `gk${i}router`,
    host: { v4: `172.30.${i}.254`, v6: canonical(`fd30:${i}::fe`) },
    router: { v4: `172.30.${i}.253`, v6: canonical(`fd30:${i}::fd`) },
    gateway: { v4: `10.9.${i}.1`, v6: canonical(`fd09:${i}::1`) },
    client: { v4: `10.9.${i}.2`, v6: canonical(`fd09:${i}::2`) },
    clientRange: { v4: `10.9.${i}.0/24`, v6: `fd09:${i}::/64` },
    podRange: { v4: `10.${244 + i}.0.0/16`, v6: `fd44:${i}::/32` },
  };
}

/** `node3` is number 3: its address ends with it. Names are `node1` to `node99`. */
export function nodeOf(layout: Layout, name: string): NodeLayout {
  const found = /^node([1-9][0-9]?)$/.exec(name);
  if (found === null) throw new LayoutError(`node name "${name}": must be node1 to node99`);
  const [i, n] = [layout.instance, Number(found[1])];
  return {
    name,
    number: n,
    netns: netnsOf(layout, name),
    link: `gk${i}n${n}`,
    address: { v4: `172.30.${i}.${n}`, v6: canonical(`fd30:${i}::${n}`) },
    podRange: { v4: `10.${244 + i}.${n}.0/24`, v6: `fd44:${i}:${n}::/64` },
  };
}

/** `fd30:0::fe` -> `fd30::fe`: the API server takes no other spelling. */
function canonical(address: string): string {
  return new SocketAddress({ address, family: "ipv6" }).address;
}

/** Network namespace of `node1`, `router` or `client`. */
export function netnsOf(layout: Layout, place: string): string {
  return `gk${layout.instance}-${place}`;
}
