/** Which Services have to be looked at again: those whose object changed, or one of whose EndpointSlices changed. */
import type { ReadStore } from "#common/kube/store.ts";
import type { ServiceView, SliceView } from "./view.ts";

export class ChangedServices {
  #changed = new Set<string>();
  /** Slice -> its Service. When a slice is deleted, or given to another Service, the Service that had it changes. */
  readonly #ofSlice = new Map<string, string>();

  constructor(services: ReadStore<ServiceView>, slices: ReadStore<SliceView>) {
    services.subscribe((key) => void this.#changed.add(key));
    slices.subscribe((slice) => {
      const before = this.#ofSlice.get(slice);
      const now = slices.get(slice)?.service;
      if (before !== undefined) this.#changed.add(before);
      if (now === undefined) this.#ofSlice.delete(slice);
      else {
        this.#changed.add(now);
        this.#ofSlice.set(slice, now);
      }
    });
  }

  /** All that changed since the last call. */
  take(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }
}
