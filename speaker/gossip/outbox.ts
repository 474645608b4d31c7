/** What one step wants sent. News travels along in whatever room a packet has left. */
import { aliveCount } from "./members.ts";
import { retransmissions } from "./timing.ts";
import type { Gossip, GossipAction } from "./types.ts";
import type { Endpoint } from "./wire/message.ts";
import { costOf, MOST_PARTS } from "./wire/packet.ts";

export class Outbox {
  readonly actions: GossipAction[] = [];
  readonly #gossip: Gossip;

  constructor(gossip: Gossip) {
    this.#gossip = gossip;
  }

  /** Encoded messages, and news behind them. */
  send(to: Endpoint, messages: readonly Uint8Array[]): void {
    const used = messages.reduce((sum, message) => sum + costOf(message), 0);
    const news = this.#news(this.#gossip.room - used, MOST_PARTS - messages.length);
    this.#push(to, [...messages, ...news]);
  }

  /** News alone; false when there is none. */
  sendNews(to: Endpoint): boolean {
    const news = this.#news(this.#gossip.room, MOST_PARTS);
    if (news.length > 0) this.#push(to, news);
    return news.length > 0;
  }

  /** Without news. */
  sendOnly(to: Endpoint, messages: readonly Uint8Array[]): void {
    this.#push(to, messages);
  }

  #push({ address, port }: Endpoint, messages: readonly Uint8Array[]): void {
    this.actions.push({ type: "send", to: { address, port }, messages });
  }

  #news(room: number, most: number): Uint8Array[] {
    const gossip = this.#gossip;
    if (gossip.broadcasts.size === 0) return [];
    const limit = retransmissions(aliveCount(gossip), gossip.settings);
    return gossip.broadcasts.take({ room, most, limit, costOf });
  }
}
