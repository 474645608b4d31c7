/**
 * Who may read, by his bearer token: the API server says, and its answers are kept for a while.
 *
 * - An answer that allows goes for a minute; then the API server is asked again, and while it cannot be asked the old
 *   one goes on, for a quarter of an hour. One that denies goes for ten seconds, so that a right that was given is soon
 *   there.
 * - The two are kept apart, and both are bounded: whoever makes tokens up pushes nobody out who has a right.
 * - Tokens that are not known cost questions, which are paced (allowance.ts). Those that were allowed before are not,
 *   and an address from which one came is paced by itself alone: it has a new token each hour.
 * - Tokens are kept as their SHA-256 alone.
 */
import { createHash } from "node:crypto";
import { Allowance, networkOf } from "#common/access/allowance.ts";
import type { Clock } from "#common/clock.ts";
import { causeOf } from "#common/kube/setbacks.ts";
import type { Logger } from "#common/log.ts";

/** What the API server says of a token: it may, it may not, there is no such token. */
export type Judgement = "allowed" | "forbidden" | "unknown";
/** ... or why it says nothing: no token, too many others ask, it cannot be asked. */
export type Admission = Judgement | "missing" | "busy" | "unreachable";

export interface GateOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** What it is about, for the log. */
  readonly purpose: string;
  /** Asks the API server; an error if there is no answer. */
  readonly judge: (token: string) => Promise<Judgement>;
}

const ALLOWED = { forMs: 60_000, atMostMs: 900_000, most: 64 } as const;
const DENIED = { forMs: 10_000, atMostMs: 10_000, most: 512 } as const;
/** Who was allowed asks no API server that did not answer a moment ago: scrapers wait for seconds only. */
const AWAY_MS = 5_000;
const MOST_UNDER_WAY = 16;
/** Addresses of clients that were allowed. */
const MOST_GOOD_ADDRESSES = 64;
/** Questions about tokens that are not known. */
const FOR_ONE = { burst: 10, perSecond: 1 } as const;
const TOGETHER = { burst: 40, perSecond: 5 } as const;
const LOG_PAUSE_MS = 60_000;

interface Kept {
  readonly judgement: Judgement;
  readonly at: number;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #allowance: Allowance;
  /** Oldest answer first. */
  readonly #allowed = new Map<string, Kept>();
  readonly #denied = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<Admission>>();
  readonly #goodAddresses = new Set<string>();
  #awayUntil = Number.NEGATIVE_INFINITY;
  #logAgainAt = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#allowance = new Allowance({ clock: options.clock, forOne: FOR_ONE, together: TOGETHER });
  }

  /** `address`: where the question came from. Never rejects. */
  async admit(token: string | undefined, address: string): Promise<Admission> {
    if (token === undefined || token === "") return "missing";
    const key = createHash("sha256").update(token).digest("base64");
    const now = this.#options.clock.now();
    const denied = fresh(this.#denied.get(key), DENIED.forMs, now);
    if (denied !== undefined) return denied.judgement;
    const allowed = fresh(this.#allowed.get(key), ALLOWED.atMostMs, now);
    if (allowed !== undefined && (now - allowed.at < ALLOWED.forMs || now < this.#awayUntil))
      return "allowed";
    const present = this.#underWay.get(key);
    if (present !== undefined) return await present;
    if (allowed === undefined && !this.#mayAsk(address)) return "busy";
    const asking = this.#ask(key, token, address);
    this.#underWay.set(key, asking);
    try {
      return await asking;
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** What is kept, for tests of its bounds. */
  get sizes(): Readonly<Record<"allowed" | "denied" | "underWay" | "addresses", number>> {
    return {
      allowed: this.#allowed.size,
      denied: this.#denied.size,
      underWay: this.#underWay.size,
      addresses: this.#allowance.size + this.#goodAddresses.size,
    };
  }

  #mayAsk(address: string): boolean {
    const isGood = this.#goodAddresses.has(networkOf(address));
    if (!isGood && this.#underWay.size >= MOST_UNDER_WAY) return false;
    return this.#allowance.take(address, isGood);
  }

  async #ask(key: string, token: string, address: string): Promise<Admission> {
    const { clock, judge } = this.#options;
    try {
      const judgement = await judge(token);
      this.#awayUntil = Number.NEGATIVE_INFINITY;
      this.#keep(key, { judgement, at: clock.now() });
      if (judgement === "allowed") remember(this.#goodAddresses, networkOf(address));
      return judgement;
    } catch (error) {
      const now = clock.now();
      this.#awayUntil = now + AWAY_MS;
      this.#logFailure(error, now);
      return fresh(this.#allowed.get(key), ALLOWED.atMostMs, now)?.judgement ?? "unreachable";
    }
  }

  #keep(key: string, kept: Kept): void {
    this.#allowed.delete(key);
    this.#denied.delete(key);
    const [into, { most }] = kept.judgement === "allowed" ? [this.#allowed, ALLOWED] : [this.#denied, DENIED];
    into.set(key, kept);
    const [oldest] = into.keys();
    if (into.size > most && oldest !== undefined) into.delete(oldest);
  }

  /** Only the cause: a server's message may repeat the token that it was asked about. */
  #logFailure(error: unknown, now: number): void {
    if (now < this.#logAgainAt) return;
    this.#logAgainAt = now + LOG_PAUSE_MS;
    const { log, purpose } = this.#options;
    log.warn(`the API server does not say who may ${purpose}`, { cause: causeOf(error) });
  }
}

const fresh = (kept: Kept | undefined, forMs: number, now: number): Kept | undefined =>
  kept !== undefined && now - kept.at < forMs ? kept : undefined;

function remember(addresses: Set<string>, address: string): void {
  addresses.delete(address);
  addresses.add(address);
  const [oldest] = addresses;
  if (addresses.size > MOST_GOOD_ADDRESSES && oldest !== undefined) addresses.delete(oldest);
}

/** Of `Authorization: Bearer ...` (RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1). */
export function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +([\w.~+/=-]+) *$/i.exec(header)?.[1];
}
