/**
 * Checks this node's endpoints, tells the other speakers by gossip which of them fail, and takes what they tell of
 * theirs. Wiring around checker.ts and reports.ts.
 */
import type { Cancel, Clock } from "#common/clock.ts";
import type { Logger } from "#common/log.ts";
import type { Random } from "#common/random.ts";
import type { GossipThread } from "../gossip/gossip.ts";
import { isUp, type Told } from "../gossip/types.ts";
import { GossipError } from "../gossip/wire/error.ts";
import type { HealthView } from "../known/view.ts";
import type { CheckedEndpoint } from "../plan/checks.ts";
import { Checker } from "./checker.ts";
import type { Probe } from "./probes.ts";
import { HOLDS_MS, Reports, type Word } from "./reports.ts";
import { decodeReport, encodeReport, portionsOf } from "./wire.ts";

export interface HealthOptions {
  /** Name of this node. */
  readonly node: string;
  readonly clock: Pick<Clock, "after" | "now" | "date">;
  readonly random: Pick<Random, "number">;
  readonly log: Logger;
  readonly probe: Probe;
  readonly gossip: Pick<GossipThread, "addNews" | "view">;
  readonly isMember: (node: string) => boolean;
  /** An endpoint of some node fails, or does so no longer. */
  readonly onChange: () => void;
}

/** What is said is said again after so long. */
const AGAIN_MS = HOLDS_MS / 3;
/** What changes within so long is told in one message. */
const TOGETHER_MS = 10;
/** A new speaker tells what it found after so long: until then the others keep what the one before it said. */
const FIRST_MS = 5_000;
/** How often it is looked for what has not been said again. */
const EXPIRY_MS = 2_000;
/** Who comes is told, but all that come together at once. */
const COMER_MS = 500;

export class Health {
  readonly #options: HealthOptions;
  readonly #reports = new Reports();
  readonly #checker: Checker<CheckedEndpoint>;
  readonly #run: number;
  #number = 0;
  /** What is to be told: by place. */
  #news = new Map<string, Word>();
  #cancelNews: Cancel | undefined;
  #cancelAgain: Cancel | undefined;
  #cancelExpiry: Cancel | undefined;
  #targets: readonly CheckedEndpoint[] = [];
  #up: ReadonlySet<string> = new Set();

  constructor(options: HealthOptions) {
    const { clock, random, probe, log } = options;
    this.#options = options;
    this.#run = clock.date().getTime();
    this.#checker = new Checker({
      ...{ clock, random, probe },
      onChange: (target, isFailing) => {
        const { service, address, port } = target;
        log.info(isFailing ? "an endpoint fails its checks" : "an endpoint fails its checks no longer", {
          ...{ event: "endpointChecked", service, address, port, isFailing },
        });
        this.#say(target.places.map((place) => ({ ...place, isFailing })));
      },
    });
  }

  /** For one pass: what has changed is told once. */
  takeView(): HealthView {
    return this.#reports.takeView();
  }

  /** What this node is to check. */
  set(targets: readonly CheckedEndpoint[]): void {
    if (targets === this.#targets) return;
    const isFirst = this.#targets.length === 0;
    this.#targets = targets;
    this.#checker.set(targets);
    if (targets.length === 0) return;
    if (isFirst) this.#sayAgainIn(FIRST_MS);
  }

  /** Whom gossip hears may have changed: who has come knows nothing of this node's endpoints yet. */
  meet(): void {
    const members = [...this.#options.gossip.view.members];
    const up = new Set(members.filter(([, heard]) => isUp(heard)).map(([name]) => name));
    const hasComers = !up.isSubsetOf(this.#up);
    this.#up = up;
    if (hasComers && this.#failing().length > 0) this.#sayAgainIn(COMER_MS);
  }

  /** What a member told. Octets that are no report are passed over: they may be those of a later release. */
  hear({ from, bytes }: Told): void {
    const { log, node, isMember, gossip } = this.#options;
    try {
      const report = decodeReport(bytes);
      // Nobody else speaks for this node.
      if (report.node === node || !isMember(report.node)) return;
      if (!this.#reports.hear(report, this.#options.clock.now())) return;
      // Where there are many, not all of them hear it from its speaker.
      gossip.addNews([bytes], false);
    } catch (error) {
      if (!(error instanceof GossipError)) throw error;
      log.debug("what a member tells of endpoints cannot be read", { member: from, error: error.message });
    }
    this.#settle();
  }

  /** For /debug/plan. */
  describe(): { readonly checked: number; readonly failing: readonly object[] } {
    const failing = [...this.#checker.failing()].map(({ target: { service, address, port }, why }) => ({
      ...{ service, address, port, why },
    }));
    return { checked: this.#checker.size, failing };
  }

  close(): void {
    this.#targets = [];
    this.#checker.close();
    for (const cancel of [this.#cancelNews, this.#cancelAgain, this.#cancelExpiry]) cancel?.();
  }

  #say(words: readonly Word[]): void {
    for (const word of words) this.#news.set(`${word.id} ${word.address} ${word.port}`, word);
    this.#cancelNews ??= this.#options.clock.after(TOGETHER_MS, () => {
      this.#cancelNews = undefined;
      const news = [...this.#news.values()];
      this.#news = new Map();
      this.#send(news);
    });
    // This node itself need not wait.
    this.#reports.hear(this.#report(words), this.#options.clock.now());
    this.#settle();
  }

  #report(words: readonly Word[]) {
    this.#number += 1;
    return { node: this.#options.node, run: this.#run, number: this.#number, words };
  }

  #send(words: readonly Word[]): void {
    const { node, gossip } = this.#options;
    const news = portionsOf(words, node).map((portion) => encodeReport(this.#report(portion)));
    gossip.addNews(news, true);
    this.#sayAgainIn(AGAIN_MS);
  }

  #failing(): Word[] {
    return [...this.#checker.failing()].flatMap(({ target }) =>
      target.places.map((place) => ({ ...place, isFailing: true })),
    );
  }

  /** Not again while nothing fails. */
  #sayAgainIn(ms: number): void {
    this.#cancelAgain?.();
    this.#cancelAgain = this.#options.clock.after(ms, () => {
      this.#cancelAgain = undefined;
      const words = this.#failing();
      this.#reports.hear(this.#report(words), this.#options.clock.now());
      this.#settle();
      if (words.length > 0 || ms === FIRST_MS) this.#send(words);
    });
  }

  #settle(): void {
    const { clock, onChange } = this.#options;
    if (!this.#reports.isEmpty) {
      this.#cancelExpiry ??= clock.after(EXPIRY_MS, () => {
        this.#cancelExpiry = undefined;
        this.#reports.expire(clock.now());
        this.#settle();
      });
    }
    if (this.#reports.hasChanged) onChange();
  }
}
