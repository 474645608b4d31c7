/** Which nodes are not heard though they should be. No input or output. */
import { firstOf } from "#api/and-more.ts";
import type { SyncPeer, SyncTrouble } from "#speaker/forwarding/types.ts";

/** A node may be so long without a word: it has to start its daemon, and six beacons to be lost. */
export const SILENT_MS = 45_000;
const NAMED = 3;

export class Heard {
  /** By node, since when it is silent. */
  #since = new Map<string, number>();

  clear(): void {
    this.#since = new Map();
  }

  judge(of: {
    readonly peers: readonly SyncPeer[];
    /** Addresses. */
    readonly heard: ReadonlySet<string>;
    readonly link: string;
    readonly now: number;
  }): SyncTrouble | undefined {
    const { peers, heard, link, now } = of;
    const silent = peers.filter(({ address }) => !heard.has(address));
    this.#since = new Map(silent.map(({ node }) => [node, this.#since.get(node) ?? now]));
    const lost = silent.filter(({ node }) => now - (this.#since.get(node) ?? now) >= SILENT_MS);
    if (lost.length === 0) return undefined;
    const names = lost.map(({ node }) => node).sort();
    return {
      code: "SyncUnheard",
      message: `${link} brings no shared connections of ${firstOf(names, NAMED)}: multicast does not pass between the nodes, or a firewall drops it`,
    };
  }
}
