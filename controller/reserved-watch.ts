/** Watches what the cluster itself uses: Nodes, and ServiceCIDRs where the API server has them (Kubernetes 1.33). */
import { addressesOfNode, NOTHING_RESERVED, type NodeAddresses, Reserved } from "#api/reserved.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { type Node, nodes, type ServiceCIDR, serviceCIDRs } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";

export interface ReservedWatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export class ReservedWatch {
  readonly #options: ReservedWatchOptions;
  readonly #nodes = new Store<NodeAddresses>();
  readonly #services = new Store<readonly string[]>();
  /** What was last seen of each object. A Node is updated every few seconds, and seldom in what matters here. */
  readonly #texts = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  /** undefined: something changed, and it has to be made again. */
  #reserved: Reserved | undefined = NOTHING_RESERVED;

  constructor(options: ReservedWatchOptions) {
    this.#options = options;
    this.#nodes.subscribe((key) => this.#note(`node ${key}`, this.#nodes.get(key)));
    this.#services.subscribe((key) => this.#note(`services ${key}`, this.#services.get(key)));
  }

  /** As it is now. */
  get reserved(): Reserved {
    this.#reserved ??= new Reserved(this.#nodes.list(), this.#services.list().flat());
    return this.#reserved;
  }

  /** Told when `reserved` is another. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when both lists are complete, or the signal aborted; `ended` when all is still after that. */
  async start(signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> {
    const watched: { start(signal: AbortSignal): Promise<void>; synced(): Promise<void> }[] = [
      new Reflector<Node, NodeAddresses>({
        ...this.#options,
        resource: nodes,
        store: this.#nodes,
        project: addressesOfNode,
      }),
    ];
    if (await this.#hasServiceCIDRs(signal)) {
      watched.push(
        new Reflector<ServiceCIDR, readonly string[]>({
          ...this.#options,
          resource: serviceCIDRs,
          store: this.#services,
          project: ({ spec }) => spec?.cidrs ?? [],
        }),
      );
    }
    const ended = Promise.all(watched.map((each) => each.start(signal)));
    await Promise.race([Promise.all(watched.map((each) => each.synced())), ended]);
    return { ended };
  }

  /**
   * An older API server has no ServiceCIDRs: a watch would ask for ever, and so would everybody who waits for its list.
   */
  async #hasServiceCIDRs(signal: AbortSignal): Promise<boolean> {
    const { client, log } = this.#options;
    try {
      await client.list(serviceCIDRs, { limit: 1, signal });
      return true;
    } catch (error) {
      if (!signal.aborted && !isNotFound(error)) {
        log.warn("cannot read ServiceCIDRs: no address is kept back for Services", {
          error: errorText(error),
        });
      }
      return false;
    }
  }

  #note(key: string, value: unknown): void {
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (this.#texts.get(key) === text) return;
    if (text === undefined) this.#texts.delete(key);
    else this.#texts.set(key, text);
    this.#reserved = undefined;
    for (const listener of this.#listeners) listener();
  }
}
