/**
 * Secrets that users name: each is watched by its name, and no other. The operator grants just these to the speakers, so
 * that nothing else in the install namespace, the webhook's key least of all, is within reach of a node.
 */
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { Reflector, type ReflectorCounts } from "#common/kube/reflector.ts";
import { type Secret, secrets } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";

export interface NamedSecretsOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onChange: () => void;
}

/** What is read of them. */
export interface SecretKind<T> {
  /** One of another type is none of a speaker's business even if it is named. */
  readonly type: string;
  readonly project: (raw: Secret) => T | undefined;
}

/** A speaker that starts waits so long for them. Without a password its session is withheld, and nothing else is. */
const PATIENCE_MS = 1_000;

interface Watched<T> {
  readonly end: AbortController;
  readonly reflector: Reflector<Secret, T>;
  readonly running: Promise<void>;
}

export class NamedSecrets<T> {
  readonly #options: NamedSecretsOptions;
  readonly #kind: SecretKind<T>;
  /** By `namespace/name`. */
  readonly #store = new Store<T>();
  readonly #watched = new Map<string, Watched<T>>();
  #isOver = false;

  constructor(options: NamedSecretsOptions, kind: SecretKind<T>) {
    this.#options = options;
    this.#kind = kind;
    this.#store.subscribe(() => options.onChange());
  }

  /** Undefined if the Secret is not wanted, not there, of another type, or cannot be used. */
  get(secret: string): T | undefined {
    return this.#store.get(this.#key(secret));
  }

  /** Watches the Secrets of these names from now on, and no others. */
  want(names: Iterable<string>): void {
    if (this.#isOver) return;
    const wanted = new Set(names);
    for (const [name, { end }] of this.#watched) {
      if (wanted.has(name)) continue;
      end.abort();
      this.#watched.delete(name);
      this.#store.delete(this.#key(name));
    }
    for (const name of wanted) if (!this.#watched.has(name)) this.#watched.set(name, this.#watch(name));
  }

  /**
   * Resolves when all Secrets that are wanted now were read, or after a moment, because one may be missing or not
   * granted.
   */
  async settled(): Promise<void> {
    const read = [...this.#watched.values()].map(({ reflector }) => reflector.synced());
    if (read.length === 0) return;
    const patience = new AbortController();
    await Promise.race([Promise.all(read), this.#options.clock.sleep(PATIENCE_MS, patience.signal)]);
    patience.abort();
  }

  /** All watches as one, for metrics: the oldest contact and the sum of errors. Undefined if nothing is watched. */
  report(): { readonly counts: ReflectorCounts; readonly lastContact: number } | undefined {
    const all = [...this.#watched.values()].map(({ reflector }) => reflector);
    const [first] = all;
    if (first === undefined) return undefined;
    const errors = all.reduce((sum, reflector) => sum + reflector.counts().errors, 0);
    const lastContact = Math.min(...all.map((reflector) => reflector.lastContact()));
    return { counts: { ...first.counts(), errors }, lastContact };
  }

  /** Until `signal` aborts; nothing is watched any more when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#isOver = true;
    for (const { end } of this.#watched.values()) end.abort();
    await Promise.all([...this.#watched.values()].map(({ running }) => running));
  }

  #watch(name: string): Watched<T> {
    const { client, namespace, clock, random, log } = this.#options;
    const end = new AbortController();
    const reflector = new Reflector<Secret, T>({
      client,
      resource: secrets,
      store: this.#store,
      // An answer that was on its way when the name went out of use must not bring it back.
      project: (raw) => (end.signal.aborted ? undefined : this.#kind.project(raw)),
      clock,
      random,
      log: log.child({ secret: name }),
      namespace,
      // The name is what RBAC judges by.
      fieldSelector: `metadata.name=${name},type=${this.#kind.type}`,
    });
    return { end, reflector, running: reflector.start(end.signal) };
  }

  #key(name: string): string {
    return `${this.#options.namespace}/${name}`;
  }
}
