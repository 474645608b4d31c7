/** What every router of the matrix can be asked. */
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Family } from "#api/address.ts";
import type { Route } from "./route.ts";
import type { RouterKind, Session } from "./session.ts";

export interface RouterOptions {
  readonly namespace: string;
  readonly sessions: readonly Session[];
  /** Its own: configuration, sockets, logs. */
  readonly directory: string;
}

export interface Router {
  readonly kind: RouterKind;
  /** For bench and traces. */
  readonly pids: readonly number[];
  /** Throws when it has died. */
  checkAlive(): void;
  /** Addresses of peers whose session is established. */
  established(): Promise<ReadonlySet<string>>;
  /** Received routes by the peer's address. */
  routes(family: Family): Promise<ReadonlyMap<string, readonly Route[]>>;
  stop(): Promise<void>;
}

/** A new directory that programs of other users can read. */
export function workDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `genkan-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}

/** Puts routes under the peer that they came from. */
export function byPeer(routes: readonly (readonly [peer: string, route: Route])[]): Map<string, Route[]> {
  const found = new Map<string, Route[]>();
  for (const [peer, route] of routes) found.set(peer, [...(found.get(peer) ?? []), route]);
  return found;
}
