/** What is done when: all of it follows from the seed, so that it can be done again. Pure. */
import { drawer } from "#test/seeded.ts";
import { type FaultKind, faultOf } from "./faults.ts";

export interface Planned {
  readonly kind: FaultKind;
  /** The node, and of a pair the other one; neither where the whole cluster is meant. */
  readonly node?: string;
  readonly other?: string;
  readonly lastsMs: number;
}

/** Faults that overlap, and when they begin after the ones before are over and mended. */
export interface Turn {
  /** Milliseconds from the start, as planned: a reboot may take longer than that. */
  readonly at: number;
  readonly faults: readonly Planned[];
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly nodes: readonly string[];
  readonly kinds: readonly FaultKind[];
}

/** After a fault everything has so long to be well again, and then it is looked at for as long. */
export const CALM_MS = 12_000;
/** One turn of so many has two faults at a time. */
const PAIRS = 4;

export function scheduleOf({ seed, minutes, nodes, kinds }: ScheduleOptions): Turn[] {
  const draw = drawer(seed);
  const endMs = minutes * 60_000;
  const turns: Turn[] = [];
  let bag: FaultKind[] = [];
  const take = (): FaultKind => {
    // Each kind once before any comes again.
    if (bag.length === 0) bag = [...kinds];
    const [kind] = bag.splice(draw(bag.length), 1);
    if (kind === undefined) throw new RangeError("no kinds of faults");
    return kind;
  };
  for (let at = CALM_MS; at < endMs - CALM_MS; ) {
    const first = plan(take(), nodes, draw);
    const isPair = draw(PAIRS) === 0 && kinds.length > 1;
    const second = isPair ? plan(take(), nodes, draw) : undefined;
    const isTooMuch = second !== undefined && clash(first, second);
    if (second !== undefined && isTooMuch) bag.push(second.kind);
    const faults = second === undefined || isTooMuch ? [first] : [first, second];
    turns.push({ at, faults });
    at += Math.max(...faults.map(({ lastsMs }) => lastsMs)) + CALM_MS;
  }
  return turns;
}

/** Two that take nodes away would leave too few of three; and what is done by the API cannot be done without it. */
function clash(one: Planned, other: Planned): boolean {
  const [first, second] = [faultOf(one.kind).api, faultOf(other.kind).api];
  const isWithoutApi = (first === "away" || second === "away") && first !== undefined && second !== undefined;
  return isWithoutApi || (takesNode(one) && takesNode(other));
}

const takesNode = ({ kind }: Planned): boolean => faultOf(kind).target !== "none";

function plan(kind: FaultKind, nodes: readonly string[], draw: (count: number) => number): Planned {
  const { target, lasts } = faultOf(kind);
  const [least, most] = lasts;
  const lastsMs = 1_000 * (least + draw(most - least + 1));
  if (target === "none") return { kind, lastsMs };
  const at = draw(nodes.length);
  const node = nodes[at] ?? "";
  if (target === "node") return { kind, node, lastsMs };
  const other = nodes[(at + 1 + draw(nodes.length - 1)) % nodes.length] ?? "";
  return { kind, node, other, lastsMs };
}

/** A fault as a sentence. */
export function wordsOf({ kind, node = "", other = "", lastsMs }: Planned): string {
  const text = faultOf(kind).what.replace("NODE", node).replace("OTHER", other);
  return lastsMs === 0 ? text : `${text} (${lastsMs / 1_000} s)`;
}
