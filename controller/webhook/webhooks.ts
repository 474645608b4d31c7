/** The validating webhook of one replica: what it judges with, and waiting for its certificate. Leader or not. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { looksAtServices } from "#api/v1beta1/admission/judge.ts";
import { JUDGED_KINDS } from "#api/v1beta1/admission/kinds.ts";
import type { Question } from "#api/v1beta1/admission/question.ts";
import type { AdmissionView, ServiceInUse } from "#api/v1beta1/admission/view.ts";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { Reflector } from "#common/kube/reflector.ts";
import {
  addressPools,
  type BFDProfile,
  type BGPPeer,
  bfdProfiles,
  bgpPeers,
  type Service,
  type AddressPool as StoredPool,
  services,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { Store } from "#common/kube/store.ts";
import { keyOf } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import type { Random } from "#common/random.ts";
import { ReservedWatch } from "#controller/reserved-watch.ts";
import { readClients } from "#controller/webhook/clients.ts";
import { startWebhook, type Webhook } from "#controller/webhook/server.ts";

export interface WebhooksOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly namespace: string;
  readonly port: number;
  readonly certificateDirectory: string;
  /** May hold ca.crt and allowed-names. */
  readonly clientsDirectory: string;
  readonly metrics: Metrics;
}

const CERTIFICATE_RETRY_MS = 1_000;
/** Services in a page, and milliseconds for all: the API server waits 5 s for a verdict. */
const PAGE = 500;
const LIST_MS = 4_000;

export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #pools = new Store<StoredPool>();
  readonly #peers = new Store<BGPPeer>();
  readonly #profiles = new Store<BFDProfile>();
  readonly #reserved: ReservedWatch;
  #server: Webhook | undefined;
  #isSynced = false;
  /** The reading of Services that is under way. */
  #reading: Promise<readonly ServiceInUse[]> | undefined;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const { client, clock, random, log } = options;
    this.#reserved = new ReservedWatch({ client, clock, random, log });
  }

  /** Why no object can be judged yet; undefined if they can. */
  unready(): string | undefined {
    if (!this.#isSynced) return "AddressPools, BGPPeers and BFDProfiles are not read yet";
    return this.#server === undefined ? "the webhook has no certificate yet" : undefined;
  }

  /** Serves until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, random, log, namespace, onSetback } = this.#options;
    const ours = { client, clock, random, log, namespace, ...(onSetback !== undefined && { onSetback }) };
    const reflectors = [
      new Reflector<StoredPool>({ ...ours, resource: addressPools, store: this.#pools }),
      new Reflector<BGPPeer>({ ...ours, resource: bgpPeers, store: this.#peers }),
      new Reflector<BFDProfile>({ ...ours, resource: bfdProfiles, store: this.#profiles }),
    ];
    const ended = Promise.all(reflectors.map((reflector) => reflector.start(signal)));
    // Only warnings need it, so the start does not wait for it.
    const reserved = this.#reserved.start(signal).then((watch) => watch.ended);
    const synced = Promise.all(reflectors.map((reflector) => reflector.synced())).then(() => {
      this.#isSynced = true;
    });
    await Promise.race([synced, ended]);
    await this.#serve(signal);
    await Promise.all([ended, reserved]);
    await this.#server?.close();
  }

  /** The operator makes the certificate and the kubelet mounts it, which may take longer than our own start. */
  async #serve(signal: AbortSignal): Promise<void> {
    const { port, clock, log, certificateDirectory, clientsDirectory, metrics } = this.#options;
    for (let attempt = 0; !signal.aborted && this.#server === undefined; attempt += 1) {
      try {
        this.#server = await startWebhook({
          port,
          clock,
          log,
          view: (question) => this.#view(question),
          readPair: async () => ({
            cert: await readFile(join(certificateDirectory, "tls.crt"), "utf8"),
            key: await readFile(join(certificateDirectory, "tls.key"), "utf8"),
            ...(await readClients(clientsDirectory)),
          }),
          onReviewed: (kind, verdict) => {
            // Whoever asks may make kinds up.
            const label = JUDGED_KINDS.includes(kind) ? kind : "other";
            metrics.count("genkan_webhook_reviews_total", { kind: label, verdict });
          },
        });
        log.info("webhook serves", { port: this.#server.port });
      } catch (error) {
        if (attempt === 0) log.warn("the webhook cannot serve yet", { error: errorText(error) });
        await clock.sleep(CERTIFICATE_RETRY_MS, signal);
      }
    }
  }

  async #view(question: Question): Promise<AdmissionView | undefined> {
    if (!this.#isSynced) return undefined;
    return {
      namespace: this.#options.namespace,
      pools: this.#pools.list(),
      peers: this.#peers.list(),
      profiles: this.#profiles.list(),
      reserved: this.#reserved.reserved,
      services: this.#mayHearOfServices(question) ? await this.#servicesInUse() : [],
    };
  }

  /**
   * Only somebody who changes an existing pool learns names of Services. Everybody who reaches the port can make up a
   * pool, but the UID of an existing one is known only to the API server and to whoever may read it. A pool that is
   * newer than what this replica has read goes without a warning.
   */
  #mayHearOfServices(question: Question): boolean {
    const uid = question.oldObject?.metadata.uid;
    if (uid === undefined || !looksAtServices(question)) return false;
    return this.#pools.list().some(({ metadata }) => metadata.uid === uid);
  }

  /**
   * Read when somebody asks, which is seldom: a watch on every replica would cost the API server more. Questions that
   * come while it is being read share the result: a warning needs to be no newer than that.
   */
  #servicesInUse(): Promise<readonly ServiceInUse[]> {
    this.#reading ??= this.#readServices().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readServices(): Promise<readonly ServiceInUse[]> {
    const { client, clock } = this.#options;
    const found: ServiceInUse[] = [];
    const end = clock.now() + LIST_MS;
    let continueToken: string | undefined;
    do {
      const timeoutMs = Math.max(1, end - clock.now());
      const page = await client.list(services, {
        limit: PAGE,
        timeoutMs,
        ...(continueToken && { continueToken }),
      });
      for (const service of page.items) {
        const addresses = addressesOf(service);
        if (addresses.length > 0) found.push({ key: keyOf(service), addresses });
      }
      ({ continueToken } = page);
    } while (continueToken !== undefined && continueToken !== "");
    return found;
  }
}

const addressesOf = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
