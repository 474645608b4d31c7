/** Gossip of which a test says what it thinks of whom. */
import type { GossipView, GossipWanted, Heard } from "#speaker/gossip/gossip.ts";

export class FakeGossip {
  readonly members = new Map<string, Heard>();
  readonly configured: (GossipWanted | undefined)[] = [];
  /** How often it said goodbye. */
  goodbyes = 0;
  problem: string | undefined = "not started";
  contactAt: number | undefined;
  joinedAt: number | undefined;

  get view(): GossipView {
    const { problem, members, contactAt, joinedAt } = this;
    return { problem, members, contactAt, joinedAt };
  }

  configure(wanted: GossipWanted | undefined): void {
    this.configured.push(wanted);
  }

  async leave(): Promise<void> {
    this.goodbyes += 1;
  }
}
