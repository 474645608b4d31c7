/**
 * Leader election over a Lease: at most one of several processes works at a time.
 *
 * - Every write carries the resourceVersion that was read, so two candidates cannot both win.
 * - Whether a holder is dead is judged by how long its record has not changed on *our* clock, never by comparing its
 *   timestamps with our date: clocks of nodes differ.
 * - The leader counts from the moment it *sent* the last renewal that was confirmed. When `renewDeadlineMs` pass
 *   without another, the work's signal aborts; candidates take over `leaseDurationMs` after they *saw* that renewal,
 *   which is later. The gap between the two is the time that the work has for stopping.
 */
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict } from "#common/kube/error.ts";
import { type Lease, leases } from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import { jittered, type Random } from "#common/random.ts";

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly name: string;
  readonly namespace: string;
  /** Different for every process, for example the pod's name. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /**
   * The work. Must end soon after its signal aborts: leadership is gone then, or the process stops. `isLeading` is to
   * be asked right before each write: a process that stood still for longer than its lease goes on where it was, and
   * its timers come later than the answers that it was waiting for.
   */
  readonly onStarted: (signal: AbortSignal, isLeading: () => boolean) => Promise<void>;
  /** Ends the election; a leader gives the Lease back once its work has ended. */
  readonly signal: AbortSignal;
  /** A record unchanged for so long is taken for dead; default 15,000. Whole seconds. */
  readonly leaseDurationMs?: number;
  /** A leader that could not renew for so long stops; default 10,000. Less than leaseDurationMs. */
  readonly renewDeadlineMs?: number;
  /** Between two attempts (spread by a fifth); default 2,000. */
  readonly retryMs?: number;
}

/** The work did not end although leadership was lost: only the end of the process keeps two from working. */
export class LeadershipError extends Error {
  override readonly name = "LeadershipError";
  readonly code = "LEADERSHIP";
}

interface Timing {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
}

/** One look at the Lease: the record, and since when it has been as it is on our clock. */
interface Observation {
  readonly record: string;
  readonly since: number;
}

/**
 * Campaigns, works, and campaigns again after a loss, until `signal` aborts or the work ends by itself. Rejects with
 * the work's error, or with LeadershipError (the caller must then end the process).
 */
export async function runLeaderElection(options: LeaderElectionOptions): Promise<void> {
  const election = new Election(options);
  while (!options.signal.aborted) {
    const wonAt = await election.campaign();
    if (wonAt === undefined) return;
    const end = await election.lead(wonAt);
    if (end === "done") return;
  }
}

class Election {
  readonly #options: LeaderElectionOptions;
  readonly #timing: Timing;
  readonly #log: Logger;
  #observed: Observation = { record: "", since: 0 };
  #knownHolder = "";
  /** Clock.now() at which the last renewal that was confirmed was sent. */
  #confirmedAt = 0;

  constructor(options: LeaderElectionOptions) {
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryMs = 2_000 } = options;
    this.#options = options;
    this.#timing = { leaseDurationMs, renewDeadlineMs, retryMs };
    this.#log = options.log.child({ lease: options.name, identity: options.identity });
    if (renewDeadlineMs >= leaseDurationMs || retryMs >= renewDeadlineMs || leaseDurationMs < 1_000) {
      throw new RangeError(
        `retryMs < renewDeadlineMs < leaseDurationMs must hold: ${JSON.stringify(this.#timing)}`,
      );
    }
  }

  /** Clock.now() from which the Lease is ours; undefined when the election was ended. */
  async campaign(): Promise<number | undefined> {
    const { clock, random, signal } = this.#options;
    while (!signal.aborted) {
      const sentAt = clock.now();
      try {
        if (await this.#acquireOrRenew(this.#timing.renewDeadlineMs)) return sentAt;
      } catch (error) {
        if (!signal.aborted) this.#log.warn("cannot campaign", { error: errorText(error) });
      }
      await clock.sleep(jittered(this.#timing.retryMs, 0.2, random), signal);
    }
    return undefined;
  }

  /** Works until the work ends, leadership is lost ("lost") or the election is ended ("done"). */
  async lead(wonAt: number): Promise<"lost" | "done"> {
    const { clock, signal, onStarted } = this.#options;
    this.#log.info("leading");
    const term = new AbortController();
    const stop = (): void => term.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#confirmedAt = wonAt;
    const isLeading = (): boolean => !term.signal.aborted && clock.now() < this.#deadline;
    const work = settled(onStarted(term.signal, isLeading));
    const renewing = this.#renewUntilLost(term);
    const workEnd = Promise.race([work, renewing.then(() => undefined)]);
    const first = await workEnd;
    const over = new AbortController();
    const outcome = first ?? (await Promise.race([work, this.#graceOver(signal.aborted, over.signal)]));
    over.abort();
    const wasLost = term.signal.reason instanceof RenewalMissed;
    term.abort();
    await renewing;
    signal.removeEventListener("abort", stop);
    if (outcome === "timeout") {
      throw new LeadershipError(`lease ${this.#options.name}: the work goes on although leadership is lost`);
    }
    if (!wasLost) await this.#release();
    this.#log.info("no longer leading", { lost: wasLost, at: clock.date().toISOString() });
    if ("error" in outcome) throw outcome.error;
    return wasLost ? "lost" : "done";
  }

  /** Renews until `term` aborts; aborts it itself when the deadline passes or another holder is seen. */
  async #renewUntilLost(term: AbortController): Promise<void> {
    const { clock, random } = this.#options;
    const { renewDeadlineMs, retryMs } = this.#timing;
    const lose = (why: string): void => {
      if (term.signal.aborted) return;
      this.#log.error("leadership lost", { why });
      term.abort(new RenewalMissed(why));
    };
    const onDeadline = (): void => lose(`no renewal was confirmed for ${renewDeadlineMs} ms`);
    let cancel = clock.after(this.#deadline - clock.now(), onDeadline);
    while (!term.signal.aborted) {
      await clock.sleep(jittered(retryMs, 0.2, random), term.signal);
      if (term.signal.aborted) break;
      const sentAt = clock.now();
      try {
        const leftMs = Math.max(1, this.#deadline - sentAt);
        if (await this.#acquireOrRenew(leftMs, term.signal)) {
          this.#confirmedAt = sentAt;
          cancel();
          cancel = clock.after(this.#deadline - clock.now(), onDeadline);
        } else if (this.#knownHolder !== this.#options.identity) {
          lose(`the lease is held by "${this.#knownHolder}"`);
        }
      } catch (error) {
        if (!term.signal.aborted) this.#log.warn("cannot renew", { error: errorText(error) });
      }
    }
    cancel();
  }

  /** Clock.now() from which we may not work any more unless another renewal is confirmed. */
  get #deadline(): number {
    return this.#confirmedAt + this.#timing.renewDeadlineMs;
  }

  /** True if the Lease is ours after it. */
  async #acquireOrRenew(timeoutMs: number, signal: AbortSignal = this.#options.signal): Promise<boolean> {
    const { client, name, namespace, identity, clock } = this.#options;
    const lease = await client.get(leases, name, namespace, { timeoutMs, signal });
    if (lease === undefined)
      return this.#write(() => client.create(leases, this.#draft(undefined), { timeoutMs, signal }));
    this.#observe(lease);
    const holder = holderOf(lease);
    const heldMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1_000;
    const isHeld = holder !== "" && holder !== identity && clock.now() < this.#observed.since + heldMs;
    if (isHeld) return false;
    return this.#write(() => client.replace(leases, this.#draft(lease), { timeoutMs, signal }));
  }

  async #write(send: () => Promise<Lease>): Promise<boolean> {
    try {
      this.#observe(await send());
      return true;
    } catch (error) {
      // Somebody else wrote between our look and our write: look again at the next attempt.
      if (isConflict(error)) return false;
      throw error;
    }
  }

  #observe(lease: Lease): void {
    const record = JSON.stringify(lease.spec ?? {});
    if (record !== this.#observed.record) this.#observed = { record, since: this.#options.clock.now() };
    const holder = holderOf(lease);
    if (holder !== this.#knownHolder && holder !== "") this.#log.info("leader", { holder });
    this.#knownHolder = holder;
  }

  #draft(lease: Lease | undefined): Draft<Lease> {
    const { name, namespace, identity, clock } = this.#options;
    const now = microTime(clock.date());
    const wasOurs = lease?.spec?.holderIdentity === identity;
    const transitions = lease?.spec?.leaseTransitions ?? 0;
    return {
      metadata: lease?.metadata ?? { name, namespace },
      spec: {
        ...lease?.spec,
        holderIdentity: identity,
        leaseDurationSeconds: Math.round(this.#timing.leaseDurationMs / 1_000),
        acquireTime: wasOurs ? (lease?.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: wasOurs || lease === undefined ? transitions : transitions + 1,
      },
    };
  }

  /** Gives the Lease back, so that the next one need not wait. A failure costs the others only time. */
  async #release(): Promise<void> {
    const { client, name, namespace, identity } = this.#options;
    try {
      const lease = await client.get(leases, name, namespace, { timeoutMs: 3_000 });
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
      await client.replace(leases, { metadata: lease.metadata, spec }, { timeoutMs: 3_000 });
    } catch (error) {
      this.#log.warn("cannot give the lease back", { error: errorText(error) });
    }
  }

  /** After a loss the work has until others may start; after an orderly stop as long as the lease is renewed no more. */
  async #graceOver(isOrderly: boolean, over: AbortSignal): Promise<"timeout"> {
    const { leaseDurationMs, renewDeadlineMs } = this.#timing;
    const ms = leaseDurationMs - renewDeadlineMs;
    await this.#options.clock.sleep(isOrderly ? ms + renewDeadlineMs / 2 : ms * 0.8, over);
    return "timeout";
  }
}

class RenewalMissed extends Error {
  readonly code = "RENEWAL_MISSED";
}

/** The form of Lease times: microseconds. */
export function microTime(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}

type Outcome = { readonly done: true } | { readonly error: unknown };

/** The work's end as a value, so that it can lose a race without being an unhandled rejection. */
function settled(work: Promise<void>): Promise<Outcome> {
  return work.then(
    () => ({ done: true }) as const,
    (error: unknown) => ({ error }),
  );
}

/** "" where nobody has it: whoever gives a Lease up empties the field or takes it out. */
const holderOf = ({ spec }: Lease): string => spec?.holderIdentity ?? "";
