/**
 * Children that somebody else keeps rewriting: which of a plan's applications are due, and which wait. What differs from
 * what we want is put right after growing pauses; what others only add is left to them after a few times, for it keeps
 * nothing of ours from working. Pure but for what it remembers.
 */
import { FIELD_MANAGER } from "#api/names.ts";
import { printable } from "#api/printable.ts";
import { otherWriterOf } from "#common/kube/managers.ts";
import { WriteContests } from "#common/write-contest.ts";
import { describeChild } from "#operator/children/child.ts";
import { fingerprint } from "#operator/differs.ts";
import type { Application, Contended, Plan } from "#operator/plan.ts";
import { type ActualChild, childKey } from "#operator/view.ts";

/** The watch shows our own write within so long; a view without it is old. */
const LAG_MS = 1_000;

interface Sent {
  /** The version that we wrote over; undefined if the object was missing. */
  readonly over: string | undefined;
  readonly at: number;
}

export class ChildContests {
  readonly #contests: WriteContests;
  /** Last writes, until the watch shows another version. */
  readonly #sent = new Map<string, Sent>();
  readonly #contended = new Map<string, Contended>();

  constructor(contests = new WriteContests()) {
    this.#contests = contests;
  }

  /** The plan without what has to wait, and with what is fought over. `now` is Clock.now(). */
  damp(plan: Plan, children: readonly ActualChild[], now: number): Plan {
    const actual = new Map(children.map((child) => [childKey(child), child]));
    const waits: number[] = plan.retryAfterMs === undefined ? [] : [plan.retryAfterMs];
    const differing = new Set<string>();
    const apply = plan.apply.filter((application) => {
      const key = keyOf(application);
      differing.add(key);
      const wait = this.#waitOf(key, application, { actual: actual.get(key), now });
      if (wait !== undefined && wait > 0 && wait !== Number.POSITIVE_INFINITY) waits.push(wait);
      return wait === undefined;
    });
    for (const key of actual.keys()) {
      if (differing.has(key)) continue;
      this.#contests.stands(key);
      this.#sent.delete(key);
    }
    for (const key of this.#contended.keys()) {
      if (!this.#contests.isContested(key, now)) this.#contended.delete(key);
      const calmMs = this.#contests.calmInMs(key, now);
      if (calmMs !== undefined) waits.push(calmMs);
    }
    return {
      ...plan,
      apply,
      contended: [...this.#contended.values()],
      ...(waits.length === 0 ? {} : { retryAfterMs: Math.min(...waits) }),
    };
  }

  /** An application was written over `over`, and the API server has `version` now. */
  applied(
    application: Application,
    versions: { over: string | undefined; version: string },
    now: number,
  ): void {
    const key = keyOf(application);
    this.#contests.wrote(key, textOf(application), now);
    // A write that changed nothing is shown by no watch: somebody changes what we send before it is stored.
    if (versions.over === versions.version) this.#sent.delete(key);
    else this.#sent.set(key, { over: versions.over, at: now });
  }

  /** undefined: it is due. Milliseconds to wait; infinite: until something changes. */
  #waitOf(
    key: string,
    application: Application,
    { actual, now }: { readonly actual: ActualChild | undefined; readonly now: number },
  ): number | undefined {
    const text = textOf(application);
    const sent = this.#sent.get(key);
    const lagMs = sent === undefined ? 0 : sent.at + LAG_MS - now;
    if (sent !== undefined && lagMs > 0 && sent.over === actual?.object.metadata.resourceVersion)
      return lagMs;
    const waitMs = this.#contests.waitMs(key, text, now);
    if (!this.#contests.isContested(key, now, text)) return undefined;
    const isAddition = actual !== undefined && application.path === undefined;
    const isMissing = actual === undefined;
    this.#contended.set(key, {
      what: key,
      isMissing,
      path: application.path,
      ...writerOf(application, actual),
    });
    if (isAddition) return Number.POSITIVE_INFINITY;
    return waitMs > 0 ? waitMs : undefined;
  }
}

const keyOf = ({ child }: Application): string => describeChild(child.resource, child.object);
const textOf = ({ child }: Application): string => fingerprint(child.object);

function writerOf({ path }: Application, actual: ActualChild | undefined): Pick<Contended, "manager"> {
  const who = { ours: FIELD_MANAGER.operator, subresource: undefined };
  const strangers = actual?.strangers.filter((name) => name !== FIELD_MANAGER.operator) ?? [];
  const manager =
    (path === undefined ? undefined : otherWriterOf(actual?.fields, fieldsOf(path), who)) ?? strangers[0];
  return { manager };
}

/** `spec.containers[0].image` as managedFields have it. */
const fieldsOf = (path: string): string[] => path.replace(/\[\d+\]/g, ".[]").split(".");

/** For people: what is fought over, with whom, and what to do. */
export function contendedMessage({ what, isMissing, path, manager }: Contended): string {
  const who =
    manager === undefined
      ? "somebody whom the API server does not name (a mutating admission webhook, or another Genkan operator)"
      : `field manager "${printable(manager)}"`;
  if (isMissing)
    return `${what}: ${who} keeps taking it away; it is made again after growing pauses, of 5 minutes at most`;
  return path === undefined
    ? `${what}: ${who} keeps adding to it; additions are left as they are`
    : `${what}: ${who} keeps writing ${printable(path)}, which is put back after growing pauses, of 5 minutes at most: ` +
        "stop it, or let it leave objects of this namespace alone";
}
