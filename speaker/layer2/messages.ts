/** What the speaker and the worker thread that keeps time say to each other. */
import type { Policy } from "./contest.ts";

/** A link to answer on. A new index or hardware address means a new link of the same name. */
export interface LinkIdentity {
  readonly name: string;
  readonly index: number;
  /** 12 hex digits. */
  readonly hardware: string;
}

export interface Announcement {
  /** Name of a link. */
  readonly link: string;
  /** Canonical text. */
  readonly vip: string;
}

/** A station that is no node of ours uses the address as its own. */
export interface Conflict extends Announcement {
  /** The station's hardware address, 12 hex digits. "" when the conflict is over. */
  readonly station: string;
  /** defended: we go on answering. yielded: we do not answer. over: the station was not heard for some time. */
  readonly state: "defended" | "yielded" | "over";
}

/** Which stations are ours, and what to do about others that use our addresses. */
export interface Rules {
  /** Hardware addresses of this node's links, 12 hex digits each. */
  readonly own: readonly string[];
  /** Those of other nodes' links. Undefined: not all are known, so every station may be one of them. */
  readonly members: readonly string[] | undefined;
  readonly addressConflict: Policy;
}

/** Why a link is not answered on. */
export interface LinkProblem {
  readonly link: string;
  /** errno name, or "BadLink". */
  readonly code: string;
  readonly message: string;
}

/** Since the worker started. */
export interface ResponderCounts {
  readonly arp: number;
  readonly ndp: number;
  /** Gratuitous ARP and unsolicited advertisements. */
  readonly unasked: number;
  /** Answers for which there was no room, and frames that the link refused. */
  readonly lost: number;
  /** Frames for which there was no room at first, and which were sent later. */
  readonly retried: number;
  /** Frames of foreign stations that use an announced address. */
  readonly conflicts: number;
  /** Frames of other nodes of ours that announce an address that this node announces. */
  readonly overlaps: number;
  readonly announced: number;
  /** Solicited-node groups joined, and those that the kernel refuses to join. */
  readonly groups: number;
  readonly refusedGroups: number;
}

export type ToWorker =
  /** Removals are done before additions. `links` is the whole list. The answer is "done". */
  | {
      readonly type: "update";
      readonly sequence: number;
      readonly links: readonly LinkIdentity[];
      readonly add: readonly Announcement[];
      readonly remove: readonly Announcement[];
    }
  | { readonly type: "rule"; readonly rules: Rules }
  | { readonly type: "count"; readonly sequence: number }
  | { readonly type: "close" };

export type FromWorker =
  /** The worker has started. Before that it does nothing, and nothing may be asked of it. */
  | { readonly type: "ready" }
  | { readonly type: "done"; readonly sequence: number; readonly problems: readonly LinkProblem[] }
  | { readonly type: "counts"; readonly sequence: number; readonly counts: ResponderCounts }
  | { readonly type: "problem"; readonly problem: LinkProblem }
  | { readonly type: "conflicts"; readonly conflicts: readonly Conflict[] }
  /** Addresses that other nodes of ours announce, too, just now. */
  | { readonly type: "overlaps"; readonly vips: readonly string[] };
