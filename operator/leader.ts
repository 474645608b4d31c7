/** One term of the leading operator: stores -> view -> plan -> apply -> status. */
import {
  FIELD_MANAGER,
  GOSSIP_SECRET_ENTRY,
  GOSSIP_SECRET_NAME,
  WEBHOOK_CONFIGURATION_NAME,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import { ConditionType, ContestedReason } from "#api/v1beta1/conditions.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import type { EventRecorder } from "#common/kube/events.ts";
import {
  apiVersionOf,
  type LoadBalancer,
  loadBalancers,
  type Secret,
  secrets,
  type ValidatingWebhookConfiguration,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import type { Logger } from "#common/log.ts";
import { createLoop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import { ApplyError, applyPlan } from "#operator/apply.ts";
import { certificateOf, flawOf, issueCertificate } from "#operator/certificate.ts";
import { describeChild, type Site } from "#operator/children/child.ts";
import { type ServingCertificate, trustedBy, webhookDnsNames } from "#operator/children/webhook.ts";
import { ChildContests } from "#operator/contention.ts";
import { GossipKeys } from "#operator/gossip-keys.ts";
import { type Application, type Plan, planOperator } from "#operator/plan.ts";
import { misnamedStatus, statusOf } from "#operator/status.ts";
import { Stores } from "#operator/stores.ts";
import { childKey, type OperatorView } from "#operator/view.ts";

export interface LeaderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly onSetback?: OnSetback;
  readonly site: Site;
}

/** Certificates grow old and Leases die without an event. */
const RESYNC_MS = 30_000;
/** A rollout is many small changes. */
const MIN_INTERVAL_MS = 100;

/** Runs until `signal` aborts. `onPlan` is told each pass's plan. */
export async function runTerm(
  options: LeaderOptions,
  signal: AbortSignal,
  onPlan: (plan: Plan) => void,
): Promise<void> {
  const { clock, random, log, ...rest } = options;
  const stores = new Stores({ ...options, site: rest.site });
  const certificates = new Certificates(options, stores);
  const keys = new GossipKeys();
  const contests = new ChildContests();
  const loop = createLoop({
    name: "operator",
    clock,
    random,
    log,
    minIntervalMs: MIN_INTERVAL_MS,
    resyncMs: RESYNC_MS,
    backoffMs: { baseMs: 250, capMs: 5_000 },
    pass: async () => {
      const certificate = await certificates.present();
      const view = stores.view({ certificate, gossipKeys: gossipKeysOf(keys, options, stores) });
      const plan = contests.damp(planOperator(view), view.children, clock.now());
      onPlan(plan);
      // Said before it is done: a removal's last step takes the object away.
      if (plan.phase === "Removing") await writeStatuses(options, view, plan);
      try {
        await applyPlan(
          { ...options, onApplied: noteApplied(contests, view, clock) },
          plan,
          view.loadBalancer,
        );
      } catch (error) {
        if (error instanceof ApplyError) await writeStatuses(options, view, plan, error.failures);
        throw error;
      }
      if (plan.phase !== "Removing") await writeStatuses(options, view, plan);
      return plan.retryAfterMs === undefined ? {} : { retryAfterMs: plan.retryAfterMs };
    },
  });
  await stores.start(() => loop.trigger(), signal);
  if (!signal.aborted) await loop.run(signal);
}

/** A write is an answer to the version that the view shows. */
function noteApplied(contests: ChildContests, { children }: OperatorView, clock: Clock) {
  const versions = new Map(children.map((child) => [childKey(child), child.object.metadata.resourceVersion]));
  return (application: Application, version: string): void => {
    const over = versions.get(describeChild(application.child.resource, application.child.object));
    contests.applied(application, { over, version }, clock.now());
  };
}

/** The certificate to serve with: the stored one while it has no flaw, else a new one (the plan stores it). */
class Certificates {
  readonly #options: LeaderOptions;
  readonly #stores: Stores;
  #issued: ServingCertificate | undefined;

  constructor(options: LeaderOptions, stores: Stores) {
    this.#options = options;
    this.#stores = stores;
  }

  async present(): Promise<ServingCertificate> {
    const { site, clock, random, log } = this.#options;
    const dnsNames = webhookDnsNames(site.namespace);
    const secret = this.#stores.child(secrets, WEBHOOK_SECRET_NAME) as Secret | undefined;
    const stored = certificateOf(secret?.data as Record<string, string> | undefined);
    if (stored !== undefined && flawOf(stored, dnsNames, clock.date()) === undefined) {
      this.#issued = undefined;
      return stored;
    }
    if (this.#issued !== undefined && flawOf(this.#issued, dnsNames, clock.date()) === undefined)
      return this.#issued;
    log.info("a new webhook certificate", {
      event: "certificateIssued",
      why: flawOf(stored, dnsNames, clock.date()),
    });
    // The configuration knows whom to trust even where the Secret is gone, which is how a new one is asked for.
    const configuration = this.#stores.child(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
    this.#issued = await issueCertificate({
      dnsNames,
      now: clock.date(),
      random,
      trusted:
        trustedBy(configuration as ValidatingWebhookConfiguration | undefined) || (stored?.authorities ?? ""),
    });
    return this.#issued;
  }
}

/** The keys to gossip by: the stored ones until the next is due (the plan stores it). */
function gossipKeysOf(keys: GossipKeys, { clock, random, log }: LeaderOptions, stores: Stores): string {
  const secret = stores.child(secrets, GOSSIP_SECRET_NAME) as Secret | undefined;
  const encoded: unknown = secret?.data?.[GOSSIP_SECRET_ENTRY];
  const stored = typeof encoded === "string" ? Buffer.from(encoded, "base64").toString("utf8") : undefined;
  const next = keys.next(stored, clock.date(), random);
  if (next.isNew) log.info("the keys of gossip change", { event: "gossipKeys" });
  return next.keys;
}

async function writeStatuses(
  options: LeaderOptions,
  view: OperatorView,
  plan: Plan,
  failures: readonly string[] = [],
): Promise<void> {
  const { loadBalancer, misnamed, now } = view;
  if (loadBalancer !== undefined) {
    const status = statusOf(view, plan, loadBalancer, failures);
    emitContest(options, loadBalancer, status);
    await writeStatus(options, loadBalancer, status);
  }
  for (const balancer of misnamed) await writeStatus(options, balancer, misnamedStatus(balancer, now));
}

/** One event when somebody begins to write what we write. */
function emitContest(
  { events, log }: LeaderOptions,
  balancer: LoadBalancer,
  next: LoadBalancer["status"] | undefined,
): void {
  const contest = (status: LoadBalancer["status"] | undefined) =>
    status?.conditions?.find(({ type, status: is }) => type === ConditionType.Contested && is === "True");
  const { reason = "", message = "" } = contest(next) ?? {};
  if (message === "" || contest(balancer.status) !== undefined) return;
  log.warn("somebody else keeps writing what the operator writes", { reason, why: message });
  events.emit(
    { apiVersion: apiVersionOf(loadBalancers), kind: loadBalancers.kind, metadata: balancer.metadata },
    { type: "Warning", reason: ContestedReason.ChildContested, message },
  );
}

async function writeStatus(
  { client }: LeaderOptions,
  balancer: LoadBalancer,
  status: LoadBalancer["status"] | undefined,
): Promise<void> {
  if (status === undefined) return;
  const { name, namespace = "", resourceVersion } = balancer.metadata;
  try {
    await client.patch(loadBalancers, {
      name,
      namespace,
      subresource: "status",
      type: "merge",
      body: { metadata: { resourceVersion }, status },
      fieldManager: FIELD_MANAGER.operator,
    });
  } catch (error) {
    // Somebody was quicker, or it is gone: the watch brings the news and the next pass.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
