/**
 * What the state machine of a BGP connection (fsm.ts) is made of: its state, what happens to it, what it asks for.
 * Names of states, events and timers are those of RFC 4271 section 8.1; where the RFC has none, a comment says so.
 */
import { type PauseSettings, pauseSettings } from "./pause.ts";
import type { SessionState } from "./types.ts";
import type { BgpError } from "./wire/error.ts";

/** Those of the RFCs, and one that tells when a session has lasted (pause.ts). */
export type TimerName =
  | "ConnectRetry"
  | "Hold"
  | "Keepalive"
  | "DelayOpen"
  | "IdleHold"
  | "SendHold"
  | "Stability";

export interface FsmSettings extends PauseSettings {
  readonly connectRetryTimeMs: number;
  /** How long one attempt to connect may take: the ConnectRetryTime, or longer. */
  readonly attemptTimeMs: number;
  /** Until an OPEN says less: "a large value", 4 minutes is suggested. */
  readonly openHoldTimeMs: number;
  /** How long a peer that takes nothing is put up with, at least: twice the hold time where that is longer. */
  readonly sendHoldTimeMs: number;
  /**
   * For how long who connected to us may speak first (DelayOpen); 0: an OPEN is sent at once. Connections that we made
   * always begin with one.
   */
  readonly delayOpenTimeMs: number;
}

/**
 * When an attempt to connect has failed. Longer than the kernel's second SYN takes (1 s, 3 s); with the longest pause
 * after it, a router that can be reached again is called within 15 s.
 */
export const CONNECT_TIMEOUT_MS = 5_000;
/** So that it fails by itself, and says why, also where jitter takes a quarter of the ConnectRetryTime away. */
const LEAST_ATTEMPT_MS = CONNECT_TIMEOUT_MS / 0.75 + 1_000;
const OPEN_HOLD_MS = 240_000;
/** RFC 9687: the greater of 8 minutes and twice the hold time. */
const SEND_HOLD_MS = 480_000;
/** Who connects says OPEN at once; a peer that waits, too, is not kept waiting for long. */
const DELAY_OPEN_MS = 1_000;

/** Those of a session whose attempts to connect are so long apart at most. */
export function fsmSettings(connectTimeMs: number): FsmSettings {
  return {
    connectRetryTimeMs: connectTimeMs,
    attemptTimeMs: Math.max(connectTimeMs, LEAST_ATTEMPT_MS),
    openHoldTimeMs: OPEN_HOLD_MS,
    sendHoldTimeMs: SEND_HOLD_MS,
    delayOpenTimeMs: DELAY_OPEN_MS,
    ...pauseSettings(connectTimeMs),
  };
}

export interface Machine {
  readonly state: SessionState;
  /** Of sessions and attempts that failed since one was established. */
  readonly connectRetryCounter: number;
  /** Of sessions that did not last, since one has. */
  readonly oscillations: number;
  /** In Idle: whoever connects is refused until the pause is over. */
  readonly isDamping: boolean;
  readonly isDelayingOpen: boolean;
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
}

export type Event =
  // Administrative.
  | { readonly type: "ManualStart" }
  | { readonly type: "ManualStop"; readonly error: BgpError }
  /** The peer has connected to us while we wait in Idle. */
  | { readonly type: "AutomaticStart_with_PassiveTcpEstablishment" }
  /** This speaker ends the connection for a reason of its own, and tries again: BFD, a limit (RFC 4271 section 8.1.2). */
  | { readonly type: "AutomaticStop"; readonly error: BgpError }
  // Timers.
  | { readonly type: `${TimerName}Timer_Expires` }
  // TCP.
  | { readonly type: "Tcp_CR_Acked" }
  | { readonly type: "TcpConnectionConfirmed" }
  | { readonly type: "TcpConnectionFails" }
  /** The peer has taken something of what was sent since the last time (RFC 9687; the RFC has no name for it). */
  | { readonly type: "MessageTaken" }
  // Messages.
  | { readonly type: "BGPOpen"; readonly holdTimeMs: number; readonly keepaliveTimeMs: number }
  | { readonly type: "BGPHeaderErr"; readonly error: BgpError }
  | { readonly type: "BGPOpenMsgErr"; readonly error: BgpError }
  | { readonly type: "OpenCollisionDump" }
  | { readonly type: "NotifMsg" }
  | { readonly type: "KeepAliveMsg" }
  | { readonly type: "UpdateMsg" }
  | { readonly type: "UpdateMsgErr"; readonly error: BgpError }
  // ROUTE-REFRESH is younger than the RFC's list of events; these two are named as its others are.
  | { readonly type: "RouteRefreshMsg" }
  | { readonly type: "RouteRefreshMsgErr"; readonly error: BgpError };

export type Action =
  | { readonly do: "connect" }
  /** Closes the connection, or gives up the attempt. */
  | { readonly do: "drop" }
  | { readonly do: "sendOpen" }
  | { readonly do: "sendKeepalive" }
  | { readonly do: "sendNotification"; readonly error: BgpError }
  | { readonly do: "start"; readonly timer: TimerName; readonly ms: number }
  | { readonly do: "stop"; readonly timer: TimerName }
  | { readonly do: "established" }
  /** It was established and is not any more. */
  | { readonly do: "lost" };

export interface Step {
  readonly machine: Machine;
  readonly actions: readonly Action[];
}

export const IDLE: Machine = {
  state: "Idle",
  connectRetryCounter: 0,
  oscillations: 0,
  isDamping: false,
  isDelayingOpen: false,
  holdTimeMs: 0,
  keepaliveTimeMs: 0,
};
