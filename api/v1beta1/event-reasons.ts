/**
 * Every reason of every Event. One that is not here does not compile where Events are emitted, and none is here without
 * its sentences; docs/reference/events.md is made of them (`make generate`).
 */
import type { REASONS, Reason } from "#api/v1beta1/reasons.ts";

export interface EventMeaning {
  /** Kind of the object that has the Event. */
  readonly at: string;
  readonly type: "Normal" | "Warning" | "Normal or Warning";
  /** A whole sentence: when it is emitted. */
  readonly when: string;
  /** A whole sentence: what to do. */
  readonly advice: string;
}

const NEWS = "Nothing is to be done.";

/** Those that are no condition's reason. */
export const EVENTS = {
  IPAllocated: {
    at: "Service",
    type: "Normal",
    when: "The Service was given an address.",
    advice: NEWS,
  },
  IPReleased: {
    at: "Service",
    type: "Normal or Warning",
    when: "An address is no longer this Service's: it is a warning where the Service did not ask for that.",
    advice: "Read why in the message of a warning.",
  },
  AllocationFailed: {
    at: "Service",
    type: "Warning",
    when: "The Service does not get what it asks for.",
    advice:
      "Look up the reason that the message begins with at genkan.dev/AddressAllocated in [conditions](conditions.md).",
  },
  OwnerChanged: {
    at: "Service",
    type: "Normal",
    when: "A node has begun to announce an address of the Service by layer 2.",
    advice:
      "Nothing is to be done; if it comes again and again, look at the speakers of the nodes that it names.",
  },
  SessionEstablished: {
    at: "BGPPeer",
    type: "Normal",
    when: "A node's session with the peer is established.",
    advice: NEWS,
  },
  SessionLost: {
    at: "BGPPeer",
    type: "Warning",
    when: "A node's session with the peer ended.",
    advice: "Read the error in the message, and the router's log; the node tries again by itself.",
  },
  NodeLeft: {
    at: "Node",
    type: "Warning",
    when: "Genkan was removed, and the speaker of this node ended without saying that it has cleaned the node.",
    advice: "Restart the node before you use it again, or clean it by hand as docs/uninstall.md says.",
  },
} as const satisfies Readonly<Record<string, EventMeaning>>;

type At<Kind extends string> = {
  [R in Reason]: (typeof REASONS)[R] extends { readonly events: readonly (infer K)[] }
    ? Kind extends K
      ? R
      : never
    : never;
}[Reason];

/** Of what a node cannot do: told at its SpeakerStatus. */
export type TroubleReason = At<"SpeakerStatus">;
export type EventReason = keyof typeof EVENTS | TroubleReason | At<"Service"> | At<"LoadBalancer">;
