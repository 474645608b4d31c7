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
    const { broadcasts, told, settings } = this.#gossip;
    if (broadcasts.size + told.size === 0) return [];
    const limit = retransmissions(aliveCount(this.#gossip), settings);
    const first = broadcasts.take({ room, most, limit, costOf });
    if (told.size === 0) return first;
    const left = first.reduce((rest, message) => rest - costOf(message), room);
    return [...first, ...told.take({ room: left, most: most - first.length, limit, costOf })];
  }
}
