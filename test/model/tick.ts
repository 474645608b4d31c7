/**
 * Half a second of the model: gossip finds out who is there, Leases are renewed, and speakers make passes and tell each
 * other what they claim until nobody has anything to say. What takes milliseconds takes no time here, but for what `fateOf`
 * holds up. It runs the product's own decisions; what it does itself stands for membership.ts, owners.ts and speaker.ts,
 * which put them together, and for gossip.
 */
import type { Heard } from "#speaker/gossip/gossip.ts";
import { isUp } from "#speaker/gossip/types.ts";
import type { Claim } from "#speaker/ownership/claims.ts";
import { copyOf, hasLink, type Mail, type Speaker, type Waiting, type World } from "./model-state.ts";
import { planOf, stateText } from "./plan.ts";
import type { Rules } from "./rules.ts";

export const TICK_MS = 500;
/** Who hears nobody else takes so long to believe it of the others: SWIM's suspicions have to end. */
const ALONE_MS = 3_000;
/** From one whole state to the next that somebody asks for because another one is back. */
const REJOIN_MS = 1_000;
/** Whole states are exchanged at least so often: what was lost is heard then. */
const WHOLE_MS = 30_000;
const RENEW_MS = 1_000;
const LAST_MS = 1_000;
/** Passes until nobody has anything to say. */
const MOST_ROUNDS = 12;

/** What becomes of something that is on its way: at once; half a second later; both; or not at all. */
export type Fate = "now" | "late" | "twice" | "lost";
/** Asked for each thing on its way that matters, in order. */
export type FateOf = (mail: Mail) => Fate;

type Changing<T> = { -readonly [K in keyof T]: T[K] };

export class Tick {
  readonly #rules: Rules;
  readonly #world: Changing<World>;
  readonly #speakers: Map<string, Changing<Speaker>>;
  readonly #leases;
  readonly #fateOf: FateOf;
  #mail: Mail[] = [];
  readonly #waiting: Waiting[] = [];
  isLost = false;
  isLate = false;

  constructor(rules: Rules, world: World, fateOf: FateOf) {
    this.#rules = rules;
    this.#fateOf = fateOf;
    this.#speakers = new Map([...world.speakers].map(([name, speaker]) => [name, copyOf(name, speaker)]));
    this.#leases = new Map(world.leases);
    this.#world = { ...world, now: world.now + TICK_MS };
  }

  run(): World {
    const { now, waiting } = this.#world;
    for (const [name, { leavesAt }] of this.#speakers)
      if (leavesAt !== undefined && leavesAt <= now) this.#speakers.delete(name);
    const woken: string[] = [];
    for (const [name, speaker] of this.#speakers) {
      if (speaker.stoppedUntil === undefined || speaker.stoppedUntil > now) continue;
      speaker.stoppedUntil = undefined;
      woken.push(name);
    }
    for (const one of waiting) {
      if (one.at > now) this.#waiting.push(one);
      else this.#mail.push(one.mail);
    }
    // What was held up once is not asked for again.
    this.#deliver(() => "now");
    for (const name of this.#speakers.keys()) this.#listen(name);
    for (const [name, speaker] of this.#speakers)
      if (now % RENEW_MS === 0 || woken.includes(name)) this.#renew(name, speaker);
    this.#watchLeases();
    for (let round = 0; ; round += 1) {
      if (round === MOST_ROUNDS) throw new Error("speakers do not come to an end of talking");
      const before = [...this.#speakers.values()].map(({ said }) => said).join();
      for (const [name, speaker] of this.#speakers) if (this.#gossips(name)) this.#pass(name, speaker);
      this.#watchLeases();
      const isQuiet = before === [...this.#speakers.values()].map(({ said }) => said).join();
      if (isQuiet && this.#mail.length === 0) break;
      this.#deliver(this.#fateOf);
    }
    return { ...this.#world, speakers: this.#speakers, leases: this.#leases, waiting: this.#waiting };
  }

  /** Says goodbye, and answers for a moment longer. */
  leave(name: string): void {
    const speaker = this.#speakers.get(name);
    if (speaker === undefined) return;
    speaker.leavesAt = this.#world.now + LAST_MS;
    for (const to of this.#world.names)
      if (this.#reaches(to, name)) this.#mail.push({ to, from: name, kind: "changed", state: "left" });
    const lease = this.#leases.get(name);
    if (lease !== undefined && !this.#world.apiCuts.has(name))
      this.#leases.set(name, { ...lease, stamp: `${name} left ${this.#world.now}`, isHeld: false });
  }

  /** It runs, and takes part. */
  #gossips(name: string): boolean {
    const speaker = this.#speakers.get(name);
    return speaker !== undefined && speaker.leavesAt === undefined && speaker.stoppedUntil === undefined;
  }

  /** Itself, or by way of a third. */
  #reaches(one: string, other: string): boolean {
    if (one === other || !this.#speakers.has(one) || !this.#speakers.has(other)) return false;
    if (hasLink(this.#world, one, other)) return true;
    return this.#world.names.some(
      (third) =>
        third !== one &&
        third !== other &&
        this.#gossips(third) &&
        hasLink(this.#world, one, third) &&
        hasLink(this.#world, third, other),
    );
  }

  /** Gossip, as far as its answers go: half a second until a silence is a death, for those who hear anybody else. */
  #listen(name: string): void {
    const { names, now } = this.#world;
    const speaker = this.#speakers.get(name);
    if (speaker === undefined || !this.#gossips(name)) return;
    const { heard } = speaker;
    const silentSince = new Map(speaker.silentSince);
    const others = names.filter((other) => other !== name);
    const isThere = (other: string): boolean => this.#gossips(other) && this.#reaches(name, other);
    const hearsAny = others.some((other) => this.#gossips(other) && hasLink(this.#world, name, other));
    const upCount = [...heard.values()].filter(isUp).length;
    for (const other of others) {
      const word = heard.get(other);
      if (isThere(other)) {
        silentSince.delete(other);
        if (word === undefined || !isUp(word))
          this.#mail.push({ to: name, from: other, kind: "changed", state: "alive" });
      } else if (word !== undefined && isUp(word)) {
        const since = silentSince.get(other) ?? now - TICK_MS;
        silentSince.set(other, since);
        const isSure = hearsAny || upCount < 2 || now - since >= ALONE_MS;
        if (isSure) this.#mail.push({ to: name, from: other, kind: "changed", state: "dead" });
      }
    }
    speaker.silentSince = silentSince;
  }

  #renew(name: string, { said }: Speaker): void {
    const { apiCuts, now } = this.#world;
    if (said === undefined || !this.#gossips(name) || apiCuts.has(name)) return;
    this.#leases.set(name, { stamp: `${now} ${said}`, isHeld: true, state: said });
  }

  #watchLeases(): void {
    const { apiCuts, now } = this.#world;
    for (const [name, { liveness, stoppedUntil }] of this.#speakers) {
      if (apiCuts.has(name) || stoppedUntil !== undefined) continue;
      for (const [node, record] of this.#leases)
        if (liveness.state.known.get(node)?.record.stamp !== record.stamp)
          liveness.observe(node, record, now);
    }
  }

  #deliver(fateOf: FateOf): void {
    const batch = this.#mail;
    this.#mail = [];
    for (const mail of batch) {
      if (!this.#matters(mail)) continue;
      const { stoppedUntil } = this.#speakers.get(mail.to) ?? {};
      if (stoppedUntil !== undefined) {
        // It lies in its socket until it goes on.
        this.#waiting.push({ mail, at: stoppedUntil });
        continue;
      }
      const fate = fateOf(mail);
      const { now } = this.#world;
      if (fate === "late" || fate === "twice") this.#waiting.push({ mail, at: now + TICK_MS });
      if (fate === "late") this.isLate = true;
      if (fate === "lost") {
        this.isLost = true;
        // It is in what they exchange whole, which they do now and then.
        const claims = mail.kind === "claims" ? mail.claims : [];
        const whole: Mail = { ...{ to: mail.to, from: mail.from, kind: "claims" }, claims, isWhole: true };
        this.#waiting.push({ mail: whole, at: now + WHOLE_MS });
      }
      if (fate === "now" || fate === "twice") this.#take(mail);
    }
  }

  #matters(mail: Mail): boolean {
    const speaker = this.#speakers.get(mail.to);
    if (speaker === undefined || speaker.leavesAt !== undefined) return false;
    if (mail.kind === "changed") return speaker.heard.get(mail.from)?.state !== mail.state;
    if (!hasLink(this.#world, mail.to, mail.from)) return false;
    if (mail.isWhole) return true;
    return mail.claims.some(({ vip, epoch }) => epoch >= (speaker.ownership.claims.of(vip)?.epoch ?? 0));
  }

  #take(mail: Mail): void {
    const speaker = this.#speakers.get(mail.to);
    if (speaker === undefined) return;
    if (mail.kind === "changed") this.#hear(speaker, mail);
    else this.#learn(speaker, mail);
  }

  /** As gossip.ts keeps it, and who asks for a whole state then. */
  #hear(speaker: Changing<Speaker>, { to, from, state }: Extract<Mail, { kind: "changed" }>): void {
    const { now } = this.#world;
    const before = speaker.heard.get(from);
    if (before?.state === state) return;
    // An older word that comes late.
    if (state === "dead" && before?.state === "left") return;
    const heard = new Map<string, Heard>(speaker.heard);
    const wasAlone = ![...heard.values()].some(isUp);
    if (wasAlone && isUp({ state })) speaker.contactAt = now;
    heard.set(from, { state, at: now, downAt: isUp({ state }) ? before?.downAt : now });
    speaker.heard = heard;
    if (!isUp({ state })) return;
    const isBack = before !== undefined && !isUp(before);
    const isUnjoined = speaker.joinedAt === undefined;
    if (!isUnjoined && !(isBack && now >= speaker.rejoinAt)) return;
    if (!hasLink(this.#world, to, from)) return;
    speaker.rejoinAt = now + REJOIN_MS;
    this.#exchange(to, from);
  }

  #exchange(one: string, other: string): void {
    if (!this.#gossips(other)) return;
    const claimsOf = (name: string): Claim[] => [
      ...(this.#speakers.get(name)?.ownership.claims.list() ?? []),
    ];
    this.#mail.push({ to: other, from: one, kind: "claims", claims: claimsOf(one), isWhole: true });
    this.#mail.push({ to: one, from: other, kind: "claims", claims: claimsOf(other), isWhole: true });
  }

  #learn(speaker: Changing<Speaker>, { to, claims, isWhole }: Extract<Mail, { kind: "claims" }>): void {
    const { ownership } = speaker;
    if (isWhole) speaker.joinedAt = this.#world.now;
    const wasFirst = ownership.claims.size === 0;
    const counting = this.#rules.hearClaims(ownership, claims, (name) => this.#world.names.includes(name));
    if (counting.length > 0) this.#tell(to, speaker, this.#rules.passOn(counting, wasFirst));
  }

  #tell(from: string, { heard }: Speaker, claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    for (const [to, word] of heard)
      if (isUp(word)) this.#mail.push({ to, from, kind: "claims", claims, isWhole: false });
  }

  /** One judgement and one pass, as membership.ts and speaker.ts make them. */
  #pass(name: string, speaker: Changing<Speaker>): void {
    const { names, now, rebalance } = this.#world;
    const { liveness, acquaintance, ownership, heard, contactAt, joinedAt } = speaker;
    const lease = liveness.judge(now);
    const renewals = (node: string) => liveness.renewals(node);
    const judgement = this.#rules.combine({ own: name, now, lease, renewals, heard });
    const gossip = { problem: undefined, members: heard, contactAt, joinedAt };
    acquaintance.look({ own: name, now, gossip, peers: names.length - 1, lease }, true);
    if (acquaintance.isIntroduced) {
      const said = stateText(true, acquaintance.hearsClaims);
      const isNews = said !== speaker.said;
      speaker.said = said;
      if (isNews) this.#renew(name, speaker);
    }
    const { live, dead, isFrozen } = judgement;
    const states = new Map(judgement.states).set(name, stateText(true, acquaintance.hearsClaims));
    const claimantOf = (vip: string): string | undefined => ownership.claims.of(vip)?.node;
    const addresses = planOf(name, this.#world, { live, states, claimantOf });
    speaker.isCounted ||= live.includes(name);
    const isHolding = this.#rules.isHolding({ isFrozen, isCatchingUp: acquaintance.isCatchingUp });
    const { made, given } = this.#rules.claim(ownership, {
      ...{ addresses, live, dead, mayClaim: !isHolding && speaker.isCounted, rebalance },
      ...{ now, date: NO_DATE },
    });
    this.#tell(name, speaker, [...made, ...given]);
    const wanted = addresses.filter(({ links }) => links.length > 0).map(({ vip }) => vip);
    speaker.held = new Set(isHolding ? wanted.filter((vip) => speaker.held.has(vip)) : wanted);
  }
}

const NO_DATE = new Date(0);
