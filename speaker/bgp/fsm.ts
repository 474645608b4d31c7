/**
 * The finite state machine of one BGP connection (RFC 4271 section 8.2.2), with the optional attributes DelayOpen,
 * DampPeerOscillations (as the idle hold time) and PassiveTcpEstablishment, and with the send hold timer (RFC 9687).
 * Pure: step(machine, event) -> machine and actions. Names of states, events and timers are the RFCs'.
 */
import type { SessionState } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";

export type TimerName = "ConnectRetry" | "Hold" | "Keepalive" | "DelayOpen" | "IdleHold" | "SendHold";

export interface FsmSettings {
  readonly connectRetryTimeMs: number;
  /** Until an OPEN says less: "a large value", 4 minutes is suggested. */
  readonly openHoldTimeMs: number;
  /** How long a peer that takes nothing is put up with, at least: twice the hold time where that is longer. */
  readonly sendHoldTimeMs: number;
  /**
   * For how long who connected to us may speak first (DelayOpen); 0: an OPEN is sent at once. Connections that we made
   * always begin with one.
   */
  readonly delayOpenTimeMs: number;
  /** First and longest pause after a loss; it doubles each time. */
  readonly idleHoldTimeMs: { readonly base: number; readonly cap: number };
}

const IDLE_HOLD_BASE_MS = 1_000;
const OPEN_HOLD_MS = 240_000;
/** RFC 9687: the greater of 8 minutes and twice the hold time. */
const SEND_HOLD_MS = 480_000;
/** Who connects says OPEN at once; a peer that waits, too, is not kept waiting for long. */
const DELAY_OPEN_MS = 1_000;

/** Those of a session whose attempts to connect are so long apart at most. */
export function fsmSettings(connectTimeMs: number): FsmSettings {
  return {
    connectRetryTimeMs: connectTimeMs,
    openHoldTimeMs: OPEN_HOLD_MS,
    sendHoldTimeMs: SEND_HOLD_MS,
    delayOpenTimeMs: DELAY_OPEN_MS,
    idleHoldTimeMs: { base: IDLE_HOLD_BASE_MS, cap: Math.max(IDLE_HOLD_BASE_MS, connectTimeMs) },
  };
}

export interface Machine {
  readonly state: SessionState;
  /** Of sessions and attempts that failed since one was established. */
  readonly connectRetryCounter: number;
  readonly isDelayingOpen: boolean;
  readonly holdTimeMs: number;
  readonly keepaliveTimeMs: number;
}

export type Event =
  // Administrative.
  | { readonly type: "ManualStart" }
  | { readonly type: "ManualStop"; readonly error: BgpError }
  /** Somebody else connects while we wait in Idle. */
  | { readonly type: "AutomaticStart_with_PassiveTcpEstablishment" }
  | { readonly type: "AutomaticStop"; readonly error: BgpError }
  // Timers.
  | { readonly type: `${TimerName}Timer_Expires` }
  // TCP.
  | { readonly type: "Tcp_CR_Acked" }
  | { readonly type: "TcpConnectionConfirmed" }
  | { readonly type: "TcpConnectionFails" }
  /** The peer has taken something of what was sent since the last time. */
  | { readonly type: "MessageTaken" }
  // Messages.
  | { readonly type: "BGPOpen"; readonly holdTimeMs: number; readonly keepaliveTimeMs: number }
  | { readonly type: "BGPHeaderErr"; readonly error: BgpError }
  | { readonly type: "BGPOpenMsgErr"; readonly error: BgpError }
  | { readonly type: "OpenCollisionDump" }
  | { readonly type: "NotifMsg" }
  | { readonly type: "KeepAliveMsg" }
  | { readonly type: "UpdateMsg" }
  | { readonly type: "UpdateMsgErr"; readonly error: BgpError };

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
  isDelayingOpen: false,
  holdTimeMs: 0,
  keepaliveTimeMs: 0,
};

const ALL_TIMERS: readonly TimerName[] = [
  "ConnectRetry",
  "Hold",
  "Keepalive",
  "DelayOpen",
  "IdleHold",
  "SendHold",
];
const stopAll: readonly Action[] = ALL_TIMERS.map((timer) => ({ do: "stop", timer }));
const stop = (timer: TimerName): Action => ({ do: "stop", timer });
const start = (timer: TimerName, ms: number): Action => ({ do: "start", timer, ms });
const same = (machine: Machine, actions: readonly Action[] = []): Step => ({ machine, actions });

const COLLISION = new BgpError(ErrorCode.cease, Cease.collision, "");
const HOLD_TIMER = new BgpError(ErrorCode.holdTimer, 0, "the peer has said nothing");
const SEND_HOLD_TIMER = new BgpError(ErrorCode.sendHoldTimer, 0, "the peer has taken nothing");
/** RFC 6608: the subcode says in which state the message was not expected. */
const UNEXPECTED: Readonly<Partial<Record<SessionState, number>>> = {
  OpenSent: 1,
  OpenConfirm: 2,
  Established: 3,
};

export function step(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (machine.state) {
    case "Idle":
      return inIdle(machine, event, settings);
    case "Connect":
      return inConnect(machine, event, settings);
    case "Active":
      return inActive(machine, event, settings);
    case "OpenSent":
      return inOpenSent(machine, event, settings);
    case "OpenConfirm":
    case "Established":
      return inOpenConfirmOrEstablished(machine, event, settings);
  }
}

function inIdle(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "ManualStart":
    case "IdleHoldTimer_Expires": {
      const connectRetryCounter = event.type === "ManualStart" ? 0 : machine.connectRetryCounter;
      return {
        machine: { ...IDLE, state: "Connect", connectRetryCounter },
        actions: [stop("IdleHold"), start("ConnectRetry", settings.connectRetryTimeMs), { do: "connect" }],
      };
    }
    case "AutomaticStart_with_PassiveTcpEstablishment":
      return {
        machine: { ...machine, state: "Active" },
        actions: [stop("IdleHold"), start("ConnectRetry", settings.connectRetryTimeMs)],
      };
    case "ManualStop":
    case "AutomaticStop":
      return same(machine, [stop("IdleHold")]);
    // All others are ignored: what is meant for a connection comes too late.
    case "ConnectRetryTimer_Expires":
    case "HoldTimer_Expires":
    case "KeepaliveTimer_Expires":
    case "DelayOpenTimer_Expires":
    case "SendHoldTimer_Expires":
    case "Tcp_CR_Acked":
    case "TcpConnectionConfirmed":
    case "TcpConnectionFails":
    case "MessageTaken":
    case "BGPOpen":
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
    case "OpenCollisionDump":
    case "NotifMsg":
    case "KeepAliveMsg":
    case "UpdateMsg":
    case "UpdateMsgErr":
      return same(machine);
  }
}

function inConnect(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "ConnectRetryTimer_Expires":
      return same({ ...machine, isDelayingOpen: false }, [
        { do: "drop" },
        stop("DelayOpen"),
        start("ConnectRetry", settings.connectRetryTimeMs),
        { do: "connect" },
      ]);
    case "DelayOpenTimer_Expires":
      return sendOpen(machine, settings);
    case "Tcp_CR_Acked":
      return sendOpen(machine, settings);
    case "TcpConnectionConfirmed":
      return delayOpen(machine, settings);
    case "TcpConnectionFails":
      if (!machine.isDelayingOpen) return toIdle(machine, settings);
      return {
        machine: { ...machine, state: "Active", isDelayingOpen: false },
        actions: [{ do: "drop" }, stop("DelayOpen"), start("ConnectRetry", settings.connectRetryTimeMs)],
      };
    case "BGPOpen":
      return machine.isDelayingOpen ? openWhileDelaying(machine, event) : toIdle(machine, settings);
    case "ManualStart":
    case "AutomaticStart_with_PassiveTcpEstablishment":
    case "MessageTaken":
      return same(machine);
    case "ManualStop":
    case "AutomaticStop":
      return stopped(machine);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
      return toIdle(machine, settings, event.error);
    case "OpenCollisionDump":
      return toIdle(machine, settings, COLLISION);
    case "HoldTimer_Expires":
    case "KeepaliveTimer_Expires":
    case "IdleHoldTimer_Expires":
    case "SendHoldTimer_Expires":
    case "NotifMsg":
    case "KeepAliveMsg":
    case "UpdateMsg":
    case "UpdateMsgErr":
      return toIdle(machine, settings);
  }
}

function inActive(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "ConnectRetryTimer_Expires":
      return {
        machine: { ...machine, state: "Connect" },
        actions: [start("ConnectRetry", settings.connectRetryTimeMs), { do: "connect" }],
      };
    case "DelayOpenTimer_Expires":
      return sendOpen(machine, settings);
    case "Tcp_CR_Acked":
      return sendOpen(machine, settings);
    case "TcpConnectionConfirmed":
      return delayOpen(machine, settings);
    case "BGPOpen":
      return machine.isDelayingOpen ? openWhileDelaying(machine, event) : toIdle(machine, settings);
    case "ManualStart":
    case "AutomaticStart_with_PassiveTcpEstablishment":
    case "MessageTaken":
      return same(machine);
    case "ManualStop":
    case "AutomaticStop":
      return stopped(machine);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
      return toIdle(machine, settings, event.error);
    case "OpenCollisionDump":
      return toIdle(machine, settings, COLLISION);
    case "TcpConnectionFails":
    case "HoldTimer_Expires":
    case "KeepaliveTimer_Expires":
    case "IdleHoldTimer_Expires":
    case "SendHoldTimer_Expires":
    case "NotifMsg":
    case "KeepAliveMsg":
    case "UpdateMsg":
    case "UpdateMsgErr":
      return toIdle(machine, settings);
  }
}

function inOpenSent(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "BGPOpen":
      return openReceived(machine, event, [stop("ConnectRetry"), stop("DelayOpen")]);
    case "TcpConnectionFails":
      return {
        machine: { ...machine, state: "Active" },
        actions: [{ do: "drop" }, stop("Hold"), start("ConnectRetry", settings.connectRetryTimeMs)],
      };
    case "ManualStart":
    case "AutomaticStart_with_PassiveTcpEstablishment":
      return same(machine);
    // A second connection is tracked by the session, which dumps one of the two.
    case "Tcp_CR_Acked":
    case "TcpConnectionConfirmed":
    case "MessageTaken":
      return same(machine);
    case "ManualStop":
    case "AutomaticStop":
      return stopped(machine, event.error);
    case "HoldTimer_Expires":
      return toIdle(machine, settings, HOLD_TIMER);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
    case "UpdateMsgErr":
      return toIdle(machine, settings, event.error);
    case "OpenCollisionDump":
      return toIdle(machine, settings, COLLISION);
    case "NotifMsg":
      return toIdle(machine, settings);
    case "ConnectRetryTimer_Expires":
    case "KeepaliveTimer_Expires":
    case "DelayOpenTimer_Expires":
    case "IdleHoldTimer_Expires":
    case "SendHoldTimer_Expires":
    case "KeepAliveMsg":
    case "UpdateMsg":
      return toIdle(machine, settings, unexpected(machine, event.type));
  }
}

function inOpenConfirmOrEstablished(machine: Machine, event: Event, settings: FsmSettings): Step {
  const isEstablished = machine.state === "Established";
  switch (event.type) {
    case "KeepAliveMsg":
      if (isEstablished) return same(machine, restartHold(machine));
      return {
        machine: { ...machine, state: "Established", connectRetryCounter: 0 },
        actions: [...restartHold(machine), ...restartSendHold(machine, settings), { do: "established" }],
      };
    case "UpdateMsg":
      return isEstablished
        ? same(machine, restartHold(machine))
        : toIdle(machine, settings, unexpected(machine, event.type));
    case "KeepaliveTimer_Expires":
      return same(machine, [{ do: "sendKeepalive" }, ...startKeepalive(machine)]);
    case "MessageTaken":
      return same(machine, isEstablished ? restartSendHold(machine, settings) : []);
    case "ManualStart":
    case "AutomaticStart_with_PassiveTcpEstablishment":
    case "Tcp_CR_Acked":
    case "TcpConnectionConfirmed":
      return same(machine);
    case "ManualStop":
    case "AutomaticStop":
      return stopped(machine, event.error);
    case "HoldTimer_Expires":
      return toIdle(machine, settings, HOLD_TIMER);
    case "SendHoldTimer_Expires":
      return toIdle(machine, settings, SEND_HOLD_TIMER);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
    case "UpdateMsgErr":
      return toIdle(machine, settings, event.error);
    case "OpenCollisionDump":
      return toIdle(machine, settings, COLLISION);
    case "TcpConnectionFails":
    case "NotifMsg":
      return toIdle(machine, settings);
    case "BGPOpen":
    case "ConnectRetryTimer_Expires":
    case "DelayOpenTimer_Expires":
    case "IdleHoldTimer_Expires":
      return toIdle(machine, settings, unexpected(machine, event.type));
  }
}

/** The peer has connected: it may say OPEN first, and then nobody is told anything who has not said who he is. */
function delayOpen(machine: Machine, settings: FsmSettings): Step {
  if (settings.delayOpenTimeMs === 0) return sendOpen(machine, settings);
  return same({ ...machine, isDelayingOpen: true }, [
    stop("ConnectRetry"),
    start("DelayOpen", settings.delayOpenTimeMs),
  ]);
}

function sendOpen(machine: Machine, settings: FsmSettings): Step {
  return {
    machine: { ...machine, state: "OpenSent", isDelayingOpen: false },
    actions: [
      stop("ConnectRetry"),
      stop("DelayOpen"),
      { do: "sendOpen" },
      start("Hold", settings.openHoldTimeMs),
    ],
  };
}

type OpenEvent = Extract<Event, { type: "BGPOpen" }>;

/** Event 20: the peer's OPEN comes before ours went out. */
function openWhileDelaying(machine: Machine, event: OpenEvent): Step {
  return openReceived(machine, event, [stop("ConnectRetry"), stop("DelayOpen"), { do: "sendOpen" }]);
}

function openReceived(machine: Machine, event: OpenEvent, before: readonly Action[]): Step {
  const { holdTimeMs, keepaliveTimeMs } = event;
  const next: Machine = {
    ...machine,
    state: "OpenConfirm",
    isDelayingOpen: false,
    holdTimeMs,
    keepaliveTimeMs,
  };
  return {
    machine: next,
    actions: [...before, { do: "sendKeepalive" }, ...startKeepalive(next), ...restartHold(next)],
  };
}

/** A negotiated hold time of zero means no timers at all. */
function restartHold({ holdTimeMs }: Machine): Action[] {
  return [holdTimeMs === 0 ? stop("Hold") : start("Hold", holdTimeMs)];
}

/** RFC 9687: it runs from the moment that a session is established, and with the hold timer only. */
function restartSendHold({ holdTimeMs }: Machine, { sendHoldTimeMs }: FsmSettings): Action[] {
  return [holdTimeMs === 0 ? stop("SendHold") : start("SendHold", Math.max(sendHoldTimeMs, 2 * holdTimeMs))];
}

function startKeepalive({ holdTimeMs, keepaliveTimeMs }: Machine): Action[] {
  return [holdTimeMs === 0 ? stop("Keepalive") : start("Keepalive", keepaliveTimeMs)];
}

function unexpected({ state }: Machine, what: string): BgpError {
  return new BgpError(ErrorCode.fsm, UNEXPECTED[state] ?? 0, `${what} in ${state}`);
}

/** Stays in Idle until somebody starts it. */
function stopped(machine: Machine, error?: BgpError): Step {
  const { actions } = leave(machine, error);
  return { machine: IDLE, actions };
}

/** Tries again after a while, longer each time (DampPeerOscillations). */
function toIdle(machine: Machine, settings: FsmSettings, error?: BgpError): Step {
  const { base, cap } = settings.idleHoldTimeMs;
  const connectRetryCounter = machine.connectRetryCounter + 1;
  const pause = Math.min(cap, base * 2 ** Math.min(connectRetryCounter - 1, 20));
  const { actions } = leave(machine, error);
  return { machine: { ...IDLE, connectRetryCounter }, actions: [...actions, start("IdleHold", pause)] };
}

function leave({ state }: Machine, error: BgpError | undefined): { readonly actions: readonly Action[] } {
  return {
    actions: [
      ...(error === undefined ? [] : [{ do: "sendNotification", error } as const]),
      ...stopAll,
      { do: "drop" },
      ...(state === "Established" ? [{ do: "lost" } as const] : []),
    ],
  };
}
