/** All objects of a kind in namespace `default`, page by page. */
import type { KubeClient, ListPage } from "#common/kube/client.ts";
import type { Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";

const PAGE = 500;

export async function listAll<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  take: (item: T) => void,
): Promise<void> {
  let next: Pick<ListPage<T>, "continueToken"> = {};
  do {
    const { continueToken } = next;
    const from = continueToken === undefined ? {} : { continueToken };
    next = await kube.list(resource, { namespace: "default", limit: PAGE, take, ...from });
  } while (next.continueToken !== undefined && next.continueToken !== "");
}
