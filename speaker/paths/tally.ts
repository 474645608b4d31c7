/**
 * Answers of other nodes -> which ways lose what. Nothing is said of a node that does not answer small packets: it is
 * down, or does not answer at all. Pure.
 */
import { firstOf } from "#api/and-more.ts";
import type { Trouble } from "#speaker/apply.ts";
import { gravest } from "#speaker/gravest.ts";

/** A packet as large as the way's links carry; a question by IPv6 multicast. */
export type Kind = "large" | "multicast";

/** What became of one question and of a small packet to the same node, asked at the same time. */
export interface Answer {
  /** Name of the node. */
  readonly node: string;
  /** The address that was asked. */
  readonly address: string;
  readonly kind: Kind;
  /** Bytes of the large packet. */
  readonly bytes: number;
  readonly hasSmall: boolean;
  readonly has: boolean;
}

/** So many in a row are lost, or arrive, before that is said: single packets get lost everywhere. */
const LOST_IN_ROW = 5;
const HAS_IN_ROW = 3;
/** Most nodes that a message names. */
const NAMED = 5;

interface Way {
  lost: number;
  arrived: number;
  isLost: boolean;
  answer: Answer;
}

export class PathTally {
  #ways = new Map<string, Way>();

  /** All answers of one round; ways that were not asked in it are forgotten. */
  see(answers: readonly Answer[]): void {
    const ways = new Map<string, Way>();
    for (const answer of answers) {
      const key = `${answer.kind} ${answer.address}`;
      ways.set(key, next(this.#ways.get(key), answer));
    }
    this.#ways = ways;
  }

  /** Something was lost and is asked for again at once, to know soon. */
  get isInDoubt(): boolean {
    return this.#ways.values().some(({ lost, isLost }) => lost > 0 && !isLost);
  }

  get trouble(): Trouble<"LargePacketsLost" | "MulticastLost"> | undefined {
    const lost = [...this.#ways.values()].filter(({ isLost }) => isLost).map(({ answer }) => answer);
    const of = (kind: Kind): Answer[] => lost.filter((answer) => answer.kind === kind);
    return gravest<"LargePacketsLost" | "MulticastLost">(
      [largeLost(of("large")), multicastLost(of("multicast"))].filter((one) => one !== undefined),
    );
  }
}

function next(before: Way | undefined, answer: Answer): Way {
  const { lost = 0, arrived = 0, isLost = false } = before ?? {};
  if (!answer.hasSmall) return { lost: 0, arrived: 0, isLost, answer };
  if (answer.has) {
    const now = arrived + 1;
    return { lost: 0, arrived: now, isLost: isLost && now < HAS_IN_ROW, answer };
  }
  return { lost: lost + 1, arrived: 0, isLost: isLost || lost + 1 >= LOST_IN_ROW, answer };
}

function nodesOf(answers: readonly Answer[]): string {
  return firstOf([...new Set(answers.map(({ node, address }) => `${node} (${address})`))].sort(), NAMED);
}

function largeLost(answers: readonly Answer[]): Trouble<"LargePacketsLost"> | undefined {
  if (answers.length === 0) return undefined;
  const bytes = Math.max(...answers.map((answer) => answer.bytes));
  return {
    reason: "LargePacketsLost",
    message: `the MTU of the network is too small: packets of ${bytes} bytes, as large as the links here allow, do not reach ${nodesOf(answers)}, small ones do, and no ICMP error says why. Lower the MTU of the nodes' links to what the network carries, or let ICMP errors through`,
  };
}

function multicastLost(answers: readonly Answer[]): Trouble<"MulticastLost"> | undefined {
  if (answers.length === 0) return undefined;
  return {
    reason: "MulticastLost",
    message: `IPv6 multicast does not reach ${nodesOf(answers)}: neighbour solicitations to its group get no answer, other packets do. Look at MLD snooping of the switch between: it needs a querier, and must learn the groups that nodes report`,
  };
}
