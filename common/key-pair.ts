/**
 * The certificate that a server shows, read again and again: the kubelet swaps files under us. The server goes on with
 * the old one until all that is new fits together.
 */
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";

/** PEM texts. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  /** Whose certificates of clients are believed. */
  readonly ca?: string;
}

/** Two or three small files: reading them each second costs nothing, and a new certificate is served a second after it came. */
const RELOAD_MS = 1_000;

export interface PairOptions<Pair extends KeyPair> {
  /** For the log: "webhook". */
  readonly what: string;
  /** Reads it as it is now. */
  readonly readPair: () => Promise<Pair>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of a pair that is served from now on. */
  readonly onChange?: (pair: Pair) => void;
}

/** Serves what `readPair` finds, until `signal` aborts; never rejects. A pair that does not fit is logged and left. */
export async function keepPair<Pair extends KeyPair>(
  server: Server,
  first: Pair,
  options: PairOptions<Pair>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, what } = options;
  let present = JSON.stringify(first);
  let told = "";
  while (!signal.aborted) {
    await clock.sleep(RELOAD_MS, signal);
    if (signal.aborted) return;
    try {
      const next = await options.readPair();
      const text = JSON.stringify(next);
      if (text === present) continue;
      createSecureContext(next);
      server.setSecureContext(next);
      present = text;
      told = "";
      options.onChange?.(next);
      log.info(`${what} certificate reloaded`);
    } catch (error) {
      // The kubelet swaps two files: the halves may not fit for a moment. The next reading finds them.
      const words = errorText(error);
      if (words !== told) {
        log.warn(`${what} certificate not reloaded, going on with the present one`, { error: words });
      }
      told = words;
    }
  }
}
