/**
 * Makes the kernel forward as planned: reads what is there, writes the difference in an order that loses nothing, and
 * reads back what it wrote. A pass that finds all as wanted writes nothing.
 *
 * Order: marks are recorded as ours, then services and real servers, routes and rules, and only then the elements that
 * mark packets; the other way round for what goes.
 */

import { markValue } from "#speaker/forwarding/elements.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { isOfOldTunnels, restoreOldTunnels } from "#speaker/forwarding/oldtunnels.ts";
import { rulesetText } from "#speaker/forwarding/ruleset.ts";
import { ADMITTING_SETS, setsText, TABLE } from "#speaker/forwarding/sets.ts";
import { ALL_SYSCTLS, parseSaved, toSave, WANTED_SYSCTLS, wrongSysctls } from "#speaker/forwarding/sysctl.ts";
import { lowerTunnels, raiseTunnels } from "#speaker/forwarding/tunnels.ts";
import {
  type Change,
  DEFAULT_SETTINGS,
  type Element,
  type ForwardingCounts,
  ForwardingError,
  type ForwardingPlan,
  NO_COUNTS,
  type Reconciled,
} from "#speaker/forwarding/types.ts";
import { differServers, type PresentServer, serverKey } from "#speaker/forwarding/virtualservers.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";
import { Ipvs } from "#speaker/netlink/ipvs.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import { NftTable } from "#speaker/netlink/nftables.ts";
import {
  AF_INET,
  AF_INET6,
  addRoute,
  canonical,
  localRoute,
  ownRoutes,
  type Route,
  removeRoute,
  routeTo,
} from "#speaker/netlink/route.ts";
import { addRule, markRule, ownRules, removeRule } from "#speaker/netlink/rule.ts";
import type { Refused, Request } from "#speaker/netlink/socket.ts";

const DEFAULT_MTU = 1500;
const LOOPBACK = 1;
const FAMILY_NUMBERS = [AF_INET, AF_INET6] as const;

/** The kernel's refusal as the reason of a condition. */
export function faultOf(error: unknown): ForwardingError {
  if (error instanceof ForwardingError) return error;
  if (!(error instanceof NetlinkError)) throw error;
  const { code, attempt } = error;
  if (code === "EPERM")
    return new ForwardingError("NoNetAdmin", `${attempt}: the right NET_ADMIN is missing`, { cause: error });
  if (code === "ENOENT" && attempt.includes("IPVS")) {
    return new ForwardingError("NoIpvs", "the kernel has no ip_vs", { cause: error });
  }
  if (code === "ENOENT" && attempt.includes("scheduler")) {
    return new ForwardingError("NoScheduler", `${attempt}: the kernel has no such scheduler`, {
      cause: error,
    });
  }
  if (attempt.includes("link genkan4") || attempt.includes("link genkan6")) {
    return new ForwardingError("NoTunnel", `${attempt}: the kernel has no such tunnel`, { cause: error });
  }
  return new ForwardingError("KernelRefused", error.message, { cause: error });
}

const elementText = (element: Element): string =>
  `${element.key}|${element.keyEnd ?? ""}|${element.value ?? ""}`;

const elementChanges = (action: Change["action"], set: string, elements: readonly Element[]): Change[] =>
  elements.map(({ key }) => ({ action, kind: "element", name: `${set} ${key}` }));

interface Passing {
  readonly plan: ForwardingPlan;
  readonly changes: Change[];
  readonly conflicts: string[];
}

export class Forwarding {
  readonly #kernel: ForwardingKernel;
  readonly #table: NftTable;
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

  constructor(kernel: ForwardingKernel) {
    this.#kernel = kernel;
    this.#table = new NftTable(kernel.netfilter, TABLE);
  }

  counts(): ForwardingCounts {
    return {
      ...this.#counts,
      netlinkMessagesWritten: this.#kernel.counter.written,
      turnedAway: Object.fromEntries(this.#table.counters()),
    };
  }

  /** Throws ForwardingError; what was done up to then stays, and the next pass goes on from there. */
  async reconcile(plan: ForwardingPlan): Promise<Reconciled> {
    const before = this.#kernel.counter.written;
    const pass: Passing = { plan, changes: [], conflicts: [] };
    try {
      await this.#skeleton(pass);
      this.#contents(pass);
      if (this.#kernel.counter.written > before) this.#verify(plan);
    } catch (error) {
      throw faultOf(error);
    } finally {
      this.#count(plan, pass);
    }
    return {
      writes: this.#kernel.counter.written - before,
      changes: pass.changes,
      conflicts: pass.conflicts,
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
      this.#all(this.#routes().map(removeRoute));
      if (marks.size > 0) this.#removeServers(marks);
      lowerTunnels(this.#kernel.route);
      restoreOldTunnels(this.#kernel.route, this.#kernel.sysctls, saved);
      for (const name of Object.keys(WANTED_SYSCTLS)) {
        const value = saved.get(name);
        if (value !== undefined && this.#kernel.sysctls.read(name) !== value)
          this.#kernel.sysctls.write(name, value);
      }
      // Last: it remembers what the rest was.
      if (exists) this.#table.remove();
      this.#ruleset = undefined;
      this.#remembered = { saved: new Map(), marks: new Set() };
      this.#counts = { ...NO_COUNTS, passes: this.#counts.passes, changes: this.#counts.changes };
    } catch (error) {
      throw faultOf(error);
    }
  }

  // --- what does not depend on Services

  async #skeleton(pass: Passing): Promise<void> {
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
  async #admitBefore({ elements }: ForwardingPlan, changes: Change[]): Promise<void> {
    const add = new Map<string, Element[]>();
    for (const name of ADMITTING_SETS) {
      const wanted = elements[name] ?? [];
      if (wanted.length > 0 && this.#table.elements(name).length === 0) add.set(name, [...wanted]);
    }
    if (add.size === 0) return;
    await this.#kernel.nft(setsText());
    this.#change({ remove: new Map(), add });
    for (const [name, list] of add) changes.push(...elementChanges("create", name, list));
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

  // --- what Services need

  #contents(pass: Passing): void {
    const ipvs = this.#ipvs as Ipvs;
    const present = this.#elements();
    const own = new Set([
      ...this.#remembered.marks,
      ...(present.get("marks") ?? []).map((element) => element.key),
    ]);
    const { servers, foreign } = this.#present(ipvs, own);
    const wanted = pass.plan.virtualServers.filter((server) => {
      if (!foreign.has(serverKey(server.family === "IPv4" ? AF_INET : AF_INET6, server.mark))) return true;
      pass.conflicts.push(`mark 0x${server.mark.toString(16)} belongs to a foreign IPVS service`);
      return false;
    });
    const refused = new Set(
      pass.conflicts.length === 0
        ? []
        : pass.plan.virtualServers.filter((s) => !wanted.includes(s)).map((s) => markValue(s.mark)),
    );
    const elements = this.#difference(pass.plan.elements, present, refused);
    const difference = differServers(ipvs, wanted, servers);
    const routes = this.#routeDifference(pass.plan);

    this.#change({ remove: new Map(), add: only(elements.add, "marks") });
    this.#all(difference.add, this.#kernel.generic);
    this.#all(routes.add);
    this.#change({ remove: without(elements.remove, "marks"), add: without(elements.add, "marks") });
    this.#all(difference.remove, this.#kernel.generic);
    this.#all(routes.remove);
    this.#change({ remove: only(elements.remove, "marks"), add: new Map() });
    this.#remembered = {
      ...this.#remembered,
      marks: new Set(wanted.map((server) => markValue(server.mark))),
    };
    pass.changes.push(...difference.changes, ...routes.changes, ...elements.changes);
  }

  #elements(): Map<string, readonly Element[]> {
    return new Map(this.#table.sets().map((name) => [name, this.#table.elements(name)]));
  }

  #ownMarks(): Set<string> {
    return new Set(this.#table.elements("marks").map((element) => element.key));
  }

  /** Services of ours with their real servers; keys of services by mark that are not ours. */
  #present(
    ipvs: Ipvs,
    own: ReadonlySet<string>,
  ): { servers: Map<string, PresentServer>; foreign: Set<string> } {
    const servers = new Map<string, PresentServer>();
    const foreign = new Set<string>();
    for (const service of ipvs.services().byMark) {
      const key = serverKey(service.family, service.mark);
      if (own.has(markValue(service.mark)))
        servers.set(key, { service, destinations: ipvs.destinations(service) });
      else foreign.add(key);
    }
    return { servers, foreign };
  }

  #difference(
    wanted: ForwardingPlan["elements"],
    present: ReadonlyMap<string, readonly Element[]>,
    refused: ReadonlySet<string>,
  ): { add: Map<string, Element[]>; remove: Map<string, Element[]>; changes: Change[] } {
    const add = new Map<string, Element[]>();
    const remove = new Map<string, Element[]>();
    const changes: Change[] = [];
    for (const [name, elements] of Object.entries(wanted)) {
      const usable = elements.filter(
        (element) => !refused.has(element.value ?? "") && !(name === "marks" && refused.has(element.key)),
      );
      const there = new Set((present.get(name) ?? []).map(elementText));
      const should = new Set(usable.map(elementText));
      const missing = usable.filter((element) => !there.has(elementText(element)));
      const leftover = (present.get(name) ?? []).filter((element) => !should.has(elementText(element)));
      if (missing.length > 0) add.set(name, missing);
      if (leftover.length > 0) remove.set(name, leftover);
      changes.push(...elementChanges("create", name, missing), ...elementChanges("remove", name, leftover));
    }
    return { add, remove, changes };
  }

  #routes(): Route[] {
    return FAMILY_NUMBERS.flatMap((family) => ownRoutes(this.#kernel.route, family, this.#routeTable));
  }

  #routeDifference({ routes, settings }: ForwardingPlan): {
    add: Request[];
    remove: Request[];
    changes: Change[];
  } {
    this.#routeTable = settings.table;
    const present = new Map(this.#routes().map((route) => [route.destination ?? "", route]));
    const wanted = new Set(routes.map(canonical));
    const missing = [...wanted].filter((vip) => !present.has(vip));
    const leftover = [...present].filter(([vip]) => !wanted.has(vip)).map(([, route]) => route);
    return {
      add: missing.map((vip) => addRoute(localRoute(vip, settings.table, LOOPBACK))),
      remove: leftover.map(removeRoute),
      changes: [
        ...missing.map((name): Change => ({ action: "create", kind: "route", name })),
        ...leftover.map(
          (route): Change => ({ action: "remove", kind: "route", name: route.destination ?? "" }),
        ),
      ],
    };
  }

  #change(changes: { remove: Map<string, Element[]>; add: Map<string, Element[]> }): void {
    if (changes.add.size + changes.remove.size > 0) this.#table.change(changes);
  }

  /** A batch; what is gone already is gone as wanted. The first other refusal is thrown. */
  #all(requests: readonly Request[], socket = this.#kernel.route): void {
    if (requests.length === 0) return;
    const worst = socket.batch(requests).find((refused) => !isAlreadyGone(refused, requests));
    if (worst !== undefined) throw worst.error;
  }

  #clearMarking(): void {
    const remove = new Map<string, Element[]>();
    for (const [name, elements] of this.#elements()) {
      if (name !== "marks" && elements.length > 0) remove.set(name, [...elements]);
    }
    this.#change({ remove, add: new Map() });
  }

  #removeServers(marks: ReadonlySet<string>): void {
    const ipvs = this.#ipvs ?? new Ipvs(this.#kernel.generic);
    const { servers } = this.#present(ipvs, marks);
    this.#all(
      [...servers.values()].map(({ service }) => ipvs.removeService(service)),
      this.#kernel.generic,
    );
  }

  /** Announcing waits for this: what was written is what is there. */
  #verify(plan: ForwardingPlan): void {
    const pass: Passing = { plan, changes: [], conflicts: [] };
    const before = this.#kernel.counter.written;
    this.#contents(pass);
    if (this.#kernel.counter.written === before) return;
    const [first] = pass.changes;
    throw new ForwardingError(
      "NotVerified",
      `read back, ${first?.kind ?? ""} ${first?.name ?? ""} was not as written`,
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

const only = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key === name));
const without = <T>(map: ReadonlyMap<string, T>, name: string): Map<string, T> =>
  new Map([...map].filter(([key]) => key !== name));

function isAlreadyGone({ index, error }: Refused, requests: readonly Request[]): boolean {
  return requests[index]?.attempt.startsWith("remove ") === true && ["ESRCH", "ENOENT"].includes(error.code);
}
