/** Formulas of RFC 5880 sections 6.8.2 to 6.8.4, 6.8.7 and 6.8.9. Pure; microseconds unless the name says else. */
import { type Session, wantsEcho } from "./fsm.ts";

/** Between two control packets, before jitter; undefined: none of its own accord (section 6.8.7). */
export function transmitIntervalOf(session: Session): number | undefined {
  const { remoteDiscriminator, remoteMinRxMicros, settings } = session;
  if (settings.passive && remoteDiscriminator === 0) return undefined;
  if (remoteMinRxMicros === 0) return undefined;
  const isBothUp = session.state === "Up" && session.remoteState === "Up";
  if (session.remoteDemand && isBothUp && !session.isPolling) return undefined;
  return Math.max(session.usedTxMicros, remoteMinRxMicros);
}

/** Silence that ends the session (section 6.8.4); undefined as long as the peer was not heard. */
export function detectionTimeOf(session: Session): number | undefined {
  if (session.remoteDiscriminator === 0) return undefined;
  return session.remoteMultiplier * Math.max(session.usedRxMicros, session.remoteMinTxMicros);
}

/** Between two echo packets, before jitter; undefined: none (section 6.8.9). */
export function echoIntervalOf(session: Session): number | undefined {
  if (!wantsEcho(session)) return undefined;
  return Math.max(session.settings.echoMicros, session.remoteMinEchoRxMicros);
}

/** Echo packets that stay away for so long end the session, once one has come back. */
export function echoDetectionTimeOf(session: Session): number | undefined {
  const interval = echoIntervalOf(session);
  return interval === undefined || !session.isEchoing
    ? undefined
    : interval * session.settings.detectMultiplier;
}

/**
 * Section 6.8.7: 75 to 100 % of the interval, 75 to 90 % with multiplier 1, so that senders don't fall into step.
 * @param chance evenly spread in [0, 1)
 */
export function jittered(interval: number, detectMultiplier: number, chance: number): number {
  return interval * (0.75 + (detectMultiplier === 1 ? 0.15 : 0.25) * chance);
}
