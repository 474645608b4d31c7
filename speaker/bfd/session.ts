/**
 * One session at work: keeps its due times, fills its packets, counts. It has no clock, timer or socket of its own: whoever
 * owns it says what time it is (milliseconds, monotonic), when to look again is `due`. Nothing here makes garbage for a
 * packet of a session at rest.
 */
import type { Random } from "#common/random.ts";
import {
  configured,
  describe,
  disabled,
  echoFailed,
  echoReturned,
  expired,
  newSession,
  received,
  type Session,
  type SessionSettings,
} from "./fsm.ts";
import { CONTROL_BYTES, type ControlPacket, emptyPacket, encodeControl } from "./packet.ts";
import {
  detectionTimeOf,
  echoDetectionTimeOf,
  echoIntervalOf,
  jittered,
  transmitIntervalOf,
} from "./timing.ts";

/** Where a session's packets leave. */
export interface Wire {
  /** False: it did not leave, which is counted and not repeated: the next one comes soon enough. */
  send(packet: Buffer): boolean;
  close(): void;
}

/** Where its echo packets leave, if they can. */
export interface EchoWire {
  send(): boolean;
}

export interface SessionOptions {
  readonly settings: SessionSettings;
  readonly localDiscriminator: number;
  readonly wire: Wire;
  readonly random: Pick<Random, "number">;
  /** The state is another. */
  onChange(after: Session, before: Session): void;
}

const NEVER = Number.POSITIVE_INFINITY;
const MICROS = 1_000;

export class BfdSession {
  readonly #options: SessionOptions;
  readonly #packet: ControlPacket = emptyPacket();
  readonly #bytes = Buffer.alloc(CONTROL_BYTES);
  #session: Session;
  #sentAt: number;
  #heardAt = 0;
  #echoedAt = 0;
  #transmitDue: number;
  #detectDue = NEVER;
  #echoDue = NEVER;
  echoWire: EchoWire | undefined;
  packetsIn = 0;
  packetsOut = 0;
  sendFailures = 0;

  constructor(options: SessionOptions, now: number) {
    this.#options = options;
    this.#session = newSession(options.settings, options.localDiscriminator);
    this.#sentAt = now;
    // Sessions that begin together shall not stay in step.
    this.#transmitDue = transmitIntervalOf(this.#session) === undefined ? NEVER : now + this.#chance() * 100;
  }

  get session(): Session {
    return this.#session;
  }

  /** When `tick` wants to be called. */
  get due(): number {
    return Math.min(this.#transmitDue, this.#detectDue, this.#echoDue, this.#echoDetectDue());
  }

  /** A packet that is this session's. */
  receive(packet: ControlPacket, now: number): void {
    this.packetsIn += 1;
    this.#heardAt = now;
    this.#become(received(this.#session, packet), now);
    this.#setDetection();
    // Section 6.8.7: a poll is answered at once, whatever the interval.
    if (packet.poll && this.#session.state !== "AdminDown") this.#send(true, now);
  }

  /** One of our echo packets came back. */
  receiveEcho(now: number): void {
    this.#echoedAt = now;
    this.#become(echoReturned(this.#session), now);
  }

  /** Sends what is due. Silence is not judged here: see `isSilent`. */
  tick(now: number): void {
    if (now >= this.#transmitDue) this.#send(false, now);
    if (now >= this.#echoDue) {
      if (this.echoWire !== undefined && !this.echoWire.send()) this.sendFailures += 1;
      this.#setEcho(now);
    }
  }

  /** The detection time has gone by. What waits in the socket may still say otherwise. */
  isSilent(now: number): boolean {
    return now >= this.#detectDue || now >= this.#echoDetectDue();
  }

  /** Ends the session if it is silent still. */
  judge(now: number): void {
    if (now >= this.#detectDue) {
      this.#detectDue = NEVER;
      this.#become(expired(this.#session), now);
    } else if (now >= this.#echoDetectDue()) {
      this.#become(echoFailed(this.#session), now);
    }
  }

  configure(settings: SessionSettings, now: number): void {
    this.#become(configured(this.#session, settings), now);
    this.#setDetection();
  }

  /** AdminDown: said at once; said again by `repeat`, since one packet may be lost. */
  disable(now: number): void {
    this.#detectDue = NEVER;
    this.#become(disabled(this.#session), now);
  }

  /** Says the same again. */
  repeat(now: number): void {
    this.#send(false, now);
  }

  close(): void {
    this.#options.wire.close();
  }

  #chance(): number {
    return this.#options.random.number();
  }

  #become(after: Session, now: number): void {
    const before = this.#session;
    if (after === before) return;
    this.#session = after;
    const interval = transmitIntervalOf(after);
    const hasNews = saysOther(before, after);
    // Section 6.8.7: other contents are told without waiting.
    if (hasNews && interval !== undefined) this.#send(false, now);
    else if (interval !== transmitIntervalOf(before))
      this.#setTransmit(Math.max(now, this.#nextAfter(this.#sentAt)));
    if (echoIntervalOf(after) !== echoIntervalOf(before)) {
      this.#echoedAt = now;
      this.#setEcho(now);
    }
    if (after.isEchoing !== before.isEchoing) this.#echoedAt = now;
    if (after.state !== before.state) this.#options.onChange(after, before);
  }

  #send(isFinal: boolean, now: number): void {
    describe(this.#session, isFinal, this.#packet);
    encodeControl(this.#packet, this.#bytes);
    if (this.#options.wire.send(this.#bytes)) this.packetsOut += 1;
    else this.sendFailures += 1;
    // An answer is beside the rhythm (section 6.8.7).
    if (isFinal) return;
    this.#sentAt = now;
    // From when it was due, so that lateness does not add up, unless whole intervals were missed.
    const from = now - this.#transmitDue > 0 && now - this.#transmitDue < 10 ? this.#transmitDue : now;
    this.#setTransmit(this.#nextAfter(from));
  }

  #nextAfter(from: number): number {
    const interval = transmitIntervalOf(this.#session);
    if (interval === undefined) return NEVER;
    return from + jittered(interval, this.#session.settings.detectMultiplier, this.#chance()) / MICROS;
  }

  #setTransmit(due: number): void {
    this.#transmitDue = due;
  }

  #setDetection(): void {
    const time = this.#session.state === "AdminDown" ? undefined : detectionTimeOf(this.#session);
    this.#detectDue = time === undefined ? NEVER : this.#heardAt + time / MICROS;
  }

  #setEcho(now: number): void {
    const interval = echoIntervalOf(this.#session);
    const { detectMultiplier } = this.#session.settings;
    this.#echoDue =
      interval === undefined ? NEVER : now + jittered(interval, detectMultiplier, this.#chance()) / MICROS;
  }

  #echoDetectDue(): number {
    if (!this.#session.isEchoing) return NEVER;
    return this.#echoedAt + (echoDetectionTimeOf(this.#session) ?? NEVER) / MICROS;
  }
}

/** The packets of the two differ in more than P and F. */
function saysOther(before: Session, after: Session): boolean {
  return (
    before.state !== after.state ||
    before.diagnostic !== after.diagnostic ||
    before.remoteDiscriminator !== after.remoteDiscriminator ||
    before.desiredMinTxMicros !== after.desiredMinTxMicros ||
    before.requiredMinRxMicros !== after.requiredMinRxMicros ||
    before.settings !== after.settings
  );
}
