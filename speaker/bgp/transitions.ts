/**
 * Transitions that several states of the machine (fsm.ts) share: to OpenSent and OpenConfirm, back to Active and Idle.
 * Pure, as RFC 4271 section 8.2.2 has them.
 */
import {
  type Action,
  type Event,
  type FsmSettings,
  IDLE,
  type Machine,
  type Step,
  type TimerName,
} from "./machine.ts";
import { pauseAfter } from "./pause.ts";
import type { SessionState } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";

const ALL_TIMERS: readonly TimerName[] = [
  "ConnectRetry",
  "Hold",
  "Keepalive",
  "DelayOpen",
  "IdleHold",
  "SendHold",
  "Stability",
];
const stopAll: readonly Action[] = ALL_TIMERS.map((timer) => ({ do: "stop", timer }));
export const stop = (timer: TimerName): Action => ({ do: "stop", timer });
export const start = (timer: TimerName, ms: number): Action => ({ do: "start", timer, ms });
export const same = (machine: Machine, actions: readonly Action[] = []): Step => ({ machine, actions });

/** RFC 6608: the subcode says in which state the message was not expected. */
const UNEXPECTED: Readonly<Partial<Record<SessionState, number>>> = {
  OpenSent: 1,
  OpenConfirm: 2,
  Established: 3,
};

/** The peer has connected. With DelayOpen we wait for its OPEN, so that an unknown peer learns nothing from ours. */
export function delayOpen(machine: Machine, settings: FsmSettings): Step {
  if (settings.delayOpenTimeMs === 0) return sendOpen(machine, settings);
  return same({ ...machine, isDelayingOpen: true }, [
    stop("ConnectRetry"),
    start("DelayOpen", settings.delayOpenTimeMs),
  ]);
}

export function sendOpen(machine: Machine, settings: FsmSettings): Step {
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
export function openWhileDelaying(machine: Machine, event: OpenEvent): Step {
  return openReceived(machine, event, [stop("ConnectRetry"), stop("DelayOpen"), { do: "sendOpen" }]);
}

export function openReceived(machine: Machine, event: OpenEvent, before: readonly Action[]): Step {
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
export function restartHold({ holdTimeMs }: Machine): Action[] {
  return [holdTimeMs === 0 ? stop("Hold") : start("Hold", holdTimeMs)];
}

/** RFC 9687: it runs from the moment that a session is established, and with the hold timer only. */
export function restartSendHold({ holdTimeMs }: Machine, { sendHoldTimeMs }: FsmSettings): Action[] {
  return [holdTimeMs === 0 ? stop("SendHold") : start("SendHold", Math.max(sendHoldTimeMs, 2 * holdTimeMs))];
}

export function startKeepalive({ holdTimeMs, keepaliveTimeMs }: Machine): Action[] {
  return [holdTimeMs === 0 ? stop("Keepalive") : start("Keepalive", keepaliveTimeMs)];
}

export function unexpected({ state }: Machine, what: string): BgpError {
  return new BgpError(ErrorCode.fsm, UNEXPECTED[state] ?? 0, `${what} in ${state}`);
}

/** Stays in Idle until somebody starts it. */
export function stopped(machine: Machine, error?: BgpError): Step {
  const { actions } = leave(machine, error);
  return { machine: IDLE, actions };
}

/**
 * A connection has failed before it said OPEN, or before the peer did: goes on to listen and connects again. RFC 4271
 * restarts the ConnectRetryTimer here; it runs for a pause, so that a router that refuses for a moment is not left
 * alone for the whole ConnectRetryTime.
 */
export function toActive(machine: Machine, settings: FsmSettings): Step {
  const connectRetryCounter = machine.connectRetryCounter + 1;
  const pause = pauseAfter({ ...machine, connectRetryCounter }, settings, false);
  const ms = Math.min(pause.ms, settings.connectRetryTimeMs);
  return {
    machine: { ...machine, state: "Active", isDelayingOpen: false, connectRetryCounter },
    actions: [{ do: "drop" }, stop("DelayOpen"), stop("Hold"), start("ConnectRetry", ms)],
  };
}

/** Tries again after a while, longer each time (DampPeerOscillations). */
export function toIdle(machine: Machine, settings: FsmSettings, error?: BgpError): Step {
  const counts = {
    connectRetryCounter: machine.connectRetryCounter + 1,
    oscillations: machine.oscillations + (machine.state === "Established" ? 1 : 0),
  };
  const isLimit = error?.code === ErrorCode.cease && error.subcode === Cease.maximumPrefixes;
  const { ms, isDamping } = pauseAfter(counts, settings, isLimit);
  const { actions } = leave(machine, error);
  return { machine: { ...IDLE, ...counts, isDamping }, actions: [...actions, start("IdleHold", ms)] };
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
