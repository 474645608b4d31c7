/**
 * One link on which addresses are announced: it answers questions, announces new addresses to the neighbours, joins the
 * groups that questions go to, and deals with other stations that claim an address. It is a shell: the rules are in
 * answer.ts, pacer.ts, groups.ts and contest.ts.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import { addressBytes, addressKey } from "./address.ts";
import { type Answer, answerArp, answerDiscovery, type Claim } from "./answer.ts";
import { type Contest, type ContestAct, type ContestEvent, type Policy, step } from "./contest.ts";
import { type GroupMembership, SolicitedGroups } from "./groups.ts";
import type { Conflict, LinkIdentity, LinkProblem, ResponderCounts } from "./messages.ts";
import { type Sent, Speech } from "./speech.ts";
import type { StationKind } from "./stations.ts";

/** So many groups are joined at once. That takes the kernel a millisecond or two. */
const GROUP_SLICE = 64;
/** So long after a refusal the join is tried again. */
const GROUP_RETRY_MS = 2_000;
/** The queue of the link or of the socket is full. That passes. */
const NO_ROOM: ReadonlySet<string> = new Set(["ENOBUFS", "EAGAIN", "EWOULDBLOCK"]);

export interface FrameSocket {
  /** Returns how many were sent. Throws if not even the first was. */
  send(frames: readonly Buffer[]): number;
  close(): void;
}

export interface SocketRequest {
  readonly linkIndex: number;
  readonly receive: "arp" | "neighborDiscovery";
  onFrames(frames: readonly Buffer[]): void;
  onError(error: Error): void;
}

/** What is counted over all links. */
export type Tally = {
  -readonly [K in
    | "arp"
    | "ndp"
    | "unasked"
    | "lost"
    | "retried"
    | "conflicts"
    | "overlaps"]: ResponderCounts[K];
};

export interface LinkOptions {
  readonly clock: Pick<Clock, "after" | "now">;
  /** Evenly spread in [0, 1). */
  readonly random: () => number;
  /** Throws if the link cannot be opened. */
  readonly open: (request: SocketRequest) => FrameSocket;
  /** A socket with which groups of a link are joined. */
  readonly openGroups: (linkIndex: number) => GroupMembership;
  readonly tally: Tally;
  readonly kindOf: (station: string) => StationKind;
  readonly policy: () => Policy;
  readonly onProblem: (problem: LinkProblem) => void;
  /** Something changed about an address that a foreign station claims: see `conflictOf`. */
  readonly onConflict: (vip: string) => void;
  /** Another node of ours announced an address that this one announces. */
  readonly onOverlap: (vip: string) => void;
}

interface Vip {
  readonly text: string;
  readonly bytes: Uint8Array;
}

interface Open {
  readonly arp: FrameSocket;
  readonly ndp: FrameSocket;
}

export class AnnouncedLink {
  readonly identity: LinkIdentity;
  readonly hardware: Uint8Array;
  /** By addressKey. */
  readonly #vips = new Map<string, Vip>();
  readonly #silent = new Set<string>();
  readonly #contests = new Map<string, { contest: Contest; cancel: Cancel }>();
  readonly #options: LinkOptions;
  readonly #speech: Speech;
  readonly #groups: SolicitedGroups;
  #sockets: Open | undefined;
  #joining: Cancel | undefined;

  constructor(identity: LinkIdentity, options: LinkOptions) {
    this.identity = identity;
    this.hardware = Buffer.from(identity.hardware, "hex");
    this.#options = options;
    const { hardware } = this;
    this.#speech = new Speech({ ...options, hardware, send: (...frames) => this.#sendBy(...frames) });
    this.#groups = new SolicitedGroups(() => options.openGroups(identity.index));
  }

  /** Texts of the addresses announced. */
  get vips(): string[] {
    return [...this.#vips.values()].map(({ text }) => text);
  }

  /** Texts of those that another station claims. */
  get contested(): string[] {
    return [...this.#contests.keys()].flatMap((key) => this.#vips.get(key)?.text ?? []);
  }

  /** Whether the address is announced, and answered for. */
  has(text: string): boolean {
    const bytes = addressBytes(text);
    const key = bytes === undefined ? "" : addressKey(bytes);
    return this.#vips.has(key) && !this.#silent.has(key);
  }

  get size(): number {
    return this.#vips.size;
  }

  get groups(): { readonly joined: number; readonly refused: number } {
    return this.#groups.report();
  }

  /** Answers for the address from now on; `work` announces it. If it is known already, announcing begins again. */
  add(text: string): void {
    const bytes = addressBytes(text);
    if (bytes === undefined) return;
    const key = addressKey(bytes);
    if (bytes.length === 16 && !this.#vips.has(key)) this.#groups.hold(bytes);
    this.#vips.set(key, { text, bytes });
    if (!this.#silent.has(key)) this.#speech.add(bytes);
  }

  remove(text: string): void {
    const bytes = addressBytes(text);
    if (bytes === undefined) return;
    const key = addressKey(bytes);
    if (!this.#vips.delete(key)) return;
    if (bytes.length === 16) this.#groups.release(bytes);
    this.#silent.delete(key);
    this.#contests.get(key)?.cancel();
    this.#contests.delete(key);
    this.#speech.remove(bytes);
  }

  /** Opens the link if it is not open, sends what is due, and joins groups that are missing. */
  work(): LinkProblem[] {
    const problems = this.#open();
    this.#speech.work();
    this.#join();
    return problems;
  }

  /** The policy has changed. */
  ruled(): void {
    for (const key of [...this.#contests.keys()]) this.#step(key, { type: "ruled" });
  }

  /** Undefined if the address is not announced here. */
  conflictOf(text: string): Conflict | undefined {
    const bytes = addressBytes(text);
    const key = bytes === undefined ? "" : addressKey(bytes);
    if (!this.#vips.has(key)) return undefined;
    const foreign = this.#contests.get(key)?.contest.foreign;
    const place = { link: this.identity.name, vip: text };
    if (foreign === undefined) return { ...place, station: "", state: "over" };
    return { ...place, station: foreign, state: this.#silent.has(key) ? "yielded" : "defended" };
  }

  close(): void {
    this.#speech.close();
    this.#joining?.();
    for (const { cancel } of this.#contests.values()) cancel();
    this.#contests.clear();
    this.#groups.close();
    this.#sockets?.arp.close();
    this.#sockets?.ndp.close();
    this.#sockets = undefined;
  }

  #open(): LinkProblem[] {
    if (this.#sockets !== undefined) return [];
    const { name, index } = this.identity;
    if (this.hardware.length !== 6)
      return [{ link: name, code: "BadLink", message: `${name} is no Ethernet link` }];
    const { open, onProblem } = this.#options;
    const request = (protocol: "arp" | "ndp"): SocketRequest => ({
      linkIndex: index,
      receive: protocol === "arp" ? "arp" : "neighborDiscovery",
      onFrames: (frames) => this.#answer(protocol, frames),
      onError: (error) => onProblem(problemOf(name, error)),
    });
    try {
      const arp = open(request("arp"));
      try {
        this.#sockets = { arp, ndp: open(request("ndp")) };
      } catch (error) {
        arp.close();
        throw error;
      }
      return [];
    } catch (error) {
      return [problemOf(name, error)];
    }
  }

  #answer(protocol: "arp" | "ndp", frames: readonly Buffer[]): void {
    const replies: Buffer[] = [];
    const link = { hardware: this.hardware, vips: this.#vips, silent: this.#silent };
    for (const frame of frames) {
      const answer: Answer = protocol === "arp" ? answerArp(frame, link) : answerDiscovery(frame, link);
      if (answer.reply !== undefined) replies.push(answer.reply);
      if (answer.silence === "Conflict") this.#claimed(answer);
    }
    if (replies.length === 0) return;
    const { left } = this.#sendBy(protocol, replies) ?? { left: 0 };
    const { tally } = this.#options;
    tally[protocol] += left;
    tally.lost += replies.length - left;
  }

  #claimed({ vip, station }: Claim): void {
    const hex = Buffer.from(station).toString("hex");
    const { kindOf, tally, onOverlap } = this.#options;
    const kind = kindOf(hex);
    // Two links of this node on one segment hear each other.
    if (kind === "own") return;
    if (kind === "foreign") tally.conflicts += 1;
    else {
      tally.overlaps += 1;
      const known = this.#vips.get(vip);
      if (known !== undefined) onOverlap(known.text);
    }
    this.#step(vip, { type: "heard", station: hex, isMember: kind === "member" });
  }

  #step(key: string, event: ContestEvent): void {
    const vip = this.#vips.get(key);
    if (vip === undefined) return;
    const { clock, policy, onConflict } = this.#options;
    const known = this.#contests.get(key);
    const now = clock.now();
    const { contest, acts } = step(known?.contest, event, { now, policy: policy() });
    // A timer may fire a moment too early, and then has to be set again though nothing has changed.
    if (contest !== undefined && contest.dueAt === known?.contest.dueAt && event.type !== "due") {
      known.contest = contest;
    } else {
      known?.cancel();
      if (contest === undefined) this.#contests.delete(key);
      else {
        const cancel = clock.after(Math.ceil(contest.dueAt - now), () => this.#step(key, { type: "due" }));
        this.#contests.set(key, { contest, cancel });
      }
    }
    for (const act of acts) {
      if (act === "report") onConflict(vip.text);
      else this.#act(act, key, vip.bytes);
    }
    if (acts.length > 0) this.#speech.work();
  }

  #act(act: Exclude<ContestAct, "report">, key: string, vip: Uint8Array): void {
    switch (act) {
      case "announce":
        this.#speech.urge(vip);
        return;
      case "silence":
        this.#silent.add(key);
        this.#speech.remove(vip);
        return;
      case "probe":
        this.#speech.probe(vip);
        return;
      case "resume":
        this.#silent.delete(key);
        this.#speech.add(vip);
        return;
    }
  }

  /** Undefined: the link is not open. What was refused but for want of room is reported. */
  #sendBy(protocol: "arp" | "ndp", frames: readonly Buffer[]): Sent | undefined {
    const socket = this.#sockets?.[protocol];
    if (socket === undefined) return undefined;
    if (frames.length === 0) return { left: 0, isRefused: false };
    try {
      return { left: socket.send(frames), isRefused: false };
    } catch (error) {
      const problem = problemOf(this.identity.name, error);
      const isRefused = !NO_ROOM.has(problem.code);
      if (isRefused) this.#options.onProblem(problem);
      return { left: 0, isRefused };
    }
  }

  /** A slice at once, the others after the frames that wait meanwhile. */
  #join(): void {
    this.#joining?.();
    this.#joining = undefined;
    const { clock, onProblem } = this.#options;
    const isMore = this.#groups.work(GROUP_SLICE);
    const { refused, error } = this.#groups.report();
    if (!isMore && refused === 0) return;
    if (!isMore) onProblem(problemOf(this.identity.name, error));
    this.#joining = clock.after(isMore ? 0 : GROUP_RETRY_MS, () => {
      if (!isMore) this.#groups.retry();
      this.#join();
    });
  }
}

function problemOf(link: string, error: unknown): LinkProblem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "Unknown";
  return { link, code, message: error instanceof Error ? error.message : String(error) };
}
