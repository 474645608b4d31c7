/**
 * Which marks are ours, and for which of them nothing may be marked now: somebody else's service has the mark, or ours is
 * not in the kernel, or without its scheduler.
 */
import { FAMILIES } from "#api/address.ts";
import { elementKey, markOfValue, markValue } from "#speaker/forwarding/elements.ts";
import type { Entries } from "#speaker/forwarding/entries.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import type { Servers } from "#speaker/forwarding/reader.ts";
import type { Refusals } from "#speaker/forwarding/refusals.ts";
import { keyOfServer, markOfKey, parseServerKey, type ServerKey } from "#speaker/forwarding/server-key.ts";
import type { Element } from "#speaker/forwarding/types.ts";
import { isFilling, keyOfParent } from "#speaker/forwarding/virtual-servers.ts";
import type { Wanted } from "#speaker/forwarding/wanted.ts";
import type { ServiceKey } from "#speaker/netlink/ipvs.ts";

export interface MarksOptions {
  readonly kernel: Pick<ForwardingKernel, "servers">;
  readonly wanted: Wanted;
  readonly refusals: Refusals;
  /** Whether an entry beside those in hand is unsettled, as `has` looks for it. */
  readonly isUnsettled: (has: (entries: Entries) => boolean) => boolean;
}

export class Marks {
  /** Recorded in the table, or about to be. */
  readonly own = new Set<number>();
  readonly #options: MarksOptions;
  /** By `markValue`: nothing may be marked with them, and this pass has looked at their elements. */
  readonly #withheld = new Set<string>();
  /** Keys of virtual servers that are wanted, and not there or without their scheduler. */
  readonly #unusable = new Set<ServerKey>();

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** A pass begins. */
  begin(): void {
    this.#withheld.clear();
  }

  /** Of those that are wanted. */
  get areAllUnusable(): boolean {
    return this.#unusable.size > 0 && this.#unusable.size >= this.#options.wanted.servers.size;
  }

  /** As earlier passes found them: ones that were refused, and those that have gone for good. */
  knownUnusable(): ServiceKey[] {
    return this.#serversOf(this.#unusable);
  }

  /** Wanted ones whose mark somebody else's service has. */
  foreign({ foreign }: Servers): ServiceKey[] {
    return this.#serversOf(foreign);
  }

  claim({ wanted }: Servers): void {
    for (const { mark } of wanted.values()) this.own.add(mark);
  }

  /**
   * Marks, by `markValue`, of services that were to go and are there still: they stay recorded as ours, for nobody would
   * know them for ours again.
   */
  lingering({ wanted, present }: Servers): Set<string> {
    const keys = [...present.keys()].filter((key) => !wanted.has(key));
    const answers = keys.length === 0 ? [] : this.#options.kernel.servers.find(keys.map(parseServerKey));
    return marksOf(keys.filter((_, at) => answers[at] !== undefined));
  }

  /**
   * Marks whose elements and services are gone, and wanted no more: whoever has them from now on is somebody else. A mark's
   * service may be part of another portion, and there still.
   */
  release(due: Entries, { present }: Servers, found: ReadonlyMap<string, readonly Element[]>): void {
    const there = marksOf([...present.keys()]);
    for (const element of found.get("marks") ?? []) there.add(elementKey(element));
    const wanted = this.#options.wanted.elements.get("marks");
    for (const key of due.elements.get("marks") ?? [])
      if (!there.has(key) && wanted?.has(key) !== true && !this.#hasMore(key))
        this.own.delete(markOfValue(key));
  }

  #hasMore(value: string): boolean {
    const mark = markOfValue(value);
    const keys = FAMILIES.map((family) => keyOfServer({ family, mark }));
    return this.#options.isUnsettled(({ servers }) => keys.some((key) => servers.has(key)));
  }

  /** Nothing may be marked for them: so what marks is looked at, too. Whether that is more than before. */
  pullIn(due: Entries, servers: readonly ServiceKey[]): boolean {
    const marks = servers.map(({ mark }) => markValue(mark));
    const more = new Set(marks.filter((mark) => !this.#withheld.has(mark)));
    if (more.size === 0) return false;
    for (const mark of more) this.#withheld.add(mark);
    for (const [set, key] of this.#options.wanted.elementsOfMarks(more)) due.addElement(set, key);
    return true;
  }

  /**
   * Nothing may be marked for what is not in the kernel, or without its scheduler. Looks at those that were due; what an
   * earlier pass found of others stands.
   */
  findUnusable({ wanted: due, present, settled }: Servers): ServiceKey[] {
    const { refusals, wanted } = this.#options;
    for (const key of [...this.#unusable]) if (!wanted.servers.has(key)) this.#unusable.delete(key);
    for (const key of settled) this.#unusable.delete(key);
    for (const key of due.keys()) {
      const there = present.get(key);
      const isOff = refusals.has(keyOfParent(key)) && (there === undefined || isFilling(there));
      if (isOff) this.#unusable.add(key);
      else this.#unusable.delete(key);
    }
    return this.#serversOf(this.#unusable);
  }

  /** Those that are wanted. There may be very many, of which none is planned for this: the key says the mark. */
  #serversOf(keys: ReadonlySet<ServerKey>): ServiceKey[] {
    return [...keys].filter((key) => this.#options.wanted.servers.has(key)).map(parseServerKey);
  }
}

export const marksOf = (keys: readonly ServerKey[]): Set<string> =>
  new Set(keys.map((key) => markValue(markOfKey(key))));
