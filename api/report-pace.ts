/** How often a speaker writes its status: what speakers keep to, and who compares what they report can rely on. Pure. */

/** A burst of changes is one write. */
export const STATUS_INTERVAL_MS = 500;
/** So that the API server sees 50 such writes a second of all nodes together. */
const FIGURES_PER_NODE_MS = 20;

/** From one write to the next one that has nothing new but figures; `nodes`: those whose speakers live. */
export const figuresIntervalMs = (nodes: number): number =>
  Math.max(STATUS_INTERVAL_MS, nodes * FIGURES_PER_NODE_MS);
