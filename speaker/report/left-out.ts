/**
 * Messages about the parts of a Service that are left out, because of its endpoints or because the kernel does not take
 * them. Pure.
 */
import { andMore } from "#api/and-more.ts";
import { printable } from "#api/printable.ts";
import type { KernelRefusal } from "../forwarding/types.ts";
import type { LeftOut } from "../plan/claims.ts";
import type { ServiceEndpoints } from "../plan/endpoints.ts";

export function unusableEndpoints({ service, unusable }: ServiceEndpoints): LeftOut | undefined {
  const [first, ...others] = unusable;
  if (first === undefined) return undefined;
  const message = `endpoint ${first.address} of Service ${service.key} is left out: it ${first.why}${more(others)}`;
  return { reason: "UnusableEndpoint", message: printable(message), services: [service.key] };
}

export function unusableAnnotations(service: string, faults: readonly string[]): LeftOut {
  const [first = "", ...others] = faults;
  const message = `what annotations of Service ${service} ask for is left out: ${first}${more(others)}`;
  return { reason: "UnusableAnnotation", message: printable(message), services: [service] };
}

/** Where a Service asks for affinity, and for a scheduler that does not look at the client. */
export function ignoredAffinity(service: string, scheduler: string): LeftOut {
  const message = `sessionAffinity ClientIP of Service ${service} is left out: the scheduler ${scheduler} does not look at the client`;
  return { reason: "AffinityIgnored", message, services: [service] };
}

/** Where every endpoint of a port fails its checks. */
export function keptAll(service: string, ports: readonly string[]): LeftOut {
  const message = `all endpoints of ${ports.slice(0, MOST_PORTS).join(", ")} of Service ${service} fail their checks, so all of them get connections`;
  return { reason: "AllFailing", message, services: [service] };
}

/** Enough to know which. */
const MOST_PORTS = 10;

/** One message for each Service, so that many refusals of one Service do not hide those of another. */
export function refusedByKernel(refused: readonly KernelRefusal[]): LeftOut[] {
  const byService = new Map<string, Map<string, KernelRefusal>>();
  for (const refusal of refused) {
    const { service = "", place = "", what } = refusal;
    const known = byService.get(service) ?? new Map<string, KernelRefusal>();
    byService.set(service, known);
    // If both tiers of a port are refused for the same reason, the message says it once.
    known.set(`${place} ${what}`, known.get(`${place} ${what}`) ?? refusal);
  }
  return [...byService]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([service, refusals]) => leftOutOf(service, [...refusals.values()]));
}

function leftOutOf(service: string, [first, ...others]: readonly KernelRefusal[]): LeftOut {
  const { what = "", place, words = "", attempt = "", code } = first ?? {};
  const where = place === undefined ? "" : ` of ${place}`;
  const whose = service === "" ? "" : ` of Service ${service}`;
  const isAsked = code !== "Unplanned";
  const why = isAsked ? `the kernel does not take it, ${words}: ${attempt}` : words;
  const message = `${what}${where}${whose} is left out: ${why}${more(others)}`;
  return {
    reason: isAsked ? "KernelRefused" : "UnusableEndpoint",
    message,
    services: service === "" ? [] : [service],
  };
}

const more = (others: readonly unknown[]): string =>
  others.length === 0 ? "" : `${andMore(others.length)} of it`;
