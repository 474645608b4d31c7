/**
 * The BGP sessions that this node had when its last speaker ended. Until they are back, routers have lost this node, and
 * the next one's speaker should not be replaced: else a rolling update could take all nodes from a router at once. Pure.
 */
import type { SessionReport } from "./bgp/types.ts";
import type { Status } from "./report/status.ts";

/**
 * A router that is there has its session back within 15 s. One that went away meanwhile does not hold up an update of
 * many nodes for longer than this at each.
 */
export const LONGEST_WAIT_MS = 60_000;

export class FormerSessions {
  #awaited = new Set<string>();
  #end = 0;

  /** `peers` had a session; `now` is when the waiting begins. */
  expect(peers: readonly string[], now: number): void {
    this.#awaited = new Set(peers);
    this.#end = now + LONGEST_WAIT_MS;
  }

  /**
   * The peers whose sessions have still to come back. A session that is not wanted any more is not waited for.
   * `sessions` is undefined while it is not known what is wanted.
   */
  missing(sessions: readonly SessionReport[] | undefined, now: number): readonly string[] {
    if (now >= this.#end) this.#awaited.clear();
    if (sessions !== undefined) {
      const ofState = (isUp: boolean): Set<string> =>
        new Set(sessions.filter(({ state }) => (state === "Established") === isUp).map(({ peer }) => peer));
      // Of a range of routers the first one that is back is enough: the others connect when they like.
      this.#awaited = this.#awaited.intersection(ofState(false)).difference(ofState(true));
    }
    return [...this.#awaited];
  }
}

/**
 * Reads a status that an earlier speaker of this node left. That speaker reported before it ended its sessions, or it
 * was killed.
 */
export function formerSessionsOf(status: Status | undefined): string[] {
  const established = (status?.bgpSessions ?? []).filter(({ state }) => state === "Established");
  return [...new Set([...(status?.formerSessions ?? []), ...established.map(({ peer }) => peer)])];
}
