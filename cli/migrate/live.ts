/** What a cluster has of MetalLB and of others, as if it had been read from files. */

import type { ClusterReader } from "#cli/cluster.ts";
import { type Documents, type Found, NO_DOCUMENTS } from "#cli/documents.ts";
import { apiVersionOf, configMaps, services } from "#common/kube/resource.ts";

const METALLB = "metallb.io";
/** Group, plural, kind, versions from the newest. */
const RESOURCES: readonly (readonly [string, string, string, readonly string[]])[] = [
  [METALLB, "metallbs", "MetalLB", ["v1beta1"]],
  [METALLB, "addresspools", "AddressPool", ["v1beta1", "v1alpha1"]],
  [METALLB, "ipaddresspools", "IPAddressPool", ["v1beta1"]],
  [METALLB, "l2advertisements", "L2Advertisement", ["v1beta1"]],
  [METALLB, "bgpadvertisements", "BGPAdvertisement", ["v1beta1"]],
  [METALLB, "communities", "Community", ["v1beta1"]],
  [METALLB, "bgppeers", "BGPPeer", ["v1beta2", "v1beta1"]],
  [METALLB, "bfdprofiles", "BFDProfile", ["v1beta1"]],
  ["apps", "deployments", "Deployment", ["v1"]],
  ["apps", "daemonsets", "DaemonSet", ["v1"]],
];
/** Of MetalLB before 0.13, by its manual and by its chart. */
const CONFIG_MAPS = ["config", "metallb-config", "metallb"];

/** KubeError where the API server does not let us read one of them. */
export async function readCluster(cluster: ClusterReader): Promise<Documents> {
  const found: Found[] = [];
  const take = (apiVersion: string, kind: string, objects: readonly object[]): void => {
    for (const object of objects) {
      found.push({ file: cluster.host, line: 0, object: { ...object, apiVersion, kind } });
    }
  };
  for (const [group, plural, kind, versions] of RESOURCES) {
    for (const version of versions) {
      const objects = await cluster.list({ group, version, plural });
      if (objects === undefined) continue;
      take(apiVersionOf({ group, version }), kind, objects);
      break;
    }
  }
  for (const name of CONFIG_MAPS) {
    const selection = { fieldSelector: `metadata.name=${name}` };
    take("v1", "ConfigMap", (await cluster.list(configMaps, selection)) ?? []);
  }
  take("v1", "Service", (await cluster.list(services)) ?? []);
  return { ...NO_DOCUMENTS, found };
}
