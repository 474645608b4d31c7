/** What a Service asks for, what it has, and by which ids nodes forward. Pure. */
import { familyOf } from "#api/address.ts";
import { forwardingIdsOf, idKey } from "#api/forwarding-ids.ts";
import type { Meaning } from "#api/v1beta1/reasons/meaning.ts";
import { REASONS } from "#api/v1beta1/reasons.ts";
import { type Step, step } from "#cli/explain/step.ts";
import { conditionsOf, isOurs, refusalOf, vipsOf } from "#cli/ours.ts";
import type { World } from "#cli/world.ts";
import type { LoadBalancer, Service } from "#common/kube/resource.ts";
import { type AllocationRequest, readRequest } from "#controller/allocation/request.ts";
import { projectService } from "#controller/allocation/service.ts";

/** Whether it is ours at all. */
export function serviceStep(service: Service, balancer: LoadBalancer | undefined): Step {
  if (balancer === undefined) return step("service", false, "there is no LoadBalancer, so nothing is done");
  const own = balancer.spec?.loadBalancerClass ?? "";
  const { type = "ClusterIP", loadBalancerClass = "", ports = [] } = service.spec ?? {};
  const details = [
    `ports: ${ports.map(({ protocol, port }) => `${protocol ?? "TCP"}/${port}`).join(", ")}`,
    `externalTrafficPolicy: ${service.spec?.externalTrafficPolicy ?? "Cluster"}`,
  ];
  if (type !== "LoadBalancer")
    return step("service", false, `its type is ${type}, not LoadBalancer`, details);
  if (!isOurs(service, own))
    return step(
      "service",
      false,
      `its ${classOf(loadBalancerClass)} is not ours: the LoadBalancer serves those with ${classOf(own)}`,
      details,
    );
  return step("service", true, `it is ours, with ${classOf(own)}`, details);
}

const classOf = (name: string): string =>
  name === "" ? "no loadBalancerClass" : `loadBalancerClass "${name}"`;

/** What it asks for, and which pool gave what; the controller's own reader says the first. */
export function addressStep(
  service: Service,
  { pools, loadBalancer }: Pick<World, "pools" | "loadBalancer">,
): Step {
  const record = projectService(service);
  const refused = refusalOf(service);
  const addresses = vipsOf(service);
  const read = record === undefined ? undefined : readRequest(record);
  const details = [
    ...(read === undefined ? [] : asked(read.request)),
    ...addresses.map((vip) => {
      const pool = pools.of(vip);
      return pool === undefined
        ? `${vip} is in no AddressPool that counts`
        : `${vip} is of AddressPool ${pool.name}`;
    }),
  ];
  if (addresses.length === 0) {
    if (refused === undefined)
      return step("address", false, "it has no address, and no controller has said why", details);
    return step("address", false, `it has no address (${refused.reason}): ${refused.message}`, [
      ...details,
      adviceOf(refused.reason),
    ]);
  }
  const foreign = addresses.filter((vip) => pools.of(vip) === undefined);
  if (foreign.length > 0)
    return step("address", false, `${foreign.join(", ")} is in no AddressPool that counts`, details);
  const taken = loadBalancer?.mode === "IPVS" ? leftToKubeProxy(service) : undefined;
  if (taken !== undefined)
    return step(
      "address",
      false,
      `kube-proxy takes ${taken} for itself: the status does not say ipMode Proxy; either the speakers of all nodes do not forward yet (genkan status), or somebody else wrote it, and no controller has put it right`,
      details,
    );
  const more =
    refused === undefined ? [] : [`not all that it asks for (${refused.reason}): ${refused.message}`];
  return step("address", true, `it has ${addresses.join(", ")}`, [...details, ...more]);
}

const leftToKubeProxy = ({ status }: Service): string | undefined =>
  status?.loadBalancer?.ingress?.find(({ ipMode }) => ipMode !== "Proxy")?.ip;

function asked({ families, policy, addresses, pool, sharing }: AllocationRequest): string[] {
  return [
    `it asks for ${families.join(" and ")} (${policy})`,
    ...addresses.map(({ text, field }) => `it asks for ${text} by ${field}`),
    ...(pool === undefined ? [] : [`it asks for AddressPool ${pool.name} by annotation ${pool.field}`]),
    ...(addresses.length === 0 && pool === undefined
      ? ["it asks for no pool, so pools with autoAssign are tried by priority"]
      : []),
    ...(sharing === undefined ? [] : [`it shares addresses by the key "${sharing.key}"`]),
  ];
}

const adviceOf = (reason: string): string =>
  (REASONS as Readonly<Record<string, Meaning>>)[reason]?.advice ?? "";

/** A port without an id is not forwarded by anybody. */
export function idsStep(service: Service): Step {
  const ids = forwardingIdsOf(conditionsOf(service));
  const families = new Set(vipsOf(service).map(familyOf));
  const keys = [...families].flatMap((family) =>
    (service.spec?.ports ?? []).map(({ protocol, port }) => idKey(family, `${protocol ?? "TCP"}/${port}`)),
  );
  const details = keys.map((key) => `${key}: ${ids[key] ?? "no id"}`);
  const missing = keys.filter((key) => ids[key] === undefined);
  if (missing.length === keys.length)
    return step("ids", false, "no port has a forwarding id: the controller has not given any", details);
  if (missing.length > 0)
    return step(
      "ids",
      false,
      `${missing.join(", ")} has no forwarding id: another Service has that port there`,
      details,
    );
  return step("ids", true, "every port has its forwarding id", details);
}
