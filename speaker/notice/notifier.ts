/**
 * Tells a receiver outside of the cluster which addresses this node owns, where ARP moves no address. Nothing waits for it:
 * one call is on its way at a time, and what is announced stays announced whatever becomes of it.
 */
import { receiverText, whyNoReceiver } from "#api/receiver.ts";
import type { Cancel, Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import type { Trouble } from "../apply.ts";
import { isSamePassword } from "../known/password.ts";
import type { ReceiverSecret } from "../known/receiver-secrets.ts";
import { encodeBody, type OwnerNotice, type Sender, signatureHeaders } from "./body.ts";
import type { Answer, Caller } from "./call.ts";
import { Notices, type Outcome } from "./notices.ts";

/** "Told": nothing failed that was not made good. */
export type Standing = Trouble<"Told" | "ReceiverUnusable" | "ReceiverUnreached" | "ReceiverRefused">;

export interface NotifierOptions {
  readonly clock: Pick<Clock, "now" | "date" | "after">;
  readonly random: Pick<Random, "number">;
  readonly log: Logger;
  readonly call: Caller;
  /** These are about to be told. */
  readonly onTell: (notices: readonly OwnerNotice[]) => void;
  readonly onCall: (outcome: Outcome) => void;
  /** The state may say something else now. */
  readonly onChange: () => void;
}

export interface ReceiverWanted {
  readonly url: string;
  /** The name of the Secret. */
  readonly secret: string;
  /** What is in it; undefined: it is missing, or cannot be used. */
  readonly signing: ReceiverSecret | undefined;
  readonly sender: Sender;
  /** All that this node owns. */
  readonly notices: readonly OwnerNotice[];
}

const TOLD: Standing = { reason: "Told", message: "" };

export class Notifier {
  readonly #options: NotifierOptions;
  #notices = new Notices<OwnerNotice>();
  #wanted: ReceiverWanted | undefined;
  #standing: Standing | undefined;
  #cancel: Cancel | undefined;
  /** The call that is on its way. */
  #calling: AbortController | undefined;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  /** How it stands; undefined: nobody is to be told. */
  get standing(): Standing | undefined {
    return this.#standing;
  }

  get waiting(): number {
    return this.#notices.waiting;
  }

  /** From now on; undefined: nobody is told anything. */
  set(wanted: ReceiverWanted | undefined): void {
    const before = this.#wanted;
    this.#wanted = wanted;
    if (wanted === undefined || !isSameReceiver(before, wanted)) {
      this.#end();
      this.#notices = new Notices();
    }
    if (wanted === undefined) {
      this.#standing = undefined;
      return;
    }
    this.#notices.set(wanted.notices, this.#options.clock.now());
    const unusable = whyUnusable(wanted);
    if (unusable !== undefined) this.#standing = { reason: "ReceiverUnusable", message: unusable };
    else if (this.#standing === undefined || this.#standing.reason === "ReceiverUnusable")
      this.#standing = TOLD;
    this.#arm();
  }

  /** Nobody is told anything any more; a call that is on its way is given up. */
  close(): void {
    this.set(undefined);
  }

  #end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#calling?.abort();
    this.#calling = undefined;
  }

  #arm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#calling !== undefined || this.#standing?.reason === "ReceiverUnusable") return;
    const dueAt = this.#notices.dueAt();
    if (dueAt === undefined) return;
    const { clock } = this.#options;
    // Also what is due at once goes out after the pass, and not within it.
    this.#cancel = clock.after(Math.max(0, Math.ceil(dueAt - clock.now())), () => void this.#run());
  }

  async #run(): Promise<void> {
    const { clock, call, random, onTell, onCall, onChange } = this.#options;
    const wanted = this.#wanted;
    const told = this.#notices.take(clock.now());
    if (wanted?.signing === undefined || told.length === 0) {
      this.#arm();
      return;
    }
    const { url, signing, sender } = wanted;
    const body = encodeBody(sender, told);
    const headers = signatureHeaders(body, signing.key.reveal(), clock.date());
    const calling = new AbortController();
    this.#calling = calling;
    onTell(told);
    const answer = await call({ url, body, headers, ca: signing.ca, signal: calling.signal }).catch(
      (error: unknown): Answer => ({ failure: errorText(error) }),
    );
    if (this.#calling !== calling) return;
    this.#calling = undefined;
    const outcome = outcomeOf(answer);
    onCall(outcome);
    const before = { waiting: this.#notices.waiting, standing: this.#standing };
    this.#notices.settle(told, outcome, clock.now(), random.number());
    this.#judge(url, answer, told, this.#notices.waiting < before.waiting);
    this.#arm();
    if (before.standing?.message !== this.#standing?.message) onChange();
  }

  #judge(url: string, answer: Answer, told: readonly OwnerNotice[], isNews: boolean): void {
    const { log } = this.#options;
    const before = this.#standing;
    const receiver = receiverText(url);
    const about = { receiver, count: told.length, ips: told.slice(0, MOST_NAMED).map(({ vip }) => vip) };
    const outcome = outcomeOf(answer);
    if (outcome === "taken") {
      if (isNews) log.info("the receiver was told of owners", { event: "receiverTold", ...about });
      // Others may be refused still.
      if (before?.reason === "ReceiverUnreached" || this.#notices.waiting === 0) this.#standing = TOLD;
      return;
    }
    const message =
      "failure" in answer
        ? `${receiver} cannot be told of owners: ${answer.failure}`
        : `${receiver} answers with status ${answer.status} instead of success`;
    this.#standing = { reason: outcome === "refused" ? "ReceiverRefused" : "ReceiverUnreached", message };
    if (before?.message !== message)
      log.warn("the receiver was not told of owners", { ...about, why: message });
  }
}

const MOST_NAMED = 20;

function outcomeOf(answer: Answer): Outcome {
  if ("failure" in answer) return "unreached";
  return answer.status >= 200 && answer.status < 300 ? "taken" : "refused";
}

function whyUnusable({ url, secret, signing }: ReceiverWanted): string | undefined {
  const why = whyNoReceiver(url);
  if (why !== undefined) return `spec.layer2.ownerChangedURL ${why}`;
  if (signing !== undefined) return undefined;
  return `the Secret ${secret} is missing, is not of type genkan.dev/owner-changed, or has no key that can be used`;
}

function isSameReceiver(before: ReceiverWanted | undefined, { url, signing }: ReceiverWanted): boolean {
  return (
    before?.url === url &&
    before.signing?.ca === signing?.ca &&
    isSamePassword(before.signing?.key, signing?.key)
  );
}
