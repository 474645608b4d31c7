/** What of a cluster is ours, as the controller decides it, and what it says of a Service. Pure. */
import { LOADBALANCER_NAME } from "#api/names.ts";
import { type Condition, ServiceConditionType } from "#api/v1beta1/conditions.ts";
import type { LoadBalancer, Service } from "#common/kube/resource.ts";

/** The one that counts. */
export const balancerOf = (loadBalancers: readonly LoadBalancer[]): LoadBalancer | undefined =>
  loadBalancers.find(({ metadata }) => metadata.name === LOADBALANCER_NAME);

/** As the controller decides it (controller/allocation/request.ts). */
export function isOurs({ spec }: Service, loadBalancerClass: string | undefined): boolean {
  return spec?.type === "LoadBalancer" && (spec.loadBalancerClass ?? "") === (loadBalancerClass ?? "");
}

/** The addresses that it has. */
export const vipsOf = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);

export const conditionsOf = ({ status }: Service): readonly Condition[] =>
  (status?.conditions ?? []) as readonly Condition[];

/** The condition that says why it has not got all that it asks for. */
export const refusalOf = (service: Service): Condition | undefined =>
  conditionsOf(service).find(
    ({ type, status }) => type === ServiceConditionType.AddressAllocated && status !== "True",
  );
