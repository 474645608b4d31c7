/**
 * All links on which addresses are announced. It takes differences and rules from the speaker, gives them to the links,
 * and reports what they counted. It runs in the worker thread. Sockets, time and chance are given, so that it can be
 * tested without them.
 */
import { ConflictReports } from "./conflict-reports.ts";
import { AnnouncedLink, type LinkOptions, type Tally } from "./link.ts";
import type {
  Announcement,
  FromWorker,
  LinkIdentity,
  LinkProblem,
  ResponderCounts,
  Rules,
} from "./messages.ts";
import { Stations } from "./stations.ts";

export interface ResponderOptions extends Pick<LinkOptions, "clock" | "random" | "open" | "openGroups"> {
  readonly report: (message: FromWorker) => void;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #links = new Map<string, AnnouncedLink>();
  readonly #stations = new Stations();
  readonly #reports: ConflictReports;
  readonly #tally: Tally = { arp: 0, ndp: 0, unasked: 0, lost: 0, retried: 0, conflicts: 0 };
  #policy: Rules["addressConflict"] = "defend";

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#reports = new ConflictReports({
      clock: options.clock,
      look: ({ link, vip }) => this.#links.get(link)?.conflictOf(vip),
      report: (conflicts) => options.report({ type: "conflicts", conflicts }),
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
    this.#reports.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
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
      for (const vip of contested) this.#reports.mark({ link: identity.name, vip });
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
      onConflict: (vip) => this.#reports.mark({ link: identity.name, vip }),
    });
  }
}
