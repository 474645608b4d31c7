/**
 * From IPVS to kube-proxy no packet may find nobody who forwards it. The controller tells kube-proxy by the status of each
 * Service (ipMode), and kube-proxy takes a moment. Until then this node goes on to forward: kube-proxy's rules come before
 * ours, so whoever has them uses them.
 */
import type { LoadBalancerView, ServiceView } from "./known/view.ts";

/** From the last write that gives an address to kube-proxy to the moment when every kube-proxy has acted on it. */
export const KUBE_PROXY_MS = 10_000;

interface Services {
  keys(): Iterable<string>;
  get(key: string): ServiceView | undefined;
}

export interface Handover {
  /** What to work by: it says IPVS as long as kube-proxy may not have all addresses. */
  readonly loadBalancer: LoadBalancerView;
  /** Milliseconds until this changes by itself. */
  readonly againMs?: number;
}

export class KubeProxyHandover {
  /** When kube-proxy was last seen to leave an address to us, since the mode was changed; undefined: it was not. */
  #lastKeptAt: number | undefined;
  /** The same object as long as the LoadBalancer is: plans are made anew for another one. */
  #delayed: { readonly of: LoadBalancerView; readonly is: LoadBalancerView } | undefined;

  /** `isForwarding`: this process has put addresses into the kernel. One that has not has nothing to go on with. */
  judge(
    loadBalancer: LoadBalancerView,
    { services, isForwarding, now }: { services: Services; isForwarding: boolean; now: number },
  ): Handover {
    if (loadBalancer.mode === "IPVS") {
      this.#lastKeptAt = undefined;
      return { loadBalancer };
    }
    if (!isForwarding) return { loadBalancer };
    if (this.#lastKeptAt === undefined || hasKept(services)) this.#lastKeptAt = now;
    const leftMs = this.#lastKeptAt + KUBE_PROXY_MS - now;
    if (leftMs <= 0) return { loadBalancer };
    if (this.#delayed?.of !== loadBalancer)
      this.#delayed = { of: loadBalancer, is: { ...loadBalancer, mode: "IPVS" } };
    return { loadBalancer: this.#delayed.is, againMs: leftMs };
  }
}

/** Whether kube-proxy is to leave any address to us. */
function hasKept(services: Services): boolean {
  for (const key of services.keys()) if (services.get(key)?.isKept === true) return true;
  return false;
}
