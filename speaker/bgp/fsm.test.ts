/** RFC 4271 section 8.2.2, state by state: from a state, on an event, to a state, with these actions. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { step } from "./fsm.ts";
import {
  type Action,
  CONNECT_TIMEOUT_MS,
  type Event,
  type FsmSettings,
  fsmSettings,
  IDLE,
  type Machine,
  type Step,
} from "./machine.ts";
import type { SessionState } from "./types.ts";
import { BgpError, Cease, ErrorCode } from "./wire/error.ts";

const SETTINGS: FsmSettings = {
  connectRetryTimeMs: 120_000,
  attemptTimeMs: 120_000,
  openHoldTimeMs: 240_000,
  sendHoldTimeMs: 480_000,
  delayOpenTimeMs: 0,
  idleHoldTimeMs: { base: 1_000, cap: 8_000 },
  dampedHoldTimeMs: { base: 1_000, cap: 60_000 },
  limitHoldTimeMs: { base: 30_000, cap: 3_600_000 },
  stableTimeMs: 60_000,
};
const DELAYING: FsmSettings = { ...SETTINGS, delayOpenTimeMs: 5_000 };
const ERROR = new BgpError(1, 2, "test");
const OPEN: Event = { type: "BGPOpen", holdTimeMs: 90_000, keepaliveTimeMs: 30_000 };

const at = (state: SessionState, more: Partial<Machine> = {}): Machine => ({
  ...IDLE,
  state,
  holdTimeMs: 90_000,
  keepaliveTimeMs: 30_000,
  ...more,
});

/** `start Hold 90000`, `notify 4/0`, `connect`. */
const words = (actions: readonly Action[]): string[] =>
  actions.map((action) => {
    switch (action.do) {
      case "start":
        return `start ${action.timer} ${action.ms}`;
      case "stop":
        return `stop ${action.timer}`;
      case "sendNotification":
        return `notify ${action.error.code}/${action.error.subcode}`;
      default:
        return action.do;
    }
  });

const STOP_ALL = [
  "stop ConnectRetry",
  "stop Hold",
  "stop Keepalive",
  "stop DelayOpen",
  "stop IdleHold",
  "stop SendHold",
  "stop Stability",
];
const LEAVE = [...STOP_ALL, "drop"];

type Case = readonly [
  from: Machine,
  event: Event,
  to: SessionState,
  actions: readonly string[],
  settings?: FsmSettings,
];

const CASES: readonly Case[] = [
  // Idle.
  [at("Idle"), { type: "ManualStart" }, "Connect", ["stop IdleHold", "start ConnectRetry 120000", "connect"]],
  [
    at("Idle"),
    { type: "IdleHoldTimer_Expires" },
    "Connect",
    ["stop IdleHold", "start ConnectRetry 120000", "connect"],
  ],
  [
    at("Idle"),
    { type: "AutomaticStart_with_PassiveTcpEstablishment" },
    "Active",
    ["stop IdleHold", "start ConnectRetry 120000"],
  ],
  [at("Idle"), { type: "ManualStop", error: ERROR }, "Idle", ["stop IdleHold"]],
  [at("Idle"), { type: "AutomaticStop", error: ERROR }, "Idle", []],
  [at("Idle"), { type: "TcpConnectionConfirmed" }, "Idle", []],
  [at("Idle"), OPEN, "Idle", []],
  // Connect.
  [
    at("Connect"),
    { type: "ConnectRetryTimer_Expires" },
    "Connect",
    ["drop", "stop DelayOpen", "start ConnectRetry 120000", "connect"],
  ],
  [
    at("Connect"),
    { type: "Tcp_CR_Acked" },
    "OpenSent",
    ["stop ConnectRetry", "stop DelayOpen", "sendOpen", "start Hold 240000"],
  ],
  [
    at("Connect"),
    { type: "Tcp_CR_Acked" },
    "OpenSent",
    ["stop ConnectRetry", "stop DelayOpen", "sendOpen", "start Hold 240000"],
    DELAYING,
  ],
  [
    at("Connect"),
    { type: "TcpConnectionConfirmed" },
    "Connect",
    ["stop ConnectRetry", "start DelayOpen 5000"],
    DELAYING,
  ],
  [
    at("Active"),
    { type: "TcpConnectionConfirmed" },
    "Active",
    ["stop ConnectRetry", "start DelayOpen 5000"],
    DELAYING,
  ],
  [
    at("Active", { isDelayingOpen: true }),
    { type: "OpenCollisionDump" },
    "Idle",
    ["notify 6/7", ...LEAVE, "start IdleHold 1000"],
    DELAYING,
  ],
  [at("Connect"), { type: "TcpConnectionFails" }, "Idle", [...LEAVE, "start IdleHold 1000"]],
  [
    at("Connect", { isDelayingOpen: true }),
    { type: "TcpConnectionFails" },
    "Active",
    ["drop", "stop DelayOpen", "stop Hold", "start ConnectRetry 1000"],
  ],
  [
    at("Connect", { isDelayingOpen: true }),
    { type: "DelayOpenTimer_Expires" },
    "OpenSent",
    ["stop ConnectRetry", "stop DelayOpen", "sendOpen", "start Hold 240000"],
  ],
  [at("Connect"), { type: "ManualStop", error: ERROR }, "Idle", LEAVE],
  // Active.
  [at("Active"), { type: "ConnectRetryTimer_Expires" }, "Connect", ["start ConnectRetry 120000", "connect"]],
  [
    at("Active"),
    { type: "TcpConnectionConfirmed" },
    "OpenSent",
    ["stop ConnectRetry", "stop DelayOpen", "sendOpen", "start Hold 240000"],
  ],
  [at("Active"), { type: "TcpConnectionFails" }, "Idle", [...LEAVE, "start IdleHold 1000"]],
  [
    at("Active", { isDelayingOpen: true }),
    OPEN,
    "OpenConfirm",
    [
      "stop ConnectRetry",
      "stop DelayOpen",
      "sendOpen",
      "sendKeepalive",
      "start Keepalive 30000",
      "start Hold 90000",
    ],
  ],
  // OpenSent.
  [
    at("OpenSent"),
    OPEN,
    "OpenConfirm",
    ["stop ConnectRetry", "stop DelayOpen", "sendKeepalive", "start Keepalive 30000", "start Hold 90000"],
  ],
  [
    at("OpenSent"),
    { type: "BGPOpen", holdTimeMs: 0, keepaliveTimeMs: 0 },
    "OpenConfirm",
    ["stop ConnectRetry", "stop DelayOpen", "sendKeepalive", "stop Keepalive", "stop Hold"],
  ],
  [
    at("OpenSent"),
    { type: "TcpConnectionFails" },
    "Active",
    ["drop", "stop DelayOpen", "stop Hold", "start ConnectRetry 1000"],
  ],
  [at("OpenSent"), { type: "HoldTimer_Expires" }, "Idle", ["notify 4/0", ...LEAVE, "start IdleHold 1000"]],
  [
    at("OpenSent"),
    { type: "BGPOpenMsgErr", error: ERROR },
    "Idle",
    ["notify 1/2", ...LEAVE, "start IdleHold 1000"],
  ],
  [at("OpenSent"), { type: "KeepAliveMsg" }, "Idle", ["notify 5/1", ...LEAVE, "start IdleHold 1000"]],
  [at("OpenSent"), { type: "NotifMsg" }, "Idle", [...LEAVE, "start IdleHold 1000"]],
  [at("OpenSent"), { type: "OpenCollisionDump" }, "Idle", ["notify 6/7", ...LEAVE, "start IdleHold 1000"]],
  [at("OpenSent"), { type: "ManualStop", error: ERROR }, "Idle", ["notify 1/2", ...LEAVE]],
  // OpenConfirm.
  [
    at("OpenConfirm"),
    { type: "KeepAliveMsg" },
    "Established",
    ["start Hold 90000", "start SendHold 480000", "start Stability 60000", "established"],
  ],
  [
    at("OpenConfirm"),
    { type: "KeepaliveTimer_Expires" },
    "OpenConfirm",
    ["sendKeepalive", "start Keepalive 30000"],
  ],
  [at("OpenConfirm"), { type: "UpdateMsg" }, "Idle", ["notify 5/2", ...LEAVE, "start IdleHold 1000"]],
  [at("OpenConfirm"), OPEN, "Idle", ["notify 5/2", ...LEAVE, "start IdleHold 1000"]],
  [at("OpenConfirm"), { type: "TcpConnectionFails" }, "Idle", [...LEAVE, "start IdleHold 1000"]],
  [at("OpenConfirm"), { type: "MessageTaken" }, "OpenConfirm", []],
  [
    at("OpenConfirm", { holdTimeMs: 0 }),
    { type: "KeepAliveMsg" },
    "Established",
    ["stop Hold", "stop SendHold", "start Stability 60000", "established"],
  ],
  [at("OpenSent"), { type: "RouteRefreshMsg" }, "Idle", ["notify 5/1", ...LEAVE, "start IdleHold 1000"]],
  [at("OpenConfirm"), { type: "RouteRefreshMsg" }, "Idle", ["notify 5/2", ...LEAVE, "start IdleHold 1000"]],
  // What this speaker ends for a reason of its own (RFC 4271 event 8), it tries again.
  ...(["OpenSent", "OpenConfirm"] as const).map(
    (state): Case => [
      at(state),
      { type: "AutomaticStop", error: ERROR },
      "Idle",
      ["notify 1/2", ...LEAVE, "start IdleHold 1000"],
    ],
  ),
  ...(["Connect", "Active"] as const).map(
    (state): Case => [
      at(state),
      { type: "AutomaticStop", error: ERROR },
      "Idle",
      [...LEAVE, "start IdleHold 1000"],
    ],
  ),
  // Established.
  [
    at("Established"),
    { type: "AutomaticStop", error: ERROR },
    "Idle",
    ["notify 1/2", ...LEAVE, "lost", "start IdleHold 1000"],
  ],
  [at("Established"), { type: "RouteRefreshMsg" }, "Established", []],
  [
    at("Established"),
    { type: "RouteRefreshMsgErr", error: ERROR },
    "Idle",
    ["notify 1/2", ...LEAVE, "lost", "start IdleHold 1000"],
  ],
  [at("Established"), { type: "MessageTaken" }, "Established", ["start SendHold 480000"]],
  [
    at("Established", { holdTimeMs: 300_000 }),
    { type: "MessageTaken" },
    "Established",
    ["start SendHold 600000"],
  ],
  [at("Established", { holdTimeMs: 0 }), { type: "MessageTaken" }, "Established", ["stop SendHold"]],
  [
    at("Established"),
    { type: "SendHoldTimer_Expires" },
    "Idle",
    ["notify 8/0", ...LEAVE, "lost", "start IdleHold 1000"],
  ],
  [at("Established"), { type: "KeepAliveMsg" }, "Established", ["start Hold 90000"]],
  [at("Established"), { type: "UpdateMsg" }, "Established", ["start Hold 90000"]],
  [at("Established", { holdTimeMs: 0 }), { type: "UpdateMsg" }, "Established", ["stop Hold"]],
  [
    at("Established"),
    { type: "KeepaliveTimer_Expires" },
    "Established",
    ["sendKeepalive", "start Keepalive 30000"],
  ],
  [
    at("Established"),
    { type: "HoldTimer_Expires" },
    "Idle",
    ["notify 4/0", ...LEAVE, "lost", "start IdleHold 1000"],
  ],
  [
    at("Established"),
    { type: "UpdateMsgErr", error: ERROR },
    "Idle",
    ["notify 1/2", ...LEAVE, "lost", "start IdleHold 1000"],
  ],
  [at("Established"), { type: "NotifMsg" }, "Idle", [...LEAVE, "lost", "start IdleHold 1000"]],
  [at("Established"), { type: "TcpConnectionFails" }, "Idle", [...LEAVE, "lost", "start IdleHold 1000"]],
  [at("Established"), OPEN, "Idle", ["notify 5/3", ...LEAVE, "lost", "start IdleHold 1000"]],
  [at("Established"), { type: "ManualStop", error: ERROR }, "Idle", ["notify 1/2", ...LEAVE, "lost"]],
];

describe("transitions", () => {
  for (const [from, event, to, actions, settings = SETTINGS] of CASES) {
    test(`${from.state}${from.isDelayingOpen ? ", delaying" : ""}, ${event.type} -> ${to}`, () => {
      const result = step(from, event, settings);
      assert.equal(result.machine.state, to);
      assert.deepEqual(words(result.actions), actions);
    });
  }
});

/** The pause that a step asks for. */
function pauseOf({ actions }: Step): number {
  const pause = actions.find(
    (action) => action.do === "start" && (action.timer === "IdleHold" || action.timer === "ConnectRetry"),
  );
  return pause?.do === "start" ? pause.ms : 0;
}

/** From Idle to Established. */
function establish(machine: Machine): Machine {
  const events: readonly Event[] = [
    { type: "IdleHoldTimer_Expires" },
    { type: "Tcp_CR_Acked" },
    OPEN,
    { type: "KeepAliveMsg" },
  ];
  return events.reduce((before, event) => step(before, event, SETTINGS).machine, machine);
}

describe("pauses (RFC 4271 section 8.1.1, DampPeerOscillations)", () => {
  test("each attempt that fails doubles the pause, up to its longest; an established session begins anew", () => {
    const pauses: number[] = [];
    let machine = at("Connect");
    for (let round = 0; round < 6; round += 1) {
      const failed = step(machine, { type: "TcpConnectionFails" }, SETTINGS);
      pauses.push(pauseOf(failed));
      machine = step(failed.machine, { type: "IdleHoldTimer_Expires" }, SETTINGS).machine;
    }
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    const confirmed = { ...machine, state: "OpenConfirm" as const };
    assert.equal(step(confirmed, { type: "KeepAliveMsg" }, SETTINGS).machine.connectRetryCounter, 0);
  });

  test("an attempt has the time to fail by itself, however short connectTime is: else nobody hears why", () => {
    for (const [connectTimeMs, least] of [
      [1_000, CONNECT_TIMEOUT_MS / 0.75],
      [5_000, CONNECT_TIMEOUT_MS / 0.75],
      [120_000, 120_000],
    ] as const) {
      const { actions } = step(IDLE, { type: "ManualStart" }, fsmSettings(connectTimeMs));
      const timer = actions.find((action) => action.do === "start");
      assert.ok(timer?.timer === "ConnectRetry" && timer.ms >= least, words(actions).join());
    }
  });

  test("a router that accepts and closes is called again after such pauses, not after the ConnectRetryTime", () => {
    const pauses: number[] = [];
    let machine = at("OpenSent");
    for (let round = 0; round < 5; round += 1) {
      const failed = step(machine, { type: "TcpConnectionFails" }, SETTINGS);
      pauses.push(pauseOf(failed));
      assert.equal(failed.machine.state, "Active");
      const called = step(failed.machine, { type: "ConnectRetryTimer_Expires" }, SETTINGS);
      assert.ok(words(called.actions).includes("connect"));
      machine = step(called.machine, { type: "Tcp_CR_Acked" }, SETTINGS).machine;
    }
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 8_000]);
  });

  const deaths: readonly [what: string, event: Event, pauses: readonly number[]][] = [
    [
      "that the router ends",
      { type: "NotifMsg" },
      [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000],
    ],
    [
      "that a limit of the configuration ends",
      { type: "AutomaticStop", error: new BgpError(ErrorCode.cease, Cease.maximumPrefixes, "") },
      [30_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000],
    ],
  ];
  for (const [what, event, pauses] of deaths) {
    test(`sessions ${what} soon after they were established come back ever later`, () => {
      let machine = IDLE;
      const found = pauses.map(() => {
        const lost = step(establish(machine), event, SETTINGS);
        machine = lost.machine;
        return pauseOf(lost);
      });
      assert.deepEqual(found, pauses);
    });
  }

  test("a session that has lasted makes up for those that did not", () => {
    let machine = IDLE;
    for (let round = 0; round < 4; round += 1) {
      machine = step(establish(machine), { type: "NotifMsg" }, SETTINGS).machine;
    }
    assert.equal(machine.oscillations, 4);
    const stable = step(establish(machine), { type: "StabilityTimer_Expires" }, SETTINGS).machine;
    assert.equal(stable.state, "Established");
    assert.equal(pauseOf(step(stable, { type: "NotifMsg" }, SETTINGS)), 1_000);
  });

  test("during a long pause whoever connects is refused, during a short one nobody is", () => {
    let machine = IDLE;
    const refused: boolean[] = [];
    for (let round = 0; round < 5; round += 1) {
      machine = step(establish(machine), { type: "NotifMsg" }, SETTINGS).machine;
      const asked = step(machine, { type: "AutomaticStart_with_PassiveTcpEstablishment" }, SETTINGS);
      refused.push(asked.machine.state === "Idle");
    }
    assert.deepEqual(refused, [false, false, false, true, true]);
  });
});

const EVENTS: readonly Event[] = [
  ...new Map(CASES.map(([, event]) => [event.type, event])).values(),
  { type: "BGPHeaderErr", error: ERROR },
];

test("whatever comes in whatever order: sessions that are lost were established, and nobody is stuck in Idle", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }), (events) => {
      let machine = IDLE;
      let isUp = false;
      let willReturn = true;
      for (const event of [{ type: "ManualStart" } as const, ...events]) {
        const result = step(machine, event, SETTINGS);
        for (const action of result.actions) {
          if (action.do === "established") {
            assert.ok(!isUp);
            isUp = true;
          }
          if (action.do === "lost") {
            assert.ok(isUp);
            isUp = false;
          }
        }
        if (result.machine.state === "Idle" && machine.state !== "Idle") {
          willReturn = words(result.actions).some((word) => word.startsWith("start IdleHold"));
          assert.equal(willReturn, event.type !== "ManualStop");
        }
        machine = result.machine;
        assert.equal(isUp, machine.state === "Established");
      }
    }),
  );
});
