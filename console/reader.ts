/** A cluster read by the controller's own client, as cli/read.ts wants it. */
import type { ClusterReader, Kind, Selection } from "#cli/cluster.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isGone, isNotFound } from "#common/kube/error.ts";
import type { KubeObject } from "#common/kube/wire.ts";

/** Between two pages other work of the process has its turn. */
const PAGE = 250;
/** A list that changes faster than its pages are read is begun anew, so often at most. */
const MAX_RESTARTS = 3;

export function readerOf(
  client: Pick<KubeClient, "list">,
  clock: Pick<Clock, "date">,
): Pick<ClusterReader, "host" | "list" | "now"> {
  return {
    host: "this cluster",
    now: () => clock.date(),
    async list(kind, selection = {}) {
      for (let restarts = 0; ; restarts += 1) {
        try {
          return await listAll(client, kind, selection);
        } catch (error) {
          if (isNotFound(error)) return undefined;
          if (!isGone(error) || restarts >= MAX_RESTARTS) throw error;
        }
      }
    },
  };
}

async function listAll(
  client: Pick<KubeClient, "list">,
  kind: Kind,
  selection: Selection,
): Promise<readonly KubeObject[]> {
  const resource = { ...kind, kind: "", namespaced: selection.namespace !== undefined };
  const objects: KubeObject[] = [];
  let next: string | undefined;
  do {
    const page: Awaited<ReturnType<typeof client.list>> = await client.list(resource, {
      ...selection,
      limit: PAGE,
      ...(next !== undefined && { continueToken: next }),
    });
    objects.push(...page.items);
    next = page.continueToken;
  } while (next !== undefined && next !== "");
  return objects;
}
