/** What the speaker and the thread that keeps BFD's time say to each other. */
import type { FloorPolicy } from "./floor.ts";
import type { BfdChange, BfdPeer, BfdReport, BfdScheduling } from "./types.ts";

/** Of the thread, given when it starts. */
export interface BfdWorkerData {
  /** False: the ordinary class is wanted. */
  readonly fifo: boolean;
  readonly policy: FloorPolicy;
}

export type ToBfdWorker =
  | { readonly type: "reconcile"; readonly peers: readonly BfdPeer[] }
  /** Answered by "adminDown". */
  | { readonly type: "adminDown" }
  | { readonly type: "close" };

/** What strangers sent, by reason; since the thread started. */
export type BfdDiscards = Readonly<Record<string, number>>;

export type FromBfdWorker =
  | { readonly type: "scheduling"; readonly scheduling: BfdScheduling }
  | { readonly type: "change"; readonly change: BfdChange; readonly report: BfdReport }
  | { readonly type: "reports"; readonly reports: readonly BfdReport[]; readonly discards: BfdDiscards }
  | { readonly type: "adminDown" }
  | { readonly type: "closed" };
