/** What the main thread and the thread of gossip tell each other. */
import type { Scheduling } from "#speaker/native/datagram.ts";
import type { GossipCounts, Peer, Telling, Told } from "./types.ts";
import type { MemberState } from "./wire/stream.ts";

/** One member at work: what of it cannot be changed without a new start. */
export interface GossipPlace {
  readonly own: Peer;
  readonly label: string;
}

export type ToGossipWorker =
  /** Replaces the one that is open already. */
  | {
      readonly type: "open";
      readonly place: GossipPlace;
      readonly keys: readonly Uint8Array[];
      readonly peers: readonly Peer[];
    }
  | { readonly type: "peers"; readonly peers: readonly Peer[] }
  | { readonly type: "keys"; readonly keys: readonly Uint8Array[] }
  | { readonly type: "tell"; readonly telling: Telling }
  /** One message each, to one member alone. */
  | { readonly type: "say"; readonly to: string; readonly messages: readonly Uint8Array[] }
  /** Says goodbye, and closes. Answered by `left`. */
  | { readonly type: "leave" }
  /** Closes without a word. */
  | { readonly type: "close" }
  /** The thread ends. Answered by `ended`. */
  | { readonly type: "end" };

export type FromGossipWorker =
  | { readonly type: "scheduling"; readonly scheduling: Scheduling }
  | { readonly type: "opened" }
  /** It could not be opened, or a key of it is none. */
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "changed"; readonly name: string; readonly state: MemberState }
  | { readonly type: "told"; readonly told: Told }
  /** A peer has told all that it knows. */
  | { readonly type: "joined" }
  | { readonly type: "counts"; readonly counts: GossipCounts; readonly health: number }
  | { readonly type: "left" }
  | { readonly type: "ended" };
