/**
 * How long things have been so, by the operator's own watching. What the API server says about it is not to be had, or is
 * somebody else's clock; a new operator begins to count anew.
 */
import type { Clock } from "#common/clock.ts";
import type { Deployment } from "#common/kube/resource.ts";
import type { PodView } from "#operator/view.ts";

export class Memory {
  readonly #clock: Clock;
  /** What is so -> since when, Clock.now(). */
  readonly #since = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds without any speaker's pod; 0 while there is one. */
  withoutSpeakersMs(pods: readonly PodView[]): number {
    return this.#forMs(
      "withoutSpeakers",
      pods.every(({ component }) => component !== "speaker"),
    );
  }

  /**
   * Milliseconds without any controller that answers; 0 while there is one. The Deployment's own condition Available
   * does not say it: that turns False as soon as one of the replicas is missing, which may be hours before the last.
   */
  withoutControllersMs(deployment: Deployment | undefined): number {
    return this.#forMs("withoutControllers", (deployment?.status?.availableReplicas ?? 0) === 0);
  }

  #forMs(what: string, isSo: boolean): number {
    if (!isSo) {
      this.#since.delete(what);
      return 0;
    }
    const now = this.#clock.now();
    const since = this.#since.get(what) ?? now;
    this.#since.set(what, since);
    return now - since;
  }
}
