/** The endpoints of every Service of ours, kept while neither the Service nor one of its slices changes. */
import { attempt, type Unusable } from "../known/usable.ts";
import type { ClusterView } from "../known/view.ts";
import type { LeftOut } from "./claims.ts";
import { type Broadcasts, endpointsOf, type ServiceEndpoints } from "./endpoints.ts";
import { sameItems } from "./sorted-keys.ts";

/** Services whose endpoints changed, each with its state before. Undefined for a new Service. */
export type ServiceChanges = ReadonlyMap<string, ServiceEndpoints | undefined>;

export class Services {
  readonly #kept = new Map<string, ServiceEndpoints>();
  readonly #unusable = new Map<string, LeftOut>();
  #basis: { readonly loadBalancerClass: string | undefined; readonly broadcasts: Broadcasts } | undefined;

  get(key: string): ServiceEndpoints | undefined {
    return this.#kept.get(key);
  }

  entries(): Iterable<[string, ServiceEndpoints]> {
    return this.#kept;
  }

  /** Services that cannot be planned, by key. */
  get unusable(): ReadonlyMap<string, LeftOut> {
    return this.#unusable;
  }

  update(view: ClusterView, broadcasts: Broadcasts): ServiceChanges {
    const { loadBalancerClass } = view.loadBalancer;
    const before = this.#basis;
    const isSameBasis =
      before !== undefined &&
      before.loadBalancerClass === loadBalancerClass &&
      sameItems([...before.broadcasts].flat(), [...broadcasts].flat());
    this.#basis = { loadBalancerClass, broadcasts };
    const changes = new Map<string, ServiceEndpoints | undefined>();
    const keys =
      isSameBasis && view.changed !== undefined
        ? view.changed
        : new Set([...view.services.keys(), ...this.#kept.keys(), ...this.#unusable.keys()]);
    for (const key of keys) this.#look(view, key, { isSameBasis, broadcasts, changes });
    return changes;
  }

  #look(
    view: ClusterView,
    key: string,
    pass: {
      readonly isSameBasis: boolean;
      readonly broadcasts: Broadcasts;
      readonly changes: Map<string, ServiceEndpoints | undefined>;
    },
  ): void {
    const before = this.#kept.get(key);
    const service = view.services.get(key);
    if (service === undefined || service.loadBalancerClass !== view.loadBalancer.loadBalancerClass) {
      this.#unusable.delete(key);
      if (this.#kept.delete(key)) pass.changes.set(key, before);
      return;
    }
    const slices = view.slicesOf(key);
    if (pass.isSameBasis && before?.service === service && sameItems(before.slices, slices)) return;
    const next = this.#make(key, () => endpointsOf(service, slices, pass.broadcasts));
    if (next === undefined) {
      if (this.#kept.delete(key)) pass.changes.set(key, before);
      return;
    }
    this.#kept.set(key, next);
    pass.changes.set(key, before);
  }

  /** One Service that cannot be planned costs itself only. */
  #make(key: string, make: () => ServiceEndpoints): ServiceEndpoints | undefined {
    const faults: Unusable[] = [];
    const made = attempt(faults, key, make);
    const [fault] = faults;
    if (fault === undefined) this.#unusable.delete(key);
    else {
      const message = `nothing is done for Service ${fault.object}: ${fault.why}`;
      this.#unusable.set(key, { reason: "Unusable", message, services: [key] });
    }
    return made;
  }
}
