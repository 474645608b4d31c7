/**
 * From kube-proxy to IPVS no packet may find nobody who forwards it. An address that kube-proxy forwards stays with it
 * (ipMode VIP in the Service's status) until the speakers forward. It is so when the mode of a LoadBalancer is changed, and
 * when Services come from another load balancer. An address that nobody had before is ours from the start.
 */
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import { ConditionType } from "#api/v1beta1/conditions.ts";
import type { Clock } from "#common/clock.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";

/** From the write that makes a Service ours to the moment when the speakers, which forward others, forward it, too. */
export const SETTLE_MS = 5_000;
/** A node that is dead, or cannot forward, keeps the others from it no longer than that. */
export const PATIENCE_MS = 600_000;

/** What a speaker says of its node, as far as it matters here. */
export interface SpeakerRecord {
  /** The metadata.generation of the LoadBalancer that it follows. */
  readonly generation: number;
  readonly forwards: boolean;
}

export function projectSpeaker({ status }: SpeakerStatus): SpeakerRecord {
  const isReady = status?.conditions?.some(
    (condition) => condition.type === ConditionType.ForwardingReady && condition.status === "True",
  );
  const { mode, programmed } = status?.forwarding ?? {};
  return {
    generation: status?.observedGeneration ?? 0,
    forwards: mode === "IPVS" && programmed === true && isReady === true,
  };
}

/** The part of the LoadBalancer that this is judged by. */
export interface Asked {
  readonly generation: number;
  /** Speakers that there are to be; undefined: the operator has not said it yet. */
  readonly desired: number | undefined;
}

/** Whether every speaker forwards as it is asked to. Pure. */
export function doAllForward(speakers: readonly SpeakerRecord[], { generation, desired }: Asked): boolean {
  if (desired === undefined || desired === 0 || speakers.length < desired) return false;
  return speakers.every((speaker) => speaker.forwards && speaker.generation >= generation);
}

/** Who waits, and for how long. Another leader waits anew. */
export class Handover {
  readonly #clock: Pick<Clock, "now" | "date">;
  readonly #waiting = new Set<string>();
  #generation: number | undefined;
  #since: number;
  #doAllForward = false;

  constructor(clock: Pick<Clock, "now" | "date">) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Services whose addresses kube-proxy forwards for the time being. */
  get waiting(): ReadonlySet<string> {
    return this.#waiting;
  }

  /** What is so now. True if those who wait have to be looked at. */
  see(speakers: readonly SpeakerRecord[], asked: Asked): boolean {
    if (asked.generation !== this.#generation) {
      this.#generation = asked.generation;
      this.#since = this.#clock.now();
    }
    const before = this.#doAllForward;
    this.#doAllForward = doAllForward(speakers, asked);
    return this.#doAllForward && !before && this.#waiting.size > 0;
  }

  /** Milliseconds for which the addresses of the Service that kube-proxy forwards stay with it at least; 0: none do. */
  waitMs(service: ServiceRecord): number {
    const { key, ingress } = service;
    const waitMs = ingress.some(isWithKubeProxy) ? Math.max(this.#settleMs(service), this.#patienceMs()) : 0;
    if (waitMs > 0) this.#waiting.add(key);
    else this.#waiting.delete(key);
    return waitMs;
  }

  /** The Service is gone. */
  forget(key: string): void {
    this.#waiting.delete(key);
  }

  #patienceMs(): number {
    return this.#doAllForward ? 0 : Math.max(0, this.#since + PATIENCE_MS - this.#clock.now());
  }

  /** By the time at which the Service became ours, which its status says in whole seconds. */
  #settleMs({ conditions }: ServiceRecord): number {
    const ours = conditions.find(({ type }) => type === FORWARDING_CONDITION);
    if (ours === undefined) return SETTLE_MS;
    const at = Date.parse(ours.lastTransitionTime);
    const leftMs = at + SETTLE_MS - this.#clock.date().getTime();
    // Clocks may differ, and a time may be anything.
    return leftMs > 0 && leftMs <= SETTLE_MS ? leftMs : 0;
  }
}

/** kube-proxy forwards what a status does not tell it to leave alone. */
export const isWithKubeProxy = ({ ip, ipMode }: ServiceRecord["ingress"][number]): boolean =>
  ip !== undefined && ipMode !== "Proxy";
