/** Starts the speaker's worker threads. */
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";

export interface ThreadStart {
  /** `import.meta.url` of who starts it: in the tree the worker is worker.ts beside it. */
  readonly from: string;
  /** In an image the worker is this bundle beside ours. */
  readonly bundle: "speaker-worker" | "speaker-bfd" | "speaker-gossip";
  /** These threads have few objects, so the limits are low. */
  readonly youngMb: number;
  readonly oldMb: number;
  /** It runs before threads of the ordinary class. */
  readonly isUrgent?: true;
  readonly data?: unknown;
}

/** `Like` is what the worker takes and says, which nothing checks here. */
export function startThread<Like>({ from, bundle, youngMb, oldMb, isUrgent, data }: ThreadStart): Like {
  // A collection that waits for helpers waits for threads of the ordinary class, however urgent the waiting one is.
  if (isUrgent === true) setFlagsFromString("--no-parallel-scavenge");
  const file = from.endsWith(".mjs") ? `./${bundle}.mjs` : "./worker.ts";
  const worker = new Worker(new URL(file, from), {
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: youngMb, maxOldGenerationSizeMb: oldMb, stackSizeMb: 1 },
  });
  return worker as unknown as Like;
}
