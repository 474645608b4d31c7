/** What the speaker and the worker thread that keeps time say to each other. */

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

/** Another station on the link says that the address is its own. */
export interface Conflict extends Announcement {
  /** Its hardware address, 12 hex digits. */
  readonly station: string;
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
  /** Frames that found no room. */
  readonly lost: number;
  readonly conflicts: number;
  readonly announced: number;
  /** Solicited-node groups joined, and those that the kernel refuses to join. */
  readonly groups: number;
  readonly refusedGroups: number;
}

export type ToWorker =
  /** Removals hold before additions; `links` is the whole list. Answered by "done". */
  | {
      readonly type: "update";
      readonly sequence: number;
      readonly links: readonly LinkIdentity[];
      readonly add: readonly Announcement[];
      readonly remove: readonly Announcement[];
    }
  | { readonly type: "count"; readonly sequence: number }
  | { readonly type: "close" };

export type FromWorker =
  | { readonly type: "done"; readonly sequence: number; readonly problems: readonly LinkProblem[] }
  | { readonly type: "counts"; readonly sequence: number; readonly counts: ResponderCounts }
  | { readonly type: "problem"; readonly problem: LinkProblem }
  | { readonly type: "conflict"; readonly conflict: Conflict };
