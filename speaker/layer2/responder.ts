/**
 * Answers for announced addresses on their links, and tells neighbours of new ones unasked: at once, and again,
 * since a frame may be lost and hosts ignore a change within a second of the last one (Linux: neigh/locktime).
 * Runs in the worker thread; sockets and time are given, so that it can be tested without either.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { addressBytes, addressKey } from "./address.ts";
import { type Answer, answerArp, answerDiscovery } from "./answer.ts";
import { gratuitousArp } from "./arp.ts";
import { type GroupMembership, SolicitedGroups } from "./groups.ts";
import type {
  Announcement,
  Conflict,
  FromWorker,
  LinkIdentity,
  LinkProblem,
  ResponderCounts,
} from "./messages.ts";
import { unsolicitedAdvertisement } from "./ndp.ts";

/** When an address new on a link is told unasked, milliseconds after it was announced. */
export const UNASKED_MS: readonly number[] = [0, 100, 500, 1_100, 2_200, 4_400];

/** How long after another station's word ours is told again: hosts ignore a change within a second of the last one. */
export const DEFEND_MS = 1_100;

export interface FrameSocket {
  /** How many left. */
  send(frames: readonly Buffer[]): number;
  close(): void;
}

export interface SocketRequest {
  readonly linkIndex: number;
  readonly receive: "arpRequests" | "neighborDiscovery";
  onFrames(frames: readonly Buffer[]): void;
  onError(error: Error): void;
}

export interface ResponderOptions {
  readonly clock: Pick<Clock, "after">;
  /** Throws if the link cannot be had. */
  readonly open: (request: SocketRequest) => FrameSocket;
  /** A socket to join groups of a link with. */
  readonly openGroups: (linkIndex: number) => GroupMembership;
  readonly report: (message: FromWorker) => void;
}

/** Groups to join at once: a few milliseconds of the kernel's. */
const GROUP_SLICE = 64;
/** What the kernel refused to join is tried again. */
const GROUP_RETRY_MS = 2_000;

interface Contested {
  /** The last contradiction meanwhile. */
  again?: Conflict;
}

interface Link {
  readonly identity: LinkIdentity;
  readonly hardware: Uint8Array;
  /** addressKey -> text. */
  readonly vips: Map<string, string>;
  readonly groups: SolicitedGroups;
  joining: Cancel | undefined;
  arp: FrameSocket | undefined;
  ndp: FrameSocket | undefined;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #links = new Map<string, Link>();
  readonly #timers = new Set<Cancel>();
  /** Announcements that another station contradicted, until told again. */
  readonly #contested = new Map<string, Contested>();
  readonly #counts = { arp: 0, ndp: 0, unasked: 0, lost: 0, conflicts: 0 };

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** Stops answering for `remove` before anything else. Links that cannot be opened are tried again each time. */
  update(
    links: readonly LinkIdentity[],
    add: readonly Announcement[],
    remove: readonly Announcement[],
  ): LinkProblem[] {
    for (const { link, vip } of remove) this.#remove(link, vip);
    const moved = this.#setLinks(links);
    const added = new Map<string, string[]>(moved);
    for (const { link, vip } of add) {
      const target = this.#links.get(link);
      const bytes = addressBytes(vip);
      if (target === undefined || bytes === undefined) continue;
      const key = addressKey(bytes);
      if (bytes.length === 16 && !target.vips.has(key)) target.groups.hold(bytes);
      target.vips.set(key, vip);
      const list = added.get(link);
      if (list === undefined) added.set(link, [vip]);
      else list.push(vip);
    }
    const problems: LinkProblem[] = [];
    for (const link of this.#links.values()) problems.push(...this.#open(link));
    for (const link of this.#links.values()) this.#join(link);
    if (added.size > 0) this.#schedule(added);
    return problems;
  }

  counts(): ResponderCounts {
    let announced = 0;
    let groups = 0;
    let refusedGroups = 0;
    for (const link of this.#links.values()) {
      announced += link.vips.size;
      const { joined, refused } = link.groups.report();
      groups += joined;
      refusedGroups += refused;
    }
    return { ...this.#counts, announced, groups, refusedGroups };
  }

  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#contested.clear();
    for (const link of this.#links.values()) closeLink(link);
    this.#links.clear();
  }

  #remove(name: string, vip: string): void {
    const link = this.#links.get(name);
    const bytes = addressBytes(vip);
    if (link === undefined || bytes === undefined) return;
    if (link.vips.delete(addressKey(bytes)) && bytes.length === 16) link.groups.release(bytes);
  }

  /** A slice at once, the others after the frames that wait meanwhile. */
  #join(link: Link): void {
    link.joining?.();
    const isMore = link.groups.work(GROUP_SLICE);
    const { refused, error } = link.groups.report();
    if (!isMore && refused > 0) {
      const problem = problemOf(link.identity.name, error);
      this.#options.report({ type: "problem", problem });
    }
    if (!isMore && refused === 0) {
      link.joining = undefined;
      return;
    }
    link.joining = this.#options.clock.after(isMore ? 0 : GROUP_RETRY_MS, () => {
      if (!isMore) link.groups.retry();
      this.#join(link);
    });
  }

  /** Addresses of links that are new under an old name, which have to be told again. */
  #setLinks(identities: readonly LinkIdentity[]): Map<string, string[]> {
    const names = new Set(identities.map(({ name }) => name));
    for (const [name, link] of this.#links) {
      if (names.has(name)) continue;
      closeLink(link);
      this.#links.delete(name);
    }
    const moved = new Map<string, string[]>();
    for (const identity of identities) {
      const known = this.#links.get(identity.name);
      if (known?.identity.index === identity.index && known.identity.hardware === identity.hardware) continue;
      if (known !== undefined) closeLink(known);
      const vips = known?.vips ?? new Map<string, string>();
      const hardware = Buffer.from(identity.hardware, "hex");
      const groups = new SolicitedGroups(() => this.#options.openGroups(identity.index));
      for (const vip of vips.values()) {
        const bytes = addressBytes(vip);
        if (bytes?.length === 16) groups.hold(bytes);
      }
      const closed = { joining: undefined, arp: undefined, ndp: undefined };
      this.#links.set(identity.name, { identity, hardware, vips, groups, ...closed });
      if (vips.size > 0) moved.set(identity.name, [...vips.values()]);
    }
    return moved;
  }

  #open(link: Link): LinkProblem[] {
    if (link.arp !== undefined && link.ndp !== undefined) return [];
    const { name, index } = link.identity;
    if (link.hardware.length !== 6) {
      return [{ link: name, code: "BadLink", message: `${name} is no Ethernet link` }];
    }
    const onError = (error: Error): void =>
      this.#options.report({ type: "problem", problem: problemOf(name, error) });
    try {
      link.arp ??= this.#options.open({
        linkIndex: index,
        receive: "arpRequests",
        onFrames: (frames) => this.#answer(link, "arp", frames),
        onError,
      });
      link.ndp ??= this.#options.open({
        linkIndex: index,
        receive: "neighborDiscovery",
        onFrames: (frames) => this.#answer(link, "ndp", frames),
        onError,
      });
      return [];
    } catch (error) {
      return [problemOf(name, error)];
    }
  }

  #answer(link: Link, protocol: "arp" | "ndp", frames: readonly Buffer[]): void {
    const replies: Buffer[] = [];
    for (const frame of frames) {
      const answer: Answer = protocol === "arp" ? answerArp(frame, link) : answerDiscovery(frame, link);
      if (answer.reply !== undefined) replies.push(answer.reply);
      else if (answer.silence === "Conflict") this.#conflict(link, answer.vip, answer.station);
    }
    if (replies.length === 0) return;
    this.#counts[protocol] += this.#send(link, link[protocol], replies);
  }

  #conflict(link: Link, key: string, station: Uint8Array): void {
    this.#counts.conflicts += 1;
    const vip = link.vips.get(key);
    if (vip === undefined) return;
    this.#defend({ link: link.identity.name, vip, station: Buffer.from(station).toString("hex") });
  }

  /**
   * Nodes that judge differently for a moment both announce. Whoever is right has nothing new to announce when the
   * other one gives up, so neighbours would stay with the other one's word, for good if that node then dies: the last
   * word is of who still answers. One frame and one report a second at most, however long the other one goes on.
   */
  #defend(conflict: Conflict): void {
    const { link, vip } = conflict;
    const key = `${link} ${vip}`;
    const pending = this.#contested.get(key);
    if (pending !== undefined) {
      pending.again = conflict;
      return;
    }
    const state: Contested = {};
    this.#contested.set(key, state);
    this.#options.report({ type: "conflict", conflict });
    const cancel = this.#options.clock.after(DEFEND_MS, () => {
      this.#timers.delete(cancel);
      this.#contested.delete(key);
      this.#tell(new Map([[link, [vip]]]));
      if (state.again !== undefined) this.#defend(state.again);
    });
    this.#timers.add(cancel);
  }

  #schedule(added: ReadonlyMap<string, readonly string[]>): void {
    for (const ms of UNASKED_MS) {
      if (ms === 0) {
        this.#tell(added);
        continue;
      }
      const cancel = this.#options.clock.after(ms, () => {
        this.#timers.delete(cancel);
        this.#tell(added);
      });
      this.#timers.add(cancel);
    }
  }

  /** Those of `added` that are announced still. */
  #tell(added: ReadonlyMap<string, readonly string[]>): void {
    for (const [name, vips] of added) {
      const link = this.#links.get(name);
      if (link === undefined) continue;
      const requests: Buffer[] = [];
      const advertisements: Buffer[] = [];
      for (const vip of vips) {
        const bytes = addressBytes(vip);
        if (bytes === undefined || !link.vips.has(addressKey(bytes))) continue;
        if (bytes.length === 4) requests.push(...gratuitousArp(bytes, link.hardware));
        else advertisements.push(unsolicitedAdvertisement(bytes, link.hardware));
      }
      this.#counts.unasked += this.#send(link, link.arp, requests);
      this.#counts.unasked += this.#send(link, link.ndp, advertisements);
    }
  }

  #send(link: Link, socket: FrameSocket | undefined, frames: readonly Buffer[]): number {
    if (socket === undefined || frames.length === 0) return 0;
    try {
      const left = socket.send(frames);
      this.#counts.lost += frames.length - left;
      return left;
    } catch (error) {
      this.#counts.lost += frames.length;
      this.#options.report({ type: "problem", problem: problemOf(link.identity.name, error) });
      return 0;
    }
  }
}

function closeLink(link: Link): void {
  link.joining?.();
  link.joining = undefined;
  link.groups.close();
  link.arp?.close();
  link.ndp?.close();
  link.arp = undefined;
  link.ndp = undefined;
}

function problemOf(link: string, error: unknown): LinkProblem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "Unknown";
  return { link, code, message: error instanceof Error ? error.message : String(error) };
}
