/**
 * What is sent to the receiver of calls about owners, and how it is signed. docs/layer2.md has the format for those who
 * write receivers. Pure.
 */
import { createHmac } from "node:crypto";
import type { TenureReason } from "../ownership/ownership.ts";
import type { Notice } from "./notices.ts";

/** An address has this owner. */
export interface OwnerNotice extends Notice {
  /** Who had it before; undefined: nobody, as far as is known. */
  readonly previous: string | undefined;
  readonly reason: TenureReason;
  /** Since when. */
  readonly since: Date;
}

/** The node that calls, which is the owner of all that it tells of. */
export interface Sender {
  readonly name: string;
  readonly addresses: { readonly IPv4?: string; readonly IPv6?: string };
  readonly providerId?: string;
}

/** JSON. */
export function encodeBody(sender: Sender, notices: readonly OwnerNotice[]): string {
  const { name, addresses, providerId } = sender;
  return JSON.stringify({
    version: 1,
    node: { name, addresses, ...(providerId !== undefined && { providerID: providerId }) },
    changes: notices.map(({ vip, epoch, previous, reason, since }) => ({
      address: vip,
      epoch,
      ...(previous !== undefined && { previousNode: previous }),
      reason,
      since: since.toISOString(),
    })),
  });
}

/** Headers that show who wrote the body, and when. `key`: octets as Latin-1. */
export function signatureHeaders(body: string, key: string, date: Date): Record<string, string> {
  const timestamp = String(Math.floor(date.getTime() / 1_000));
  const digest = createHmac("sha256", Buffer.from(key, "latin1"))
    .update(`${timestamp}.${body}`)
    .digest("hex");
  return { "Genkan-Timestamp": timestamp, "Genkan-Signature": `sha256=${digest}` };
}
