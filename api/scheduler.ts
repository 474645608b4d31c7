/** The scheduler by which IPVS picks a pod. */

/**
 * What is used if nothing else is asked for: Maglev. It is the only one with which every node picks the same pod, so
 * that connections survive when their address moves.
 */
export const DEFAULT_SCHEDULER = "mh";
