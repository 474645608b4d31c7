/** The scheduler by which IPVS picks a pod. */

/**
 * What is used if nothing else is asked for: Maglev. It is the only one with which every node picks the same pod, so
 * that connections survive when their address moves.
 */
export const DEFAULT_SCHEDULER = "mh";

/** The kernel's names of those that may be asked for. */
export const SCHEDULERS = ["mh", "sh", "dh", "rr", "wrr", "lc", "wlc", "sed", "nq"] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

/** With these a client's connections go to one pod, as sessionAffinity ClientIP asks. */
export const KEEPS_CLIENTS: readonly string[] = ["mh", "sh"] satisfies readonly Scheduler[];
