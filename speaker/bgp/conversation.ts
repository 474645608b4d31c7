/**
 * The state machine of one connection with its timers and its socket: performs what fsm.ts decides. A session has one,
 * and a second one for as long as both sides have connected to each other.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { jittered, type Random } from "#common/random.ts";
import type { Connection } from "./connection.ts";
import { step } from "./fsm.ts";
import { type Action, type Event, type FsmSettings, IDLE, type Machine, type TimerName } from "./machine.ts";
import { MIN_KEEPALIVE_MS, type Negotiated } from "./negotiated.ts";
import { BgpError, ErrorCode } from "./wire/error.ts";
import type { Open } from "./wire/open.ts";

export interface ConversationOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: FsmSettings;
  /** Begins to connect; what becomes of it comes as an event. */
  readonly connect: () => void;
  /** Gives up an attempt to connect. */
  readonly giveUp: () => void;
  readonly sendOpen: (conversation: Conversation) => void;
  readonly sendKeepalive: (conversation: Conversation) => void;
  readonly onEstablished: (conversation: Conversation) => void;
  readonly onLost: (conversation: Conversation) => void;
  /** Why it ends by a decision of ours; the peer is told the same. */
  readonly onFault: (conversation: Conversation, error: BgpError) => void;
  readonly onState: (conversation: Conversation) => void;
}

/** RFC 4271 section 10: a quarter less at most, so that sessions do not act in step. */
const JITTER = 0.125;
/** Timers by which the peer is judged are not jittered. */
const EXACT: readonly TimerName[] = ["Hold", "SendHold"];
/** A main thread that stood still has not read what the peer said meanwhile: it reads first, and then judges. */
const READING_MS = 100;
/** Far longer than a peer's kernel takes to confirm a KEEPALIVE, twice sent if need be. */
export const ANSWER_MS = 3_000;

export class Conversation {
  #options: ConversationOptions;
  readonly #timers = new Map<TimerName, Cancel>();
  #machine: Machine = IDLE;
  #askedAt = Number.NEGATIVE_INFINITY;
  #cancelAsking: Cancel | undefined;
  connection: Connection | undefined;
  /** We connected, and not the peer. */
  isOurs = true;
  /** Set with the OPENs. */
  ownOpen: Open | undefined;
  peerOpen: Open | undefined;
  negotiated: Negotiated | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  get machine(): Machine {
    return this.#machine;
  }

  step(event: Event): void {
    const before = this.#machine.state;
    const { machine, actions } = step(this.#machine, event, this.#options.settings);
    this.#machine = machine;
    for (const action of actions) this.#perform(action);
    if (machine.state !== before) this.#options.onState(this);
  }

  /**
   * It outlived the connection that we made: from now on it is the one that connects again, and goes on with what is
   * known of how long the peer's sessions last.
   */
  becomePrimary(connect: () => void, giveUp: () => void, { oscillations }: Machine): void {
    this.#options = { ...this.#options, connect, giveUp };
    this.#machine = { ...this.#machine, oscillations };
  }

  /**
   * A KEEPALIVE out of turn, and the end if the peer's side does not confirm it. A peer that connects again may have
   * lost this connection without our hearing of it (a password that changed at both ends in one moment, where the old
   * end drops what has the new one): that shows now, and not when the hold time is over.
   */
  ask(): void {
    const { clock, sendKeepalive, onFault } = this.#options;
    const now = clock.now();
    const { connection } = this;
    if (connection === undefined || now - this.#askedAt < MIN_KEEPALIVE_MS) return;
    this.#askedAt = now;
    const before = connection.taken;
    sendKeepalive(this);
    // A question that is under way is not put off by the next one: a peer that connects often could hold it up for ever.
    this.#cancelAsking ??= clock.after(ANSWER_MS, () => {
      this.#cancelAsking = undefined;
      if (connection !== this.connection || connection.taken > before) return;
      onFault(this, new BgpError(ErrorCode.cease, 0, "the peer connected anew and takes nothing here"));
      this.step({ type: "TcpConnectionFails" });
    });
  }

  /** Ends it without a word: what a crash looks like, and what begins a graceful restart. */
  abandon(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#stopAsking();
    this.#options.giveUp();
    this.connection?.close();
    this.connection = undefined;
    const { state, oscillations } = this.#machine;
    this.#machine = { ...IDLE, oscillations: oscillations + (state === "Established" ? 1 : 0) };
  }

  #perform(action: Action): void {
    const { connect, giveUp, sendOpen, sendKeepalive, onEstablished, onLost, onFault } = this.#options;
    switch (action.do) {
      case "connect":
        connect();
        break;
      case "drop":
        this.#stopAsking();
        giveUp();
        this.connection?.close();
        this.connection = undefined;
        break;
      case "sendOpen":
        sendOpen(this);
        break;
      case "sendKeepalive":
        sendKeepalive(this);
        break;
      case "sendNotification":
        this.connection?.sendNotification(action.error);
        onFault(this, action.error);
        break;
      case "start":
        this.#start(action.timer, action.ms);
        break;
      case "stop":
        this.#timers.get(action.timer)?.();
        this.#timers.delete(action.timer);
        break;
      case "established":
        onEstablished(this);
        break;
      case "lost":
        onLost(this);
        break;
    }
  }

  #stopAsking(): void {
    this.#cancelAsking?.();
    this.#cancelAsking = undefined;
  }

  #start(timer: TimerName, ms: number): void {
    const { clock, random } = this.#options;
    this.#timers.get(timer)?.();
    const wait = EXACT.includes(timer) ? ms : jittered(ms * (1 - JITTER), JITTER, random);
    const least = timer === "Keepalive" ? MIN_KEEPALIVE_MS : 0;
    const expire = (): void => {
      this.#timers.delete(timer);
      this.#expire(timer);
    };
    this.#timers.set(
      timer,
      clock.after(Math.max(least, wait), () => {
        if (timer === "Hold") this.#timers.set(timer, clock.after(READING_MS, expire));
        else expire();
      }),
    );
  }

  #expire(timer: TimerName): void {
    // RFC 9687 counts from the last message that was sent; what a socket takes is sent only when the peer takes it.
    const looks = timer === "Keepalive" || timer === "SendHold";
    const isTaken = looks && this.connection?.hasTaken() === true;
    if (isTaken) this.step({ type: "MessageTaken" });
    if (isTaken && timer === "SendHold") return;
    this.step({ type: `${timer}Timer_Expires` });
  }
}
