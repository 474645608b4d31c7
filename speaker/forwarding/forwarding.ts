/**
 * Makes the kernel forward as planned: reads what is there, writes the difference, and reads back what it wrote. A pass
 * that finds all as wanted writes nothing. What the kernel refuses of one Service is left out alone (contents.ts); a pass
 * fails only for what every Service needs.
 */
import type { Clock } from "#common/clock.ts";
import {
  Contents,
  FAMILY_NUMBERS,
  type Passing,
  readRoutes,
  readServers,
} from "#speaker/forwarding/contents.ts";
import { ElementWriter } from "#speaker/forwarding/element-writer.ts";
import { faultOf } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { isOfOldTunnels, restoreOldTunnels } from "#speaker/forwarding/old-tunnels.ts";
import { Owners } from "#speaker/forwarding/owners.ts";
import { Refusals } from "#speaker/forwarding/refusals.ts";
import { rulesetText } from "#speaker/forwarding/ruleset.ts";
import { ADMITTING_SETS, setsText, TABLE } from "#speaker/forwarding/sets.ts";
import { ALL_SYSCTLS, parseSaved, restoreSysctls, toSave, wrongSysctls } from "#speaker/forwarding/sysctl.ts";
import { lowerTunnels, raiseTunnels } from "#speaker/forwarding/tunnels.ts";
import {
  type Change,
  DEFAULT_SETTINGS,
  type Element,
  type ForwardingCounts,
  type ForwardingPlan,
  NO_COUNTS,
  type Reconciled,
} from "#speaker/forwarding/types.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import { Ipvs } from "#speaker/netlink/ipvs.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import { NftTable } from "#speaker/netlink/nftables.ts";
import { AF_INET, removeRoute, routeTo } from "#speaker/netlink/route.ts";
import { addRule, markRule, ownRules, removeRule } from "#speaker/netlink/rule.ts";
import type { Refused, Request } from "#speaker/netlink/socket.ts";

const DEFAULT_MTU = 1500;

export class Forwarding {
  readonly #kernel: ForwardingKernel;
  readonly #table: NftTable;
  readonly #refusals: Refusals;
  readonly #contents: Contents;
  #ipvs: Ipvs | undefined;
  #routeTable = DEFAULT_SETTINGS.table;
  /** Text that this process loaded, and what the kernel showed of it then. */
  #ruleset: { readonly text: string; readonly shown: string } | undefined;
  #counts: ForwardingCounts = NO_COUNTS;
  /** What the table remembers, for the case that somebody takes the table away while we run. */
  #remembered: { saved: ReadonlyMap<string, string>; marks: ReadonlySet<string> } = {
    saved: new Map(),
    marks: new Set(),
  };

  constructor(kernel: ForwardingKernel, { clock }: { readonly clock: Pick<Clock, "now"> }) {
    this.#kernel = kernel;
    this.#table = new NftTable(kernel.netfilter, TABLE);
    this.#refusals = new Refusals(clock);
    this.#contents = new Contents(kernel, this.#table, this.#refusals);
  }

  counts(): ForwardingCounts {
    return {
      ...this.#counts,
      netlinkMessagesWritten: this.#kernel.counter.written,
      turnedAway: Object.fromEntries(this.#table.counters()),
    };
  }

  /** Throws ForwardingError where no Service could be served; what was done up to then stays, and the next pass goes on from there. */
  async reconcile(plan: ForwardingPlan): Promise<Reconciled> {
    const before = this.#kernel.counter.written;
    const pass: Passing = { plan, changes: [], conflicts: [] };
    this.#refusals.begin();
    try {
      const ipvs = await this.#skeleton(pass);
      this.#routeTable = plan.settings.table;
      const marks = this.#contents.write(ipvs, this.#remembered.marks, pass);
      this.#remembered = { ...this.#remembered, marks };
      if (this.#kernel.counter.written > before) this.#contents.verify(ipvs, marks, plan);
    } catch (error) {
      throw faultOf(error);
    } finally {
      this.#refusals.end();
      this.#count(plan, pass);
    }
    return {
      writes: this.#kernel.counter.written - before,
      changes: pass.changes,
      conflicts: pass.conflicts,
      refused: [...plan.leftOut, ...this.#refusals.list()],
    };
  }

  /** Takes away everything of ours and puts back what was found. Idempotent. */
  async remove(): Promise<void> {
    try {
      const exists = this.#table.read() !== undefined;
      const saved = exists ? this.#saved() : this.#remembered.saved;
      const marks = exists ? this.#ownMarks() : this.#remembered.marks;
      if (exists) this.#clearMarking();
      for (const family of FAMILY_NUMBERS) {
        this.#all(ownRules(this.#kernel.route, family).map(removeRule));
      }
      this.#all(readRoutes(this.#kernel, this.#routeTable).map(removeRoute));
      if (marks.size > 0) this.#removeServers(marks);
      lowerTunnels(this.#kernel.route);
      restoreOldTunnels(this.#kernel.route, this.#kernel.sysctls, saved);
      restoreSysctls(this.#kernel.sysctls, saved);
      // Last: it remembers what the rest was.
      if (exists) this.#table.remove();
      this.#ruleset = undefined;
      this.#refusals.clear();
      this.#remembered = { saved: new Map(), marks: new Set() };
      this.#counts = { ...NO_COUNTS, passes: this.#counts.passes, changes: this.#counts.changes };
    } catch (error) {
      throw faultOf(error);
    }
  }

  // --- what does not depend on Services

  async #skeleton(pass: Passing): Promise<Ipvs> {
    const { plan, changes } = pass;
    this.#ipvs ??= new Ipvs(this.#kernel.generic);
    const { route, sysctls } = this.#kernel;
    // First: the rules send packets there.
    changes.push(...raiseTunnels(route, sysctls));
    await this.#rules(plan, changes);
    if ([...this.#remembered.saved.keys()].some(isOfOldTunnels)) {
      changes.push(...restoreOldTunnels(route, sysctls, this.#remembered.saved));
      await this.#rules(plan, changes, { forget: isOfOldTunnels });
    }
    for (const name of wrongSysctls(sysctls)) {
      sysctls.write(name, ALL_SYSCTLS[name] ?? "");
      changes.push({ action: "update", kind: "sysctl", name });
    }
    for (const family of FAMILY_NUMBERS) this.#policyRules(family, plan, changes);
    return this.#ipvs;
  }

  /** `forget`: names of remembered values that were put back. */
  async #rules(
    plan: ForwardingPlan,
    changes: Change[],
    { forget = () => false }: { forget?: (name: string) => boolean } = {},
  ): Promise<void> {
    const exists = this.#table.read() !== undefined;
    const known = exists ? this.#saved() : new Map(this.#remembered.saved);
    for (const name of [...known.keys()].filter(forget)) known.delete(name);
    const saved = toSave(known, this.#kernel.sysctls);
    this.#remembered = { ...this.#remembered, saved: parseSaved(saved) };
    const { settings, nodeAddresses, knowsMembers } = plan;
    const text = rulesetText({ settings, nodeAddresses, knowsMembers, mtu: this.#mtu(plan), saved });
    if (this.#ruleset?.text === text && this.#ruleset.shown === this.#shown()) return;
    if (exists) await this.#admitBefore(plan, changes);
    await this.#kernel.nft(text);
    this.#ruleset = { text, shown: this.#shown() };
    changes.push({ action: exists ? "update" : "create", kind: "ruleset", name: TABLE });
  }

  /**
   * The table of an older build may lack the sets that say who is admitted, and our rules turn away who is in none of
   * them: so these sets are filled before the rules come. Only empty ones are: to fill them takes nothing from anybody.
   */
  async #admitBefore(plan: ForwardingPlan, changes: Change[]): Promise<void> {
    const add = new Map<string, Element[]>();
    for (const name of ADMITTING_SETS) {
      const wanted = plan.elements[name] ?? [];
      if (wanted.length > 0 && this.#table.elements(name).length === 0) add.set(name, [...wanted]);
    }
    if (add.size === 0) return;
    await this.#kernel.nft(setsText());
    const writer = new ElementWriter(this.#table, this.#refusals, new Owners(plan));
    writer.write({ remove: new Map(), add }, changes);
  }

  /** Chains, rules and sets as the kernel tells them: equal text, equal table. */
  #shown(): string {
    return JSON.stringify([this.#table.chains(), this.#table.rules(), this.#table.sets()]);
  }

  #saved(): Map<string, string> {
    const lines = this.#table.rules().filter((rule) => rule.chain === "saved");
    return parseSaved(lines.flatMap((rule) => rule.comment ?? []));
  }

  /** Of the way that tunnels take: the smallest of some. */
  #mtu(plan: ForwardingPlan): number {
    const links = new Map(listLinks(this.#kernel.route).map((link) => [link.index, link.mtu]));
    const mtus = plan.remoteEndpoints.flatMap((address) => {
      try {
        const route = routeTo(this.#kernel.route, address);
        return route.mtu ?? links.get(route.link ?? 0) ?? [];
      } catch (error) {
        // No way there now: nothing goes there either.
        if (error instanceof NetlinkError) return [];
        throw error;
      }
    });
    return Math.min(DEFAULT_MTU, ...mtus);
  }

  #policyRules(family: number, plan: ForwardingPlan, changes: Change[]): void {
    const wanted = markRule(family, plan.settings);
    const present = ownRules(this.#kernel.route, family);
    const isWanted = (rule: typeof wanted): boolean =>
      rule.preference === wanted.preference &&
      rule.mark === wanted.mark &&
      rule.mask === wanted.mask &&
      rule.table === wanted.table;
    const name = `${family === AF_INET ? "IPv4" : "IPv6"} preference ${wanted.preference}`;
    if (!present.some(isWanted)) {
      this.#kernel.route.change(addRule(wanted));
      changes.push({ action: "create", kind: "rule", name });
    }
    for (const stale of present.filter((rule) => !isWanted(rule))) {
      this.#kernel.route.change(removeRule(stale));
      changes.push({ action: "remove", kind: "rule", name: `preference ${stale.preference}` });
    }
  }

  /** A batch; what is gone already is gone as wanted. The first other refusal is thrown. */
  #all(requests: readonly Request[], socket = this.#kernel.route): void {
    if (requests.length === 0) return;
    const worst = socket.batch(requests).find((refused) => !isAlreadyGone(refused, requests));
    if (worst !== undefined) throw worst.error;
  }

  #ownMarks(): Set<string> {
    return new Set(this.#table.elements("marks").map((element) => element.key));
  }

  #clearMarking(): void {
    const remove = new Map<string, Element[]>();
    for (const name of this.#table.sets()) {
      const elements = name === "marks" ? [] : this.#table.elements(name);
      if (elements.length > 0) remove.set(name, elements);
    }
    if (remove.size > 0) this.#table.change({ remove, add: new Map() });
  }

  #removeServers(marks: ReadonlySet<string>): void {
    const ipvs = this.#ipvs ?? new Ipvs(this.#kernel.generic);
    const { servers } = readServers(ipvs, marks);
    this.#all(
      [...servers.values()].map(({ service }) => ipvs.removeService(service)),
      this.#kernel.generic,
    );
  }

  #count(plan: ForwardingPlan, pass: Passing): void {
    const { passes, changes } = this.#counts;
    this.#counts = {
      ...NO_COUNTS,
      virtualServers: plan.virtualServers.length,
      realServers: plan.virtualServers.reduce((sum, server) => sum + server.realServers.length, 0),
      routes: plan.routes.length,
      elements: Object.values(plan.elements).reduce((sum, elements) => sum + elements.length, 0),
      passes: passes + 1,
      changes: changes + pass.changes.length,
    };
  }
}

function isAlreadyGone({ index, error }: Refused, requests: readonly Request[]): boolean {
  return requests[index]?.attempt.startsWith("remove ") === true && ["ESRCH", "ENOENT"].includes(error.code);
}
