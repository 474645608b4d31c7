/** Sends as frames on one link what the pacer allows. It is a shell around pacer.ts. */
import type { Cancel, Clock } from "#common/clock.ts";
import { addressKey } from "./address.ts";
import { arpProbe, gratuitousArp } from "./arp.ts";
import { probeSolicitation, unsolicitedAdvertisement } from "./ndp.ts";
import { Pacer, type Word } from "./pacer.ts";

/**
 * What became of frames: how many were sent. `isRefused` says that the others were refused, and not for lack of room.
 */
export interface Sent {
  readonly left: number;
  readonly isRefused: boolean;
}

export interface SpeechOptions {
  readonly clock: Pick<Clock, "after" | "now">;
  /** Evenly spread in [0, 1). */
  readonly random: () => number;
  /** 6 bytes: the hardware address that is announced. */
  readonly hardware: Uint8Array;
  /** Undefined while the link is not open. Then everything waits for `work`. */
  readonly send: (protocol: "arp" | "ndp", frames: readonly Buffer[]) => Sent | undefined;
  readonly tally: { unasked: number; lost: number; retried: number };
}

export class Speech {
  readonly #options: SpeechOptions;
  readonly #pacer: Pacer;
  #timer: Cancel | undefined;

  constructor(options: SpeechOptions) {
    this.#options = options;
    this.#pacer = new Pacer(options.random, options.clock.now());
  }

  /** The same functions as the pacer's. Each takes effect with `work`. `vip` has 4 or 16 bytes. */
  add(vip: Uint8Array): void {
    this.#pacer.add(addressKey(vip), formsOf(vip));
  }

  urge(vip: Uint8Array): void {
    this.#pacer.urge(addressKey(vip), formsOf(vip));
  }

  probe(vip: Uint8Array): void {
    this.#pacer.probe(addressKey(vip), formsOf(vip));
  }

  remove(vip: Uint8Array): void {
    this.#pacer.remove(addressKey(vip));
  }

  /** Sends what may be sent now, and sets the time for the rest. */
  work(): void {
    this.close();
    const { clock, send } = this.#options;
    if (send("arp", []) === undefined) return;
    const now = clock.now();
    const words = this.#pacer.take(now);
    const isFour = ({ key }: Word): boolean => key.length === 4;
    this.#say("arp", words.filter(isFour), now);
    this.#say(
      "ndp",
      words.filter((word) => !isFour(word)),
      now,
    );
    const next = this.#pacer.nextAt(now);
    if (next !== undefined) this.#timer = clock.after(Math.ceil(next - now), () => this.work());
  }

  close(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #say(protocol: "arp" | "ndp", words: readonly Word[], now: number): void {
    if (words.length === 0) return;
    const { send, tally } = this.#options;
    const frames: Buffer[] = [];
    /** For each announcement: how many frames there are up to its last one. */
    const ends = words.map((word) => frames.push(...this.#framesOf(word)));
    const { left, isRefused } = send(protocol, frames) ?? { left: 0, isRefused: false };
    tally.unasked += left;
    if (isRefused) {
      // The link itself is in trouble. The repeats will try again.
      tally.lost += frames.length - left;
      this.#pacer.sent(words, now);
      return;
    }
    tally.retried += frames.length - left;
    const count = ends.filter((end) => end <= left).length;
    this.#pacer.sent(words.slice(0, count), now);
    this.#pacer.refused(words.slice(count), now);
  }

  #framesOf({ key, kind }: Word): readonly Buffer[] {
    const { hardware } = this.#options;
    const vip = Buffer.from(key, "latin1");
    if (vip.length === 16)
      return [kind === "probe" ? probeSolicitation(vip, hardware) : unsolicitedAdvertisement(vip, hardware)];
    if (kind === "probe") return [arpProbe(vip, hardware)];
    const [request, reply] = gratuitousArp(vip, hardware);
    if (kind === "first") return [request];
    return kind === "second" ? [reply] : [request, reply];
  }
}

/** Frames that tell all of an address: ARP has two forms. */
const formsOf = (vip: Uint8Array): number => (vip.length === 4 ? 2 : 1);
