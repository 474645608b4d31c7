/**
 * Who may talk to the pods of a role: anybody to the ports that they serve, and they to nobody but by TCP, which is what
 * the API server is asked by. Neither end can be named more narrowly here. The API server calls webhooks from
 * addresses and listens on a port that differ from cluster to cluster, and some networks judge after the Service's
 * address was replaced and take no address block for a node's; what calls the webhook is held off by the webhook itself.
 * Speakers have their node's network, for which there are no such policies. Pure.
 */
import { networkPolicies } from "#common/kube/resource.ts";
import { type Child, type Component, child, type Site, selectorLabels } from "#operator/children/child.ts";
import type { PodTemplate } from "#operator/children/pod.ts";

/** For the pods of `template`: what they serve is what their containers say. */
export function networkPolicy(
  identity: { readonly site: Site; readonly name: string; readonly component: Component },
  template: PodTemplate,
): Child {
  const served = (template.spec?.containers ?? []).flatMap(({ ports = [] }) => ports);
  return child(networkPolicies, identity, {
    spec: {
      podSelector: { matchLabels: selectorLabels(identity.component) },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { ports: served.map(({ containerPort, protocol = "TCP" }) => ({ port: containerPort, protocol })) },
      ],
      egress: [{ ports: [{ protocol: "TCP" }] }],
    },
  });
}
