/**
 * Services by which kube-proxy takes an address for itself: every node then sends what arrives for it to that Service's
 * pods, before we see it. It does so for spec.externalIPs of any Service, and for an address in a status that does not
 * say ipMode Proxy. Of Services of ours the controller keeps the status; what counts here is what others have.
 */
import { formatAddress, parseAddress } from "#api/address.ts";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import type { Service } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";

/** kube-proxy leaves Services with it to somebody else. */
const LABEL_PROXY_NAME = "service.kubernetes.io/service-proxy-name";
/** Services that are kept here at most: another load balancer may have as many as we. */
const MAX_TAKERS = 20_000;

/** How an address and port is taken. */
export interface Taking {
  /** `192.0.2.1 TCP/80`, the address in canonical text. */
  readonly place: string;
  readonly field: "spec.externalIPs" | "status.loadBalancer.ingress";
}

/** What one Service takes, as the API server has it. Pure; whatever it has that is no address takes nothing. */
export function takingsOf({ metadata, spec, status }: Service): Taking[] {
  const isLeftAlone = metadata.labels?.[LABEL_PROXY_NAME] !== undefined;
  if (spec === undefined || isLeftAlone || spec.type === "ExternalName" || spec.clusterIP === "None")
    return [];
  const isOurs = status?.conditions?.some(({ type }) => type === FORWARDING_CONDITION) === true;
  const ingress = isOurs || spec.type !== "LoadBalancer" ? [] : (status?.loadBalancer?.ingress ?? []);
  const addresses = [
    ...list(spec.externalIPs).map((text) => ({ text, field: "spec.externalIPs" as const })),
    ...list(ingress)
      .filter(({ ipMode }) => ipMode !== "Proxy")
      .map(({ ip }) => ({ text: ip, field: "status.loadBalancer.ingress" as const })),
  ];
  if (addresses.length === 0) return [];
  const ports = list(spec.ports).map(({ protocol, port }) => `${protocol ?? "TCP"}/${port}`);
  return addresses.flatMap(({ text, field }) => {
    const address = typeof text === "string" ? parseAddress(text) : undefined;
    if (address === undefined) return [];
    return ports.map((port): Taking => ({ place: `${formatAddress(address)} ${port}`, field }));
  });
}

const list = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : []);

/** What plans read. `revision` changes with the content. */
export interface TakersView {
  readonly revision: number;
  entries(): Iterable<readonly [service: string, takings: readonly Taking[]]>;
}

export const NO_TAKERS: TakersView = { revision: 0, entries: () => [] };

export class Takers implements TakersView {
  readonly #takings = new Map<string, readonly Taking[]>();
  readonly #onChange: () => void;
  #revision = 0;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get revision(): number {
    return this.#revision;
  }

  entries(): Iterable<readonly [string, readonly Taking[]]> {
    return this.#takings;
  }

  /** A Service as it is now. */
  see(service: Service): void {
    const key = keyOf(service);
    const takings = takingsOf(service);
    if (takings.length === 0) {
      this.forget(key);
      return;
    }
    const before = this.#takings.get(key);
    if (before === undefined && this.#takings.size >= MAX_TAKERS) return;
    if (JSON.stringify(before) === JSON.stringify(takings)) return;
    this.#takings.set(key, takings);
    this.#changed();
  }

  /** The Service is gone. */
  forget(key: string): void {
    if (this.#takings.delete(key)) this.#changed();
  }

  #changed(): void {
    this.#revision += 1;
    this.#onChange();
  }
}
