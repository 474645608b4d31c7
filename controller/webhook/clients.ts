/**
 * Whose certificates clients of the webhook must show, if the cluster says so: an authority (ca.crt), and the common
 * names that count if it signs for others too (allowed-names), as an API server is told for its own front proxies.
 * Nothing is asked for where there is no ca.crt: an API server shows a certificate only if its administrator gave it
 * one.
 */
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import type { KeyPair } from "#common/key-pair.ts";

/** With `ca` a client certificate is wanted. */
export interface WebhookPair extends KeyPair {
  /** Common names, one a line; none: whoever the authority signed for. */
  readonly allowedNames?: string;
}

/** ca.crt or allowed-names cannot be used. */
export class ClientsError extends Error {
  override readonly name = "ClientsError";
  readonly code = "CLIENTS";
}

/** ca.crt and allowed-names in a folder; nothing of what is not there. ClientsError if ca.crt is no certificate. */
export async function readClients(directory: string): Promise<Pick<WebhookPair, "ca" | "allowedNames">> {
  const [ca, allowedNames] = await Promise.all(
    ["ca.crt", "allowed-names"].map(async (file) => {
      try {
        return await readFile(join(directory, file), "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    }),
  );
  if (ca === undefined) return {};
  // TLS would take an empty text as "every public authority", and any other text as "no authority".
  if (!ca.includes("-----BEGIN CERTIFICATE-----"))
    throw new ClientsError(`${directory}/ca.crt holds no certificate`);
  return { ca, ...(allowedNames === undefined ? {} : { allowedNames }) };
}

export class Clients {
  #wanted: Pick<WebhookPair, "ca" | "allowedNames">;
  /** Connections whose certificate was judged by the authority that is wanted now. */
  #known = new WeakSet<Socket>();

  constructor({ ca, allowedNames }: WebhookPair) {
    this.#wanted = { ...(ca !== undefined && { ca }), ...(allowedNames !== undefined && { allowedNames }) };
  }

  /** Call it when a handshake is over. */
  accepted(socket: Socket): void {
    this.#known.add(socket);
  }

  /** False: the connection was made under another setting; it is closed after the answer that is under way. */
  isKnown(socket: Socket): boolean {
    return this.#known.has(socket);
  }

  /** True if other certificates are wanted from now on: present connections were judged by the old setting. */
  change({ ca, allowedNames }: WebhookPair): boolean {
    if (ca === this.#wanted.ca && allowedNames === this.#wanted.allowedNames) return false;
    this.#wanted = { ...(ca !== undefined && { ca }), ...(allowedNames !== undefined && { allowedNames }) };
    this.#known = new WeakSet();
    return true;
  }

  /** Why the client may not ask; undefined if it may. No name is told to who has none. */
  refusal(socket: Pick<TLSSocket, "authorized" | "getPeerCertificate">): string | undefined {
    const { ca, allowedNames = "" } = this.#wanted;
    if (ca === undefined) return undefined;
    if (!socket.authorized) return "the webhook wants a client certificate of the API server";
    const names = allowedNames.split("\n").flatMap((line) => line.trim() || []);
    if (names.length === 0) return undefined;
    const { CN: name } = socket.getPeerCertificate().subject;
    const held = typeof name === "string" ? [name] : (name ?? []);
    return held.some((one) => names.includes(one))
      ? undefined
      : "the webhook wants the client certificate of the API server, not of others";
  }
}
