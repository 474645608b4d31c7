/**
 * Sees every change of every Service of a namespace, in the order in which the API server made them, and who has which
 * address after each: an address that two have is noticed even if the next change puts it right.
 */
import type { KubeClient } from "#common/kube/client.ts";
import { type Service, services } from "#common/kube/resource.ts";

const addressOf = ({ status }: Service): string | undefined => status?.loadBalancer?.ingress?.[0]?.ip;

export class Witness {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #stop = new AbortController();
  /** Service -> its address. */
  readonly #present = new Map<string, string | undefined>();
  /** Address -> Service. */
  readonly #holders = new Map<string, string>();
  #held: ReadonlySet<string> = new Set();
  #watching: Promise<void> = Promise.resolve();
  looks = 0;
  /** A line for each time that a Service came to have what another had. */
  readonly twice: string[] = [];
  /** A line for each change of an address that was to stay. */
  readonly moved: string[] = [];

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async start(): Promise<void> {
    const { items, resourceVersion } = await this.#client.list(services, { namespace: this.#namespace });
    for (const service of items) this.#see(service);
    this.#watching = this.#watch(resourceVersion);
    // Shows in `end`.
    this.#watching.catch(() => undefined);
  }

  /** From now on the addresses of these Services may not change. */
  hold(names: Iterable<string>): void {
    this.#held = new Set(names);
  }

  names(): string[] {
    return [...this.#present.keys()];
  }

  /** Services without an address. */
  get waiting(): number {
    return [...this.#present.values()].filter((address) => address === undefined).length;
  }

  end(): Promise<void> {
    this.#stop.abort();
    return this.#watching;
  }

  /** The server ends a watch now and then; the next one goes on at the version that was seen last. */
  async #watch(from: string): Promise<void> {
    let resourceVersion = from;
    while (!this.#stop.signal.aborted) {
      const options = { namespace: this.#namespace, resourceVersion };
      for await (const event of this.#client.watch(services, options, this.#stop.signal)) {
        if (event.type === "BOOKMARK") {
          resourceVersion = event.resourceVersion;
          continue;
        }
        resourceVersion = event.object.metadata.resourceVersion;
        if (event.type === "DELETED") this.#forget(event.object.metadata.name);
        else this.#see(event.object);
      }
    }
  }

  #see(service: Service): void {
    if (service.spec?.type !== "LoadBalancer") return;
    const { name } = service.metadata;
    const address = addressOf(service);
    const before = this.#present.get(name);
    this.looks += 1;
    if (address === before && this.#present.has(name)) return;
    if (this.#held.has(name)) this.moved.push(`${name}: ${before} -> ${address}`);
    this.#forget(name);
    this.#present.set(name, address);
    if (address === undefined) return;
    const holder = this.#holders.get(address);
    if (holder !== undefined) this.twice.push(`${address}: ${holder} and ${name}`);
    this.#holders.set(address, name);
  }

  #forget(name: string): void {
    const address = this.#present.get(name);
    this.#present.delete(name);
    if (address !== undefined && this.#holders.get(address) === name) this.#holders.delete(address);
  }
}
