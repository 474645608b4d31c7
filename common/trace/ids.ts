/**
 * Ids of traces (W3C Trace Context). Nothing is handed from process to process: controller and speakers work out the same
 * ids from what the Service's status has, so that their spans meet in one trace. Pure.
 */
import { createHash } from "node:crypto";
import type { ForwardingIds } from "#api/forwarding-ids.ts";

export interface TraceIds {
  /** 32 hex digits. */
  readonly trace: string;
  /** 16 hex digits: the span that all others are children of. */
  readonly root: string;
}

/** What a Service was given. The same Service with other addresses, ports or ids is another change, and another trace. */
export interface Given {
  readonly uid: string;
  /** In any order. */
  readonly vips: readonly string[];
  readonly ids: ForwardingIds;
}

export function traceIdsOf({ uid, vips, ids }: Given): TraceIds {
  const words = [
    uid,
    ...[...vips].sort(),
    ...Object.entries(ids)
      .map(([key, id]) => `${key}=${id}`)
      .sort(),
  ];
  const digest = createHash("sha256").update(words.join("\n")).digest("hex");
  return { trace: digest.slice(0, 32), root: digest.slice(32, 48) };
}
