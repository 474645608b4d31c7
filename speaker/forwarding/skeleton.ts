/**
 * What does not depend on Services: tunnel devices, policy rules, the table with its chains, kernel settings. It is looked
 * at in each pass, and made as it should be. What the settings were before is remembered in the table.
 */
import type { ConnectionSync } from "#speaker/forwarding/connection-sync.ts";
import type { Encapsulation } from "#speaker/forwarding/encapsulation.ts";
import { faultOf, noTunnel } from "#speaker/forwarding/fault.ts";
import type { Skeleton, SkeletonInput } from "#speaker/forwarding/kernel.ts";
import { isOfOldTunnels, restoreOldTunnels } from "#speaker/forwarding/old-tunnels.ts";
import { FAMILY_NUMBERS } from "#speaker/forwarding/routes.ts";
import { rulesetText } from "#speaker/forwarding/ruleset.ts";
import { ADMITTING_SETS, SUCCEEDING, setsText, TABLE } from "#speaker/forwarding/sets.ts";
import {
  ALL_SYSCTLS,
  parseSaved,
  restoreSysctls,
  SYNC_SYSCTLS,
  type SysctlFiles,
  toSave,
  wrongSysctls,
} from "#speaker/forwarding/sysctl.ts";
import type { TunnelEnds } from "#speaker/forwarding/tunnel-ends.ts";
import { lowerTunnels, raiseTunnels } from "#speaker/forwarding/tunnels.ts";
import type { Change, Element, SyncTrouble, TunnelTrouble } from "#speaker/forwarding/types.ts";
import { AF_INET } from "#speaker/netlink/domain.ts";
import { isErrno, NetlinkError } from "#speaker/netlink/error.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import type { NftTable } from "#speaker/netlink/nftables.ts";
import { routeTo } from "#speaker/netlink/route.ts";
import { addRule, markRule, ownRules, removeRule } from "#speaker/netlink/rule.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const DEFAULT_MTU = 1500;

export interface SkeletonParts {
  readonly route: NetlinkSocket;
  readonly table: NftTable;
  readonly sysctls: SysctlFiles;
  readonly sync: ConnectionSync;
  readonly ends: TunnelEnds;
  /** Runs `nft -f -`; throws ForwardingError with what nft says. */
  readonly nft: (text: string) => Promise<void>;
}

/** What this process loaded, what the kernel showed of it then, and nftables' epoch at which it was last looked at. */
interface Loaded {
  readonly text: string;
  readonly shown: string;
  epoch: number;
}

export class KernelSkeleton implements Skeleton {
  readonly #parts: SkeletonParts;
  #loaded: Loaded | undefined;
  /** Whether an earlier process was, and this machine has not started since; undefined before anything was looked at. */
  #wasForwarding: boolean | undefined;
  /** What the table remembers, for the case that somebody takes the table away while we run. */
  #saved: ReadonlyMap<string, string> = new Map();

  constructor(parts: SkeletonParts) {
    this.#parts = parts;
  }

  async ensure(wanted: SkeletonInput): Promise<Change[]> {
    const { route, sysctls, table } = this.#parts;
    const changes: Change[] = [];
    this.#wasForwarding ??= table.read() !== undefined;
    // The devices come first, because the rules send packets to them.
    changes.push(...this.#raiseTunnels(wanted));
    await this.#ensureRules(wanted, changes);
    if ([...this.#saved.keys()].some(isOfOldTunnels)) {
      changes.push(...restoreOldTunnels(route, sysctls, this.#saved));
      await this.#ensureRules(wanted, changes, { forget: isOfOldTunnels });
    }
    const needed = wanted.sync === undefined ? ALL_SYSCTLS : { ...ALL_SYSCTLS, ...SYNC_SYSCTLS };
    for (const [name, value] of wrongSysctls(sysctls, needed)) {
      sysctls.write(name, value);
      changes.push({ action: "update", kind: "sysctl", name });
    }
    for (const family of FAMILY_NUMBERS) this.#ensurePolicyRules(family, wanted, changes);
    // Last: the rules say who may tell of connections.
    changes.push(...this.#ensureSync(wanted));
    return changes;
  }

  get syncTrouble(): SyncTrouble | undefined {
    return this.#parts.sync.trouble;
  }

  get offered(): readonly Encapsulation[] {
    return this.#parts.ends.offered;
  }

  get tunnelTrouble(): TunnelTrouble | undefined {
    return this.#parts.ends.trouble;
  }

  get syncStartedAt(): number | undefined {
    return this.#wasForwarding === true ? undefined : this.#parts.sync.startedAt;
  }

  #ensureSync({ sync, now }: SkeletonInput): Change[] {
    const changes = this.#parts.sync.ensure(sync, now);
    const hasEnded = sync === undefined && changes.length > 0;
    if (hasEnded) restoreSysctls(this.#parts.sysctls, this.#saved, SYNC_SYSCTLS);
    return changes;
  }

  bindTold(): Generator<undefined, boolean> {
    return this.#parts.sync.bindTold();
  }

  closeWay(): void {
    const { route, table } = this.#parts;
    if (table.read() !== undefined) this.#saved = this.#readSaved();
    for (const family of FAMILY_NUMBERS) {
      const requests = ownRules(route, family).map(removeRule);
      const worst = route.batch(requests).find(({ error }) => !isErrno(error, "ESRCH", "ENOENT"));
      if (worst !== undefined) throw faultOf(worst.error);
    }
  }

  remove(): void {
    const { route, table, sysctls, sync, ends } = this.#parts;
    // Asking for daemons loads ip_vs, so it is not done on a node where nothing of ours has been.
    if (this.#saved.size > 0) sync.remove();
    ends.remove();
    lowerTunnels(route);
    restoreOldTunnels(route, sysctls, this.#saved);
    restoreSysctls(sysctls, this.#saved);
    // Last: it remembers what the rest was.
    if (table.read() !== undefined) table.remove();
    this.#loaded = undefined;
    this.#wasForwarding = false;
    this.#saved = new Map();
  }

  #raiseTunnels({ tunnel, now }: SkeletonInput): Change[] {
    const { route, sysctls, ends } = this.#parts;
    try {
      return [...raiseTunnels(route, sysctls), ...ends.ensure(tunnel, now)];
    } catch (error) {
      throw noTunnel(error);
    }
  }

  /** `forget`: names of remembered values that were put back. */
  async #ensureRules(
    wanted: SkeletonInput,
    changes: Change[],
    { forget }: { forget?: (name: string) => boolean } = {},
  ): Promise<void> {
    const { table, nft, sysctls } = this.#parts;
    // Before the rules are read: what changes after this is seen in the next pass.
    const epoch = table.epoch();
    const isUntouched = this.#loaded?.epoch === epoch && forget === undefined;
    const exists = isUntouched || table.read() !== undefined;
    const known = exists && !isUntouched ? this.#readSaved() : new Map(this.#saved);
    for (const name of [...known.keys()]) if (forget?.(name)) known.delete(name);
    const saved = toSave(known, sysctls);
    this.#saved = parseSaved(saved);
    const { settings, nodeAddresses, knowsMembers, tunnel } = wanted;
    const text = rulesetText({
      ...{ settings, nodeAddresses, knowsMembers, saved, tunnel },
      taken: this.#parts.ends.taken,
      mtu: this.#mtu(wanted),
      ...(wanted.sync === undefined ? {} : { syncLink: wanted.sync.link.name }),
    });
    if (this.#loaded?.text === text && (isUntouched || this.#loaded.shown === this.#shown())) {
      this.#loaded.epoch = epoch;
      return;
    }
    if (exists) await this.#admitBefore(wanted);
    await nft(text);
    this.#loaded = { text, shown: this.#shown(), epoch: table.epoch() };
    changes.push({ action: exists ? "update" : "create", kind: "ruleset", name: TABLE });
  }

  /**
   * The table of an older build may lack the sets that say who is admitted, and our rules turn away who is in none of
   * them: so these sets are filled before the rules come. Only empty ones are: to fill them takes nothing from anybody. Maps
   * that the older build had by another name are filled with the marks of its virtual servers, which are there still.
   */
  async #admitBefore({ admitting, fill }: SkeletonInput): Promise<void> {
    const { table, nft } = this.#parts;
    const wanted = admitting();
    const add = new Map<string, readonly Element[]>();
    for (const name of ADMITTING_SETS) {
      const elements = wanted.get(name) ?? [];
      if (elements.length > 0 && table.elements(name).length === 0) add.set(name, elements);
    }
    const present = table.sets();
    for (const [name, older] of Object.entries(SUCCEEDING)) {
      const elements = wanted.get(name) ?? [];
      if (elements.length > 0 && present.includes(older)) add.set(name, elements);
    }
    if (add.size === 0) return;
    await nft(setsText());
    fill(add);
  }

  /** Chains, rules and sets as the kernel tells them: equal text, equal table. */
  #shown(): string {
    const { table } = this.#parts;
    return JSON.stringify([table.chains(), table.rules(), table.sets()]);
  }

  #readSaved(): Map<string, string> {
    const lines = this.#parts.table.rules().filter((rule) => rule.chain === "saved");
    return parseSaved(lines.flatMap((rule) => rule.comment ?? []));
  }

  /** Of the way that tunnels take: the smallest of some. */
  #mtu({ remoteEndpoints }: SkeletonInput): number {
    const { route } = this.#parts;
    if (remoteEndpoints.length === 0) return DEFAULT_MTU;
    const links = new Map(listLinks(route).map((link) => [link.index, link.mtu]));
    const mtus = remoteEndpoints.flatMap((address) => {
      try {
        const way = routeTo(route, address);
        return way.mtu ?? links.get(way.link ?? 0) ?? [];
      } catch (error) {
        // No way there now: nothing goes there either.
        if (error instanceof NetlinkError) return [];
        throw error;
      }
    });
    return Math.min(DEFAULT_MTU, ...mtus);
  }

  #ensurePolicyRules(family: number, { settings }: SkeletonInput, changes: Change[]): void {
    const { route } = this.#parts;
    const wanted = markRule(family, settings);
    const present = ownRules(route, family);
    const isWanted = (rule: typeof wanted): boolean =>
      rule.preference === wanted.preference &&
      rule.mark === wanted.mark &&
      rule.mask === wanted.mask &&
      rule.table === wanted.table;
    const name = `${family === AF_INET ? "IPv4" : "IPv6"} preference ${wanted.preference}`;
    if (!present.some(isWanted)) {
      route.change(addRule(wanted));
      changes.push({ action: "create", kind: "rule", name });
    }
    for (const stale of present.filter((rule) => !isWanted(rule))) {
      route.change(removeRule(stale));
      changes.push({ action: "remove", kind: "rule", name: `preference ${stale.preference}` });
    }
  }
}
