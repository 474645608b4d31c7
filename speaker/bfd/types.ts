/** What the BFD side is asked for, and what it says of itself. Types only. */
import type { Scheduling } from "#speaker/native/datagram.ts";

/** RFC 5880 section 4.1. */
export type BfdState = "AdminDown" | "Down" | "Init" | "Up";

/** Of the last change of state (RFC 5880 section 4.1, Diag). */
export type BfdDiagnostic =
  | "None"
  | "DetectionTimeExpired"
  | "EchoFailed"
  | "NeighborSignaledDown"
  | "ForwardingPlaneReset"
  | "PathDown"
  | "ConcatenatedPathDown"
  | "AdministrativelyDown"
  | "ReverseConcatenatedPathDown";

/** A BFDProfile with its defaults filled in. */
export interface BfdTimers {
  readonly receiveIntervalMs: number;
  readonly transmitIntervalMs: number;
  readonly detectMultiplier: number;
  /** Single hop over IPv4 only; where the peer or this node loops nothing the session runs without. */
  readonly echoMode: boolean;
  readonly echoIntervalMs: number;
  /** Says nothing before the peer has. */
  readonly passive: boolean;
  /** Multihop only: packets with less are dropped. */
  readonly minimumTtl?: number;
}

export interface BfdPeer {
  /** Of the BGPPeer. */
  readonly key: string;
  readonly address: string;
  readonly sourceAddress?: string;
  /** Name of the link: required for a link-local address, else it narrows a single hop session to that link. */
  readonly link?: string;
  /** "unlessConnected": one hop where the peer is on a network of this node's, as FRR takes iBGP. */
  readonly multihop: boolean | "unlessConnected";
  readonly profile: BfdTimers;
}

/** What the kernel lets the thread have that keeps time. */
export type BfdScheduling =
  | { readonly class: "unknown" }
  /** Where it is "normal", intervals below the floor are raised or refused. */
  | Scheduling;

export interface BfdChange {
  readonly key: string;
  readonly state: BfdState;
  readonly previous: BfdState;
  /** What the peer said last. */
  readonly remoteState: BfdState;
  readonly diagnostic: BfdDiagnostic;
  /** RFC 3339. */
  readonly at: string;
  /**
   * The path was up and is not any more: the client ends its session. False where the peer has said AdminDown, which is
   * no loss of the path (RFC 5882 section 3.2), and where this side stops on purpose.
   */
  readonly isLoss: boolean;
}

export interface BfdReport {
  readonly key: string;
  readonly address: string;
  readonly state: BfdState;
  readonly remoteState: BfdState;
  readonly diagnostic: BfdDiagnostic;
  readonly remoteDiagnostic: BfdDiagnostic;
  /** RFC 3339, of the state. */
  readonly since: string;
  /** Milliseconds, as negotiated; 0 as long as the peer was not heard. */
  readonly detectionTimeMs: number;
  readonly transmitIntervalMs: number;
  /** Echo packets travel. */
  readonly isEchoing: boolean;
  /** How often an established session was lost. */
  readonly losses: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly sendFailures: number;
  /** Why the session does not run, or not as the profile wants. */
  readonly problem?: string;
}

export interface Bfd {
  /** The whole list. What stays is not disturbed; other intervals are negotiated by a poll sequence. */
  reconcile(peers: readonly BfdPeer[]): void;
  /** Each change of a session's state, in order. Returns what ends the subscription. */
  onState(callback: (change: BfdChange) => void): () => void;
  /** As last told by the thread: at most a second old, and after each change. */
  sessions(): readonly BfdReport[];
  readonly scheduling: BfdScheduling;
  /** Tells every peer that this end goes on purpose (RFC 5880 section 6.8.16); resolves when that was sent. */
  adminDown(): Promise<void>;
  stop(): Promise<void>;
}
