/**
 * The finite state machine of one BGP connection (RFC 4271 section 8.2.2), with the optional attributes DelayOpen,
 * DampPeerOscillations (as the idle hold time) and PassiveTcpEstablishment, and with the send hold timer (RFC 9687).
 * Pure: step(machine, event) -> machine and actions.
 */
import { type Action, type Event, type FsmSettings, IDLE, type Machine, type Step } from "./machine.ts";
import {
  delayOpen,
  openReceived,
  openWhileDelaying,
  restartHold,
  restartSendHold,
  same,
  sendOpen,
  start,
  startKeepalive,
  stop,
  stopped,
  toActive,
  toIdle,
  unexpected,
} from "./transitions.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";

const COLLISION = new BgpError(ErrorCode.cease, Cease.collision, "");
const HOLD_TIMER = new BgpError(ErrorCode.holdTimer, 0, "the peer has said nothing");
const SEND_HOLD_TIMER = new BgpError(ErrorCode.sendHoldTimer, 0, "the peer has taken nothing");
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
        machine: { ...IDLE, state: "Connect", connectRetryCounter, oscillations: machine.oscillations },
        actions: [stop("IdleHold"), start("ConnectRetry", settings.attemptTimeMs), { do: "connect" }],
      };
    }
    case "AutomaticStart_with_PassiveTcpEstablishment":
      if (machine.isDamping) return same(machine);
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
    case "StabilityTimer_Expires":
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
      return toActive(machine, settings);
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
    case "StabilityTimer_Expires":
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
  const retry: readonly Action[] = [start("ConnectRetry", settings.attemptTimeMs), { do: "connect" }];
  if (machine.state === "Active") return { machine: { ...machine, state: "Connect" }, actions: retry };
  return same({ ...machine, isDelayingOpen: false }, [{ do: "drop" }, stop("DelayOpen"), ...retry]);
}

function inOpenSent(machine: Machine, event: Event, settings: FsmSettings): Step {
  switch (event.type) {
    case "BGPOpen":
      return openReceived(machine, event, [stop("ConnectRetry"), stop("DelayOpen")]);
    case "TcpConnectionFails":
      return toActive(machine, settings);
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
    case "StabilityTimer_Expires":
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
        actions: [
          ...restartHold(machine),
          ...restartSendHold(machine, settings),
          start("Stability", settings.stableTimeMs),
          { do: "established" },
        ],
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
    case "StabilityTimer_Expires":
      return same({ ...machine, oscillations: 0 });
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
