/** What the sessions of tests ask for unless a test says otherwise: 50 ms x 3, no echo. */
import type { BfdPeer } from "#speaker/bfd/types.ts";

export const PROFILE: BfdPeer["profile"] = {
  receiveIntervalMs: 50,
  transmitIntervalMs: 50,
  detectMultiplier: 3,
  echoMode: false,
  echoIntervalMs: 50,
  passive: false,
};
