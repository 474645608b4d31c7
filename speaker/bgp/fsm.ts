/**
 * The finite state machine of one BGP connection (RFC 4271 section 8.2.2), with the optional attributes DelayOpen,
 * DampPeerOscillations (as the idle hold time) and PassiveTcpEstablishment, and with the send hold timer (RFC 9687).
 * Pure: step(machine, event) -> machine and actions.
 */
import type { Action, Event, FsmSettings, Machine, Step, TimerName } from "./machine.ts";
import { IDLE } from "./machine.ts";
import type { SessionState } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";

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
    case "Active":
      return inConnectOrActive(machine, event, settings);
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
    case "RouteRefreshMsg":
    case "RouteRefreshMsgErr":
    case "AutomaticStop":
      return same(machine);
  }
}

function inConnectOrActive(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "ConnectRetryTimer_Expires":
      return connectAgain(machine, settings);
    case "DelayOpenTimer_Expires":
    case "Tcp_CR_Acked":
      return sendOpen(machine, settings);
    case "TcpConnectionConfirmed":
      return delayOpen(machine, settings);
    case "TcpConnectionFails":
      if (machine.state === "Active" || !machine.isDelayingOpen) return toIdle(machine, settings);
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
      return stopped(machine);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
      return toIdle(machine, settings, event.error);
    case "OpenCollisionDump":
      return toIdle(machine, settings, COLLISION);
    case "AutomaticStop":
    case "HoldTimer_Expires":
    case "KeepaliveTimer_Expires":
    case "IdleHoldTimer_Expires":
    case "SendHoldTimer_Expires":
    case "NotifMsg":
    case "KeepAliveMsg":
    case "UpdateMsg":
    case "UpdateMsgErr":
    case "RouteRefreshMsg":
    case "RouteRefreshMsgErr":
      return toIdle(machine, settings);
  }
}

function connectAgain(machine: Machine, settings: FsmSettings): Step {
  const retry: readonly Action[] = [start("ConnectRetry", settings.connectRetryTimeMs), { do: "connect" }];
  if (machine.state === "Active") return { machine: { ...machine, state: "Connect" }, actions: retry };
  return same({ ...machine, isDelayingOpen: false }, [{ do: "drop" }, stop("DelayOpen"), ...retry]);
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
      return stopped(machine, event.error);
    case "HoldTimer_Expires":
      return toIdle(machine, settings, HOLD_TIMER);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
    case "UpdateMsgErr":
    case "RouteRefreshMsgErr":
    case "AutomaticStop":
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
    case "RouteRefreshMsg":
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
    case "RouteRefreshMsg":
      // RFC 4271 restarts the hold timer on KEEPALIVE and UPDATE only, and RFC 2918 says nothing else.
      return isEstablished ? same(machine) : toIdle(machine, settings, unexpected(machine, event.type));
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
      return stopped(machine, event.error);
    case "HoldTimer_Expires":
      return toIdle(machine, settings, HOLD_TIMER);
    case "SendHoldTimer_Expires":
      return toIdle(machine, settings, SEND_HOLD_TIMER);
    case "BGPHeaderErr":
    case "BGPOpenMsgErr":
    case "UpdateMsgErr":
    case "RouteRefreshMsgErr":
    case "AutomaticStop":
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
