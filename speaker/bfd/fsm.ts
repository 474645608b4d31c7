/**
 * One BFD session as RFC 5880 section 6.8 has it, asynchronous mode; demand mode is obeyed when the peer asks for it and
 * never asked for. Pure: each function gives the session after an event, the same object where nothing changed (so a
 * session at rest makes no garbage); what to send and to tell follows from the difference.
 */
import type { ControlPacket } from "./packet.ts";
import type { BfdDiagnostic, BfdState } from "./types.ts";

/** As long as the session is not up nobody speaks faster (section 6.8.3); control packets beside echo, too. */
const SLOW_MICROS = 1_000_000;

/** What the configuration asks for. Microseconds. */
export interface SessionSettings {
  readonly desiredMinTxMicros: number;
  readonly requiredMinRxMicros: number;
  readonly detectMultiplier: number;
  readonly passive: boolean;
  /** Send echo packets as soon as the peer says that it loops them. */
  readonly echo: boolean;
  readonly echoMicros: number;
  /** What this node offers to loop; 0: nothing. */
  readonly requiredMinEchoRxMicros: number;
}

/** The state variables of section 6.8.1. */
export interface Session {
  readonly settings: SessionSettings;
  readonly state: BfdState;
  readonly remoteState: BfdState;
  readonly diagnostic: BfdDiagnostic;
  readonly remoteDiagnostic: BfdDiagnostic;
  readonly localDiscriminator: number;
  readonly remoteDiscriminator: number;
  /** As sent in packets. */
  readonly desiredMinTxMicros: number;
  readonly requiredMinRxMicros: number;
  /** As used: behind what is sent until the peer has confirmed it (section 6.8.3). */
  readonly usedTxMicros: number;
  readonly usedRxMicros: number;
  readonly isPolling: boolean;
  readonly isEchoing: boolean;
  readonly remoteMinRxMicros: number;
  readonly remoteMinTxMicros: number;
  readonly remoteMinEchoRxMicros: number;
  readonly remoteMultiplier: number;
  readonly remoteDemand: boolean;
}

/** What is not known of a peer that was not heard (section 6.8.1: bfd.RemoteMinRxInterval starts with 1). */
const UNHEARD = {
  remoteState: "Down",
  remoteDiscriminator: 0,
  remoteMinRxMicros: 1,
  remoteMinTxMicros: 0,
  remoteMinEchoRxMicros: 0,
  remoteMultiplier: 0,
  remoteDemand: false,
} as const;

/** @param localDiscriminator not 0, unique on this node */
export function newSession(settings: SessionSettings, localDiscriminator: number): Session {
  const desiredMinTxMicros = Math.max(settings.desiredMinTxMicros, SLOW_MICROS);
  return {
    ...UNHEARD,
    settings,
    state: "Down",
    diagnostic: "None",
    remoteDiagnostic: "None",
    localDiscriminator,
    desiredMinTxMicros,
    requiredMinRxMicros: settings.requiredMinRxMicros,
    usedTxMicros: desiredMinTxMicros,
    usedRxMicros: settings.requiredMinRxMicros,
    isPolling: false,
    isEchoing: false,
  };
}

/** Section 6.2, our state by what the peer says; not in the table: stay. */
const NEXT: Readonly<Record<BfdState, Readonly<Partial<Record<BfdState, BfdState>>>>> = {
  AdminDown: {},
  Down: { Down: "Init", Init: "Up" },
  Init: { AdminDown: "Down", Init: "Up", Up: "Up" },
  Up: { AdminDown: "Down", Down: "Down" },
};

/** A valid packet of this session's peer (section 6.8.6). Whether it asks for an answer (P) is the caller's to see. */
export function received(session: Session, packet: ControlPacket): Session {
  // Section 6.8.6: in AdminDown the packet is discarded.
  if (session.state === "AdminDown") return session;
  const isConfirmed = session.isPolling && packet.final;
  const state = NEXT[session.state][packet.state] ?? session.state;
  if (state === session.state && !isConfirmed && isKnown(session, packet)) return session;
  const next: Session = {
    ...session,
    state,
    diagnostic: diagnosticAfter(session, state),
    remoteState: packet.state,
    remoteDiagnostic: packet.diagnostic,
    remoteDiscriminator: packet.myDiscriminator,
    remoteMinRxMicros: packet.requiredMinRxMicros,
    remoteMinTxMicros: packet.desiredMinTxMicros,
    remoteMinEchoRxMicros: packet.requiredMinEchoRxMicros,
    remoteMultiplier: packet.detectMultiplier,
    remoteDemand: packet.demand,
  };
  return negotiated(isConfirmed ? confirmed(next) : next);
}

function isKnown(session: Session, packet: ControlPacket): boolean {
  return (
    session.remoteState === packet.state &&
    session.remoteDiagnostic === packet.diagnostic &&
    session.remoteDiscriminator === packet.myDiscriminator &&
    session.remoteMinRxMicros === packet.requiredMinRxMicros &&
    session.remoteMinTxMicros === packet.desiredMinTxMicros &&
    session.remoteMinEchoRxMicros === packet.requiredMinEchoRxMicros &&
    session.remoteMultiplier === packet.detectMultiplier &&
    session.remoteDemand === packet.demand
  );
}

function diagnosticAfter(session: Session, state: BfdState): BfdDiagnostic {
  if (state === session.state) return session.diagnostic;
  if (state === "Down") return "NeighborSignaledDown";
  return state === "Up" ? "None" : session.diagnostic;
}

/** Nothing was heard for the detection time (section 6.8.4). The peer is forgotten, as section 6.8.1 wants. */
export function expired(session: Session): Session {
  if (session.state === "AdminDown") return session;
  const wasHeard = session.state !== "Down";
  const diagnostic = wasHeard ? "DetectionTimeExpired" : session.diagnostic;
  return negotiated({ ...session, ...UNHEARD, state: "Down", diagnostic });
}

/** Echo packets did not come back (section 6.8.5). */
export function echoFailed(session: Session): Session {
  if (session.state !== "Up") return session;
  return negotiated({ ...session, state: "Down", diagnostic: "EchoFailed" });
}

/** An echo packet came back: the peer does loop them, so control packets may slow down (section 6.8.3). */
export function echoReturned(session: Session): Session {
  return session.isEchoing || !wantsEcho(session) ? session : negotiated({ ...session, isEchoing: true });
}

/** Other settings on a living session: sent by a poll sequence, without a change of state. */
export function configured(session: Session, settings: SessionSettings): Session {
  return negotiated({ ...session, settings });
}

/** Taken down on purpose (section 6.8.16). There is no way back: a new session begins anew. */
export function disabled(session: Session): Session {
  return negotiated({ ...session, state: "AdminDown", diagnostic: "AdministrativelyDown" });
}

/** Echo packets are to be sent. Until the first comes back nothing rests on them. */
export function wantsEcho({ settings, state, remoteMinEchoRxMicros }: Session): boolean {
  return settings.echo && state === "Up" && remoteMinEchoRxMicros > 0;
}

/** What is sent in packets, by state and settings. */
function sentBy(session: Session): { tx: number; rx: number } {
  const { settings, state, isEchoing } = session;
  if (state !== "Up") {
    return { tx: Math.max(settings.desiredMinTxMicros, SLOW_MICROS), rx: settings.requiredMinRxMicros };
  }
  // Section 6.8.3: control packets need not be fast while echo packets are.
  const rx = isEchoing ? Math.max(settings.requiredMinRxMicros, SLOW_MICROS) : settings.requiredMinRxMicros;
  return { tx: settings.desiredMinTxMicros, rx };
}

/** Brings the timers in line with the state (section 6.8.3): at once while nothing stands, by a poll when it does. */
function negotiated(session: Session): Session {
  const { state } = session;
  const isEchoing = session.isEchoing && wantsEcho(session);
  const { tx, rx } = sentBy({ ...session, isEchoing });
  const sent = { ...session, isEchoing, desiredMinTxMicros: tx, requiredMinRxMicros: rx };
  if (state !== "Up") return { ...sent, usedTxMicros: tx, usedRxMicros: rx, isPolling: false };
  // One poll sequence at a time: what changed meanwhile is sent after the answer.
  if (session.isPolling) return { ...session, isEchoing };
  if (tx === session.desiredMinTxMicros && rx === session.requiredMinRxMicros) return sent;
  return {
    ...sent,
    isPolling: true,
    // Slower sending and stricter detection wait for the answer; faster and more patient hold at once.
    usedTxMicros: Math.min(session.usedTxMicros, tx),
    usedRxMicros: Math.max(session.usedRxMicros, rx),
  };
}

/** The answer to our poll came: what was sent is in force. */
function confirmed(session: Session): Session {
  const { desiredMinTxMicros, requiredMinRxMicros } = session;
  return {
    ...session,
    isPolling: false,
    usedTxMicros: desiredMinTxMicros,
    usedRxMicros: requiredMinRxMicros,
  };
}

/** The packet that says what the session is (section 6.8.7), written over `into`. */
export function describe(session: Session, isFinal: boolean, into: ControlPacket): void {
  into.diagnostic = session.diagnostic;
  into.state = session.state;
  // Section 6.5: an answer never asks.
  into.poll = session.isPolling && !isFinal;
  into.final = isFinal;
  // Silence means a dead node, which no graceful restart shall hide; only a planned end is none (RFC 5882 section 4.3.2).
  into.isIndependent = session.state !== "AdminDown";
  into.demand = false;
  into.detectMultiplier = session.settings.detectMultiplier;
  into.myDiscriminator = session.localDiscriminator;
  into.yourDiscriminator = session.remoteDiscriminator;
  into.desiredMinTxMicros = session.desiredMinTxMicros;
  into.requiredMinRxMicros = session.requiredMinRxMicros;
  into.requiredMinEchoRxMicros = session.settings.requiredMinEchoRxMicros;
}
