/** MetalLB's configuration out of a cluster, as if it had been read from files. */

import type { ClusterReader } from "#cli/cluster.ts";
import type { Documents, Found } from "#cli/documents.ts";
import { apiVersionOf } from "#common/kube/resource.ts";

const GROUP = "metallb.io";
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
export async function readCluster({ host, list }: ClusterReader): Promise<Documents> {
  const found: Found[] = [];
  for (const [plural, kind, versions] of RESOURCES) {
    for (const version of versions) {
      const objects = await list({ group: GROUP, version, plural });
      if (objects === undefined) continue;
      const apiVersion = apiVersionOf({ group: GROUP, version });
      for (const object of objects)
        found.push({ file: host, line: 0, object: { ...object, apiVersion, kind } });
      break;
    }
  }
  return { found, unreadable: [], strangers: [] };
}
