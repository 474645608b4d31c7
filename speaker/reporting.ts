/** Reports the outcome of a pass to people: by the status of this node's SpeakerStatus, by events, log and metrics. */
import type { Clock } from "#common/clock.ts";
import { BUILD } from "#common/version.ts";
import type { Applied, Trouble } from "./apply.ts";
import type { KernelRefusal, SyncTrouble, TunnelTrouble } from "./forwarding/types.ts";
import type { HostWatch } from "./host/host-watch.ts";
import type { LoadBalancerView } from "./known/view.ts";
import type { Attractor, Claiming, Forwarder, Knowledge, Links, Members, Noticing, Router } from "./parts.ts";
import type { PathProbe } from "./paths/path-probe.ts";
import { type AddressPlan, isHeld } from "./plan/addresses.ts";
import type { AttractionPlan, PortPlan } from "./plan/plan.ts";
import type { Role } from "./plan/role.ts";
import type { SpeakerEvents } from "./report/events.ts";
import { refusedByKernel } from "./report/left-out.ts";
import type { Reporter } from "./report/reporter.ts";
import { sharingOf } from "./report/sharing.ts";
import { statusOf } from "./report/status.ts";
import { tunnellingOf } from "./report/tunnelling.ts";
import type { SelfProbe } from "./selfprobe/selfprobe.ts";

export interface ReportingParts {
  /** Name of this node. */
  readonly node: string;
  readonly clock: Pick<Clock, "date">;
  readonly knowledge: Pick<Knowledge, "unusable">;
  readonly members: Pick<Members, "unusable" | "gossipTrouble">;
  readonly monitor: Links;
  readonly attractor: Pick<Attractor, "held" | "contested">;
  readonly router: Pick<Router, "report">;
  readonly forwarder: Pick<Forwarder, "counts">;
  readonly owners: Pick<Claiming, "tenureOf">;
  readonly probe: Pick<SelfProbe, "trouble">;
  readonly notifier: Pick<Noticing, "standing">;
  readonly paths: Pick<PathProbe, "trouble">;
  readonly host: Pick<HostWatch, "trouble">;
  readonly reporter: Pick<Reporter, "report" | "conditions">;
  readonly events: SpeakerEvents;
}

/** Whether this node does its work (readiness.ts). */
export interface Work {
  readonly loadBalancer: LoadBalancerView | undefined;
  readonly role: Role;
  readonly attraction: AttractionPlan;
  readonly ports: PortPlan;
  readonly forwardingTrouble: Trouble | undefined;
  readonly announcingTrouble: Trouble | undefined;
  /** What the kernel did not take of single Services, in the last pass that came through. */
  readonly refused: readonly KernelRefusal[];
  /** Why connections are not shared; null: nothing was forwarded yet. */
  readonly syncTrouble: SyncTrouble | undefined | null;
  /** There is no other node to share them with. */
  readonly isAlone: boolean;
  /** Why no tunnel ends here as asked; null: nothing was forwarded yet. */
  readonly tunnelTrouble: TunnelTrouble | undefined | null;
  /** The changes of the last pass that wrote anything. */
  readonly lastWrites: number;
  /** All that was known at the end of a pass was in the kernel, since this node began to forward by IPVS. */
  readonly isProgrammed: boolean;
  /** Peers of sessions that an earlier speaker had, and that are not back. */
  readonly formerSessions: readonly string[];
  /** Everything of ours is out of the kernel. */
  readonly isRemoved: boolean;
  readonly lastError: string | undefined;
}

export class Reporting {
  readonly #parts: ReportingParts;

  constructor(parts: ReportingParts) {
    this.#parts = parts;
  }

  get events(): SpeakerEvents {
    return this.#parts.events;
  }

  /** Emits and logs what changed since the pass before. */
  emit(work: Work, { withdrawn, added }: Pick<Applied, "withdrawn" | "added">): void {
    const { events } = this.#parts;
    const { addresses } = work.attraction;
    events.withdrawn(this.#gone(addresses, withdrawn));
    const news = new Set(added.map(({ vip }) => vip));
    events.announced(news.size === 0 ? [] : addresses.filter(({ vip }) => news.has(vip)));
    const troubles = [work.forwardingTrouble, work.announcingTrouble];
    events.troubled(troubles.filter((trouble) => trouble !== undefined));
    events.leftOut(leftOutOf(work));
  }

  /** Reports the status. It is written only if it changed. */
  report(work: Work): void {
    const { node, clock, reporter, monitor, forwarder, router, probe, attractor } = this.#parts;
    const { loadBalancer, attraction } = work;
    reporter.report(
      statusOf({
        ...work,
        node,
        build: BUILD,
        generation: loadBalancer?.generation ?? 0,
        mode: loadBalancer?.mode ?? "IPVS",
        owned: this.#owned(attraction.addresses),
        tenureOf: (vip) => this.#parts.owners.tenureOf(vip),
        advertised: attraction.addresses.filter(({ isAdvertised }) => isAdvertised).length,
        routing: router.report(),
        links: monitor.links(),
        counts: forwarder.counts(),
        translated: work.ports.translated,
        firewallTrouble: probe.trouble,
        pathTrouble: this.#parts.paths.trouble,
        hostTrouble: this.#parts.host.trouble,
        gossipTrouble: this.#parts.members.gossipTrouble,
        standing: this.#parts.notifier.standing,
        sharing: sharingOf(loadBalancer, work),
        tunnelling: tunnellingOf(loadBalancer, work),
        leftOut: leftOutOf(work),
        unusable: [...this.#parts.knowledge.unusable(), ...this.#parts.members.unusable()],
        conflicts: attractor.contested(),
        conditions: reporter.conditions,
        now: clock.date(),
      }),
    );
  }

  /** What was withdrawn from one link and is announced on another is not gone. Most passes withdraw nothing. */
  #gone(addresses: readonly AddressPlan[], withdrawn: Applied["withdrawn"]): string[] {
    if (withdrawn.length === 0) return [];
    const still = new Set(this.#owned(addresses).map(({ vip }) => vip));
    return withdrawn.map(({ vip }) => vip).filter((vip) => !still.has(vip));
  }

  #owned(addresses: readonly AddressPlan[]): AddressPlan[] {
    const held = this.#parts.attractor.held();
    return addresses.filter((plan) => isHeld(plan, held));
  }
}

function leftOutOf({ ports, refused }: Work): PortPlan["leftOut"] {
  return refused.length === 0 ? ports.leftOut : [...ports.leftOut, ...refusedByKernel(refused)];
}
