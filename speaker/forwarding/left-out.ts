/** What of a port no kernel is given, and why. Pure. */
import type { ForwardedPort, KernelRefusal } from "#speaker/forwarding/types.ts";

/** `192.0.2.1 TCP/80`. */
export const placeOf = ({ vip, protocol, port }: ForwardedPort): string => `${vip} ${protocol}/${port}`;

/**
 * Without endpoints that are addresses of Services: their packets would go from node to node until their time is over. (Of
 * cluster addresses Kubernetes says the same: "Services without selectors".)
 */
export function withoutVips(
  port: ForwardedPort,
  vips: ReadonlySet<string>,
  leftOut: KernelRefusal[],
): ForwardedPort {
  if (!port.endpoints.some(({ address }) => vips.has(address))) return port;
  for (const { address, port: number } of port.endpoints.filter((one) => vips.has(one.address)))
    leftOut.push(unplanned(port, `endpoint ${address} port ${number}`, "it is an address of Services"));
  return { ...port, endpoints: port.endpoints.filter(({ address }) => !vips.has(address)) };
}

export function unplanned(port: ForwardedPort, what: string, words: string): KernelRefusal {
  const { service } = port;
  const kind = "realServer";
  return {
    attempt: "",
    kind,
    what,
    place: placeOf(port),
    code: "Unplanned",
    words,
    ...(service !== undefined && { service }),
  };
}

/**
 * What of a port's id and place is another's already. The planner gives neither twice (speaker/plan/claims.ts says who keeps
 * it); should it ever, then two Services in one virtual server are what must not be: each would answer the other's clients.
 */
export function taken(
  held: ReadonlyMap<number | string, ForwardedPort>,
  port: ForwardedPort,
  place: string,
): string | undefined {
  const ofId = held.get(port.id);
  const holder = ofId ?? held.get(place);
  if (holder === undefined) return undefined;
  const claim = ofId === undefined ? place : `forwarding id ${port.id}`;
  return `${claim} is of ${holder.service ?? placeOf(holder)} already`;
}
