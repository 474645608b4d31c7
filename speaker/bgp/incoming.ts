/**
 * What a peer's messages do: each is decoded, counted and handed to the state machine as its event. A message that has to
 * end the session ends it with the NOTIFICATION that its decoder names.
 */
import type { Logger } from "#common/log.ts";
import type { Conversation } from "./conversation.ts";
import type { Event } from "./machine.ts";
import { negotiate, ownOpen } from "./negotiated.ts";
import type { Routes } from "./routes.ts";
import type { Tally } from "./tally.ts";
import type { PeerSettings } from "./types.ts";
import { BgpError, ErrorCode } from "./wire/error.ts";
import { MessageType, type RawMessage } from "./wire/header.ts";
import { decodeNotification } from "./wire/notification.ts";
import { decodeOpen } from "./wire/open.ts";

export interface IncomingOptions {
  readonly settings: () => PeerSettings;
  /** The process has just started, and its routes may still be kept by the peer. */
  readonly isRestarting: () => boolean;
  readonly routes: Routes;
  readonly tally: Tally;
  readonly log: Logger;
  /** Why a conversation ends. */
  readonly blame: (conversation: Conversation, words: string) => void;
  /** Of two connections the other one stays (RFC 4271 section 6.8). */
  readonly isDumped: (conversation: Conversation) => boolean;
  /** Ends a conversation for a reason of ours. */
  readonly fail: (conversation: Conversation, event: FailEvent) => void;
  /** The peer has asked for its routes again. */
  readonly onAsked: () => void;
}

/** An event that says why this side ends a connection. */
export type FailEvent = Extract<Event, { readonly error: BgpError }>;

/** What somebody may say who has not been told our OPEN yet. */
const FIRST: readonly MessageType[] = [MessageType.open, MessageType.notification];

export class Incoming {
  readonly #options: IncomingOptions;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  take(conversation: Conversation, message: RawMessage): void {
    const { tally, blame } = this.#options;
    tally.messagesIn += 1;
    const { state } = conversation.machine;
    const isEarly = (state === "Connect" || state === "Active") && !FIRST.includes(message.type);
    // It ends without a NOTIFICATION (RFC 4271 section 8.2.2), so nobody else tells why.
    if (isEarly)
      blame(conversation, `the peer began with a message of type ${message.type} and not with OPEN`);
    switch (message.type) {
      case MessageType.open:
        this.#onOpen(conversation, message.body);
        break;
      case MessageType.keepalive:
        conversation.step({ type: "KeepAliveMsg" });
        break;
      case MessageType.update:
        this.#onUpdate(conversation, message.body);
        break;
      case MessageType.notification:
        blame(conversation, `the peer said: ${decodeNotification(message.body).words}`);
        conversation.step({ type: "NotifMsg" });
        break;
      case MessageType.routeRefresh:
        this.#onRefresh(conversation, message.body);
        break;
    }
  }

  #onOpen(conversation: Conversation, body: Buffer): void {
    const settings = this.#options.settings();
    try {
      const open = decodeOpen(body);
      const own = conversation.ownOpen ?? ownOpen(settings, this.#options.isRestarting());
      conversation.negotiated = negotiate(settings, own, open);
      conversation.peerOpen = open;
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.#options.fail(conversation, { type: "BGPOpenMsgErr", error });
      return;
    }
    if (this.#options.isDumped(conversation)) return;
    const { holdTimeMs, keepaliveTimeMs, extendedMessage } = conversation.negotiated;
    if (extendedMessage) conversation.connection?.allowExtended();
    conversation.step({ type: "BGPOpen", holdTimeMs, keepaliveTimeMs });
  }

  #onUpdate(conversation: Conversation, body: Buffer): void {
    const { negotiated } = conversation;
    if (negotiated === undefined || conversation.machine.state !== "Established") {
      conversation.step({ type: "UpdateMsg" });
      return;
    }
    try {
      const settings = this.#options.settings();
      const broken = this.#options.routes.take(body, negotiated, settings);
      if (broken !== undefined) {
        const of = { peer: settings.name, why: broken };
        this.#options.log.debug("a broken UPDATE was taken as a withdrawal", of);
      }
      conversation.step({ type: "UpdateMsg" });
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      // A limit is no error of the UPDATE's (RFC 4271 section 8.1.2, event 8).
      const type = error.code === ErrorCode.cease ? "AutomaticStop" : "UpdateMsgErr";
      this.#options.fail(conversation, { type, error });
    }
  }

  #onRefresh(conversation: Conversation, body: Buffer): void {
    if (conversation.machine.state !== "Established") {
      conversation.step({ type: "RouteRefreshMsg" });
      return;
    }
    try {
      this.#options.routes.refresh(body);
      this.#options.onAsked();
      conversation.step({ type: "RouteRefreshMsg" });
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.#options.fail(conversation, { type: "RouteRefreshMsgErr", error });
    }
  }
}
