/** Which Services to look at again: those that are other objects now, or of which a slice is. */
import type { ReadStore } from "#common/kube/store.ts";
import type { ServiceView, SliceView } from "./view.ts";

export class ChangedServices {
  #changed = new Set<string>();
  /** Slice -> its Service: a slice that is deleted, or given to another Service, changes the one that had it. */
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

  /** All since the last time that it was asked. */
  take(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }
}
