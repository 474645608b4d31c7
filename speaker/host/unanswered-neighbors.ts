/**
 * Neighbors that the kernel asks for while a link has no carrier. It asks once a second, so that for up to a second after
 * the carrier is back everything to them waits, and is dropped if that was the last question. So they are removed when the
 * carrier is back: the next packet asks at once.
 */
import type { Logger } from "#common/log.ts";
import type { NodeLink } from "../known/node-links.ts";
import { AF_INET, AF_INET6 } from "../netlink/domain.ts";
import { isErrno } from "../netlink/error.ts";
import { listNeighbors, type Neighbor, removeNeighbor } from "../netlink/neighbor.ts";
import { NetlinkSocket, PROTOCOL } from "../netlink/socket.ts";

export interface NeighborTable {
  /** Who has been asked for and has not answered, on any link. Throws NetlinkError. */
  unanswered(): readonly Neighbor[];
  /** Throws NetlinkError; that there is no such neighbor any more is no error. */
  remove(neighbors: readonly Neighbor[]): void;
  close(): void;
}

/** `links` are back. */
export function removeUnanswered(
  links: readonly Pick<NodeLink, "index" | "name">[],
  { table, log }: { readonly table: NeighborTable; readonly log: Pick<Logger, "info" | "warn"> },
): void {
  const names = links.map(({ name }) => name);
  const indices = new Set(links.map(({ index }) => index));
  try {
    const unanswered = table.unanswered().filter(({ link }) => indices.has(link));
    table.remove(unanswered);
    log.info("links are back", { links: names, neighborsRemoved: unanswered.length });
  } catch (error) {
    // The kernel asks by itself within a second.
    log.warn("neighbors not asked anew", { links: names, error });
  }
}

/** Throws SocketError. To remove needs CAP_NET_ADMIN. */
export function openNeighborTable(): NeighborTable {
  const socket = new NetlinkSocket(PROTOCOL.route);
  return {
    unanswered: () =>
      [AF_INET, AF_INET6]
        .flatMap((family) => listNeighbors(socket, family))
        .filter(({ isUnanswered }) => isUnanswered),
    remove(neighbors) {
      const refused = socket.batch(neighbors.map(removeNeighbor)).map(({ error }) => error);
      const first = refused.find((error) => !isErrno(error, "ENOENT"));
      if (first !== undefined) throw first;
    },
    close: () => socket.close(),
  };
}
