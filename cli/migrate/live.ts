/** MetalLB's configuration out of a cluster, as if it had been read from files. */

import type { Documents, Found } from "#cli/documents.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isNotFound } from "#common/kube/error.ts";
import { apiVersionOf, type Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";

const GROUP = "metallb.io";
const PAGE = 500;
/** Plural, kind, versions from the newest. */
const RESOURCES: readonly (readonly [string, string, readonly string[]])[] = [
  ["metallbs", "MetalLB", ["v1beta1"]],
  ["addresspools", "AddressPool", ["v1beta1", "v1alpha1"]],
  ["ipaddresspools", "IPAddressPool", ["v1beta1"]],
  ["l2advertisements", "L2Advertisement", ["v1beta1"]],
  ["bgpadvertisements", "BGPAdvertisement", ["v1beta1"]],
  ["communities", "Community", ["v1beta1"]],
  ["bgppeers", "BGPPeer", ["v1beta2", "v1beta1"]],
  ["bfdprofiles", "BFDProfile", ["v1beta1"]],
];

/** KubeError where the API server does not let us read one of them. */
export async function readCluster(client: KubeClient, server: string): Promise<Documents> {
  const found: Found[] = [];
  for (const [plural, kind, versions] of RESOURCES) {
    for (const version of versions) {
      const objects = await listAll(client, { group: GROUP, version, plural, kind, namespaced: true });
      if (objects === undefined) continue;
      const apiVersion = apiVersionOf({ group: GROUP, version });
      for (const object of objects)
        found.push({ file: server, line: 0, object: { ...object, apiVersion, kind } });
      break;
    }
  }
  return { found, unreadable: [], strangers: [] };
}

/** undefined if the cluster has no such kind. */
async function listAll(
  client: KubeClient,
  resource: Resource<KubeObject>,
): Promise<KubeObject[] | undefined> {
  const objects: KubeObject[] = [];
  let continueToken: string | undefined;
  try {
    do {
      const page = await client.list(resource, { limit: PAGE, ...(continueToken && { continueToken }) });
      objects.push(...page.items);
      continueToken = page.continueToken;
    } while (continueToken !== undefined && continueToken !== "");
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  return objects;
}
