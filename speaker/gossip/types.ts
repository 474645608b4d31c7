/** What the pure part of gossip knows, is told and wants done. */
import type { Random } from "#common/random.ts";
import type { Broadcasts } from "./broadcasts.ts";
import type { GossipSettings } from "./timing.ts";
import type { DropReason } from "./wire/error.ts";
import type { Endpoint, Message } from "./wire/message.ts";
import type { MemberRecord, MemberState } from "./wire/stream.ts";

/** Who exists, as the API says: a name is believed from this place only. */
export interface Peer extends Endpoint {
  readonly name: string;
}

export interface Suspicion {
  /** Moves to when the member was heard after all. */
  startedAt: number;
  /** When it is asked directly again. */
  lookAt: number;
  lookEveryMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly wanted: number;
  /** Who suspects: the first one, and those that confirmed it. */
  readonly accusers: Set<string>;
  /** Moves when others confirm, or when we slept. */
  deadline: number;
}

export interface Member extends Peer {
  incarnation: number;
  state: MemberState;
  since: number;
  /** When it last answered a ping of ours: nobody can have made that up, or kept it from before. */
  answeredAt: number;
  meta: Uint8Array;
  versions: Uint8Array;
  suspicion: Suspicion | undefined;
}

/** The one probe that is on its way. */
export interface Probe {
  readonly sequence: number;
  readonly member: Member;
  readonly sentAt: number;
  /** When others are asked; undefined: they were. */
  askAt: number | undefined;
  /** When it failed. */
  endAt: number;
  /** Places that an ack may come from. */
  readonly answerers: Set<string>;
  nacksWanted: number;
  nacks: number;
}

/** A ping for somebody else. */
export interface Relay {
  readonly asker: Endpoint;
  readonly askedSequence: number;
  readonly target: string;
  readonly wantsNack: boolean;
  endAt: number;
}

/** A ping to somebody who is suspected, thought dead, or was never heard. */
export interface Reach {
  readonly peer: Peer;
  endAt: number;
}

/** A member that is pinged many times a second. */
export interface Watch {
  readonly member: Member;
  nextAt: number;
  /** The latest ping of ours that was answered was sent then. */
  heardAt: number;
  /** Direct pings since then that had the time to be answered, and were not. */
  missed: number;
  /** Share of direct pings that is lost while it lives. */
  loss: number;
  /** The longest that an answer took of late, milliseconds. */
  delayMs: number;
  /** By sequence, in the order of sending. */
  readonly pings: Map<number, WatchPing>;
}

export interface WatchPing {
  readonly sentAt: number;
  isMissed: boolean;
  /** Places of those who ping for us; undefined: we do. */
  readonly answerers: ReadonlySet<string> | undefined;
}

export const GOSSIP_DROPS = [
  /** From an address that is no peer's. */
  "stranger",
  /** It names a member at another place than its own, or speaks for another one. */
  "forged",
  /** An answer that nobody waits for. */
  "unexpected",
  /** A ping for another name. */
  "misaddressed",
  /** The same octets came before. */
  "replayed",
  /** More of it than a member may ask for. */
  "excess",
] as const;
export type GossipDrop = DropReason | (typeof GOSSIP_DROPS)[number];

export interface GossipCounts {
  readonly dropped: { [reason in GossipDrop]?: number };
  answeredProbes: number;
  /** Probes that nobody answered. */
  failedProbes: number;
  suspicions: number;
  /** Members declared dead by us. */
  deaths: number;
  /** Times that we had to say that we are alive. */
  refutations: number;
  /** Times that this process slept through its deadlines. */
  stalls: number;
}

/** The whole state. `step` changes it in place: a thousand of them are simulated in one process. */
export interface Gossip {
  readonly own: Peer;
  readonly settings: GossipSettings;
  readonly random: Pick<Random, "number">;
  /** Octets of messages in one packet. */
  readonly room: number;
  readonly counts: GossipCounts;
  readonly broadcasts: Broadcasts;
  /** News of the application, each by a number: it travels in the room that news of members leaves. */
  readonly told: Broadcasts;
  toldCount: number;
  /** What of the application was heard within the second that began then. */
  heardAt: number;
  heardCount: number;
  /** All but ourselves. */
  peers: ReadonlyMap<string, Peer>;
  /** Place -> peer. */
  places: ReadonlyMap<string, Peer>;
  /** Everybody that was heard of, ourselves too. */
  readonly members: Map<string, Member>;
  /** The same in an order for choosing by lot; `self` is one of them. */
  list: Member[];
  readonly self: Member;
  readonly suspects: Set<Member>;
  /** Members of the list that are dead or left. */
  downCount: number;
  probe: Probe | undefined;
  probeAt: number;
  probeIndex: number;
  gossipAt: number;
  pushPullAt: number;
  reachAt: number;
  reachIndex: number;
  readonly relays: Map<number, Relay>;
  readonly reaches: Map<number, Reach>;
  /** By name. */
  readonly watches: Map<string, Watch>;
  /** Who accused us and is told otherwise at once. */
  readonly objections: Set<Peer>;
  /** Not before this time another whole state is asked for because somebody answered again. */
  pullAt: number;
  /** Not before this time another state of the application is asked for because somebody came back. */
  rejoinAt: number;
  /** Lifeguard's local health: 0 is well. */
  health: number;
  sequence: number;
  /** Somebody has told us their whole state. */
  isJoined: boolean;
  isLeaving: boolean;
}

export type GossipEvent =
  /** Time has come. */
  | { readonly type: "wake" }
  /** Messages of one datagram. */
  | { readonly type: "packet"; readonly from: Endpoint; readonly messages: readonly Message[] }
  /** A whole state, asked for or not, of the peer of that address. */
  | {
      readonly type: "pushPull";
      readonly from: string;
      readonly records: readonly MemberRecord[];
      /** The application's state. */
      readonly user: Uint8Array;
    }
  /** The application has news for all. */
  | ({ readonly type: "tell" } & Pick<Telling, "news" | "isUrgent">)
  /** The application has something for one member. */
  | { readonly type: "say"; readonly to: string; readonly messages: readonly Uint8Array[] }
  /** Who exists, all of them; our own name in it is passed over. */
  | { readonly type: "peers"; readonly peers: readonly Peer[] }
  /** Something was dropped before it came here. */
  | { readonly type: "dropped"; readonly reason: GossipDrop }
  /** Says goodbye to all. */
  | { readonly type: "leave" };

/** What a peer tells an application: news, or all of its state. */
export interface Told {
  readonly from: string;
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
}

/** What an application tells. */
export interface Telling {
  /** One message each. */
  readonly news: readonly Uint8Array[];
  /** Goes to all at once, and not only from one to the next. */
  readonly isUrgent: boolean;
  /** All of its state with that. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

export type GossipAction =
  /** Encoded messages for one packet. */
  | { readonly type: "send"; readonly to: Endpoint; readonly messages: readonly Uint8Array[] }
  /** Exchange whole states over TCP; `isOfUser`: the application's alone. */
  | { readonly type: "pushPull"; readonly to: Peer; readonly join: boolean; readonly isOfUser: boolean }
  /** What is thought of a peer; undefined before it was first heard. */
  | {
      readonly type: "changed";
      readonly name: string;
      readonly state: MemberState;
      readonly before: MemberState | undefined;
    }
  | ({ readonly type: "told" } & Told)
  /** A peer has told us all that it knows. */
  | { readonly type: "joined" };

/** Thought to be there: suspected is not dead yet. */
export const isUp = ({ state }: { readonly state: MemberState }): boolean =>
  state === "alive" || state === "suspect";

export const placeOf = ({ address, port }: Endpoint): string => `${address} ${port}`;
