/**
 * The connections of one session: the one that it lives on, and the peer's own beside it for as long as both sides have
 * connected to each other (RFC 4271 section 6.8).
 */
import { speakingStays } from "./collision.ts";
import type { Conversation } from "./conversation.ts";
import type { PeerSettings } from "./types.ts";

export class Pair {
  primary: Conversation;
  /** The peer's connection while another is under way. */
  rival: Conversation | undefined;

  constructor(primary: Conversation) {
    this.primary = primary;
  }

  dropRival(): void {
    this.rival?.abandon();
    this.rival = undefined;
  }

  /**
   * Of two connections the one stays that the side with the higher identifier made (RFC 4271 section 6.8, RFC 6286).
   * True if it is not the one on which the peer has just said OPEN.
   */
  isDumped(speaking: Conversation, { routerId, localAsn }: PeerSettings): boolean {
    const other = speaking === this.primary ? this.rival : this.primary;
    if (other?.connection === undefined) return false;
    const { remoteId = "0.0.0.0", remoteAsn = 0 } = speaking.negotiated ?? {};
    const own = { routerId, asn: localAsn };
    const stays = speakingStays(speaking, other, { own, peer: { routerId: remoteId, asn: remoteAsn } });
    // It goes to Idle with this, and whoever is told of states forgets it.
    (stays ? other : speaking).step({ type: "OpenCollisionDump" });
    return !stays;
  }

  /**
   * Of a conversation that ended: a rival is gone; a primary is replaced by the rival that goes on, which `takeOver`
   * makes the one that connects again.
   */
  forget(conversation: Conversation, takeOver: (rival: Conversation, before: Conversation) => void): void {
    const { rival } = this;
    if (rival === undefined) return;
    if (conversation === rival) this.dropRival();
    if (conversation !== this.primary) return;
    this.rival = undefined;
    const before = this.primary;
    before.abandon();
    this.primary = rival;
    takeOver(rival, before);
  }
}
