/**
 * All links on which addresses are announced. It takes differences and rules from the speaker, gives them to the links,
 * and reports what they counted. It runs in the worker thread. Sockets, time and chance are given, so that it can be
 * tested without them.
 */
import { AnnouncedLink, type LinkOptions, type Tally } from "./link.ts";
import type {
  Announcement,
  Conflict,
  FromWorker,
  LinkIdentity,
  LinkProblem,
  ResponderCounts,
  Rules,
} from "./messages.ts";
import { PacedReports } from "./paced-reports.ts";
import { Stations } from "./stations.ts";

/** So many addresses are reported at once. */
const MOST_CONFLICTS = 32;
const MOST_OVERLAPS = 1_000;

export interface ResponderOptions extends Pick<LinkOptions, "clock" | "random" | "open" | "openGroups"> {
  readonly report: (message: FromWorker) => void;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #links = new Map<string, AnnouncedLink>();
  readonly #stations = new Stations();
  readonly #conflicts: PacedReports<Announcement, Conflict>;
  readonly #overlaps: PacedReports<string, string>;
  readonly #tally: Tally = { arp: 0, ndp: 0, unasked: 0, lost: 0, retried: 0, conflicts: 0, overlaps: 0 };
  #policy: Rules["addressConflict"] = "defend";

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { clock, report } = options;
    this.#conflicts = new PacedReports({
      clock,
      most: MOST_CONFLICTS,
      keyOf: ({ link, vip }) => `${link} ${vip}`,
      look: ({ link, vip }) => this.#links.get(link)?.conflictOf(vip),
      report: (conflicts) => report({ type: "conflicts", conflicts }),
    });
    this.#overlaps = new PacedReports({
      clock,
      most: MOST_OVERLAPS,
      keyOf: (vip) => vip,
      look: (vip) => (this.#isAnnounced(vip) ? vip : undefined),
      report: (vips) => report({ type: "overlaps", vips }),
    });
  }

  rule(rules: Rules): void {
    this.#stations.set(rules);
    if (rules.addressConflict === this.#policy) return;
    this.#policy = rules.addressConflict;
    for (const link of this.#links.values()) link.ruled();
  }

  /** Stops answering for `remove` before anything else. Links that cannot be opened are tried again each time. */
  update(
    links: readonly LinkIdentity[],
    add: readonly Announcement[],
    remove: readonly Announcement[],
  ): LinkProblem[] {
    for (const { link, vip } of remove) this.#links.get(link)?.remove(vip);
    this.#setLinks(links);
    for (const { link, vip } of add) this.#links.get(link)?.add(vip);
    const problems: LinkProblem[] = [];
    for (const link of this.#links.values()) problems.push(...link.work());
    return problems;
  }

  counts(): ResponderCounts {
    let announced = 0;
    let groups = 0;
    let refusedGroups = 0;
    for (const link of this.#links.values()) {
      announced += link.size;
      groups += link.groups.joined;
      refusedGroups += link.groups.refused;
    }
    return { ...this.#tally, announced, groups, refusedGroups };
  }

  close(): void {
    this.#conflicts.close();
    this.#overlaps.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #isAnnounced(vip: string): boolean {
    for (const link of this.#links.values()) if (link.has(vip)) return true;
    return false;
  }

  /** A new link with an old name begins again with its addresses, which have to be announced again. */
  #setLinks(identities: readonly LinkIdentity[]): void {
    const names = new Set(identities.map(({ name }) => name));
    for (const [name, link] of this.#links) {
      if (names.has(name)) continue;
      link.close();
      this.#links.delete(name);
    }
    for (const identity of identities) {
      const known = this.#links.get(identity.name);
      if (known?.identity.index === identity.index && known.identity.hardware === identity.hardware) continue;
      const contested = known?.contested ?? [];
      known?.close();
      const link = this.#create(identity);
      for (const vip of known?.vips ?? []) link.add(vip);
      this.#links.set(identity.name, link);
      for (const vip of contested) this.#conflicts.mark({ link: identity.name, vip });
    }
  }

  #create(identity: LinkIdentity): AnnouncedLink {
    const { report } = this.#options;
    return new AnnouncedLink(identity, {
      ...this.#options,
      tally: this.#tally,
      kindOf: (station) => this.#stations.kindOf(station),
      policy: () => this.#policy,
      onProblem: (problem) => report({ type: "problem", problem }),
      onConflict: (vip) => this.#conflicts.mark({ link: identity.name, vip }),
      onOverlap: (vip) => this.#overlaps.mark(vip),
    });
  }
}
