/**
 * The table by which the kernel's scheduler `mh` picks a real server, so that it can be said beforehand which pod a
 * connection goes to. Its keys are constants, the same in every kernel and after every boot; what the table depends on is
 * the list of real servers, their order, and their last weights above 0 (test/dataplane/maglev.test.ts holds all of it to
 * what kernels choose). Pure.
 */
import { parseAddress } from "#api/address.ts";
import { siphash13 } from "#cli/maglev/siphash.ts";

/** Slots of a kernel that was built as its makers propose (IP_VS_MH_TAB_INDEX=12), which distributions keep. */
export const SLOTS = 4_093;

/** How many slots in a row a target may take at most, in bits (IP_VS_MH_TAB_BITS). */
const TURN_BITS = 6;

const KEY = { place: 2_654_435_761n, step: 2_654_446_892n } as const;

export interface Target {
  readonly address: string;
  readonly port: number;
  /** 0: takes nothing new. What it had before it is in the table, too. */
  readonly weight: number;
  /** Of one with weight 0; absent: 1. */
  readonly lastWeight?: number;
}

export interface Flow {
  readonly address: string;
  readonly port: number;
}

/**
 * Slot -> the number of a target. Targets are in the order in which they were added; the kernel puts each before those that
 * it has, so the last one has the first turn. Empty without targets.
 */
export function tableOf(targets: readonly Target[]): Uint16Array {
  const table = new Uint16Array(targets.length === 0 ? 0 : SLOTS);
  const isTaken = new Uint8Array(table.length);
  const slots = slotsInARow(targets.map(({ weight, lastWeight = 1 }) => (weight > 0 ? weight : lastWeight)));
  const turns = targets.map(({ address, port }, number) => {
    const word = wordOf(address, port);
    return {
      at: siphash13(word, KEY.place) % SLOTS,
      step: (siphash13(word, KEY.step) % (SLOTS - 1)) + 1,
      slots: slots[number] ?? 1,
    };
  });
  for (let taken = 0; taken < table.length; ) {
    for (let number = turns.length - 1; number >= 0; number -= 1) {
      const turn = turns[number];
      if (turn === undefined) break;
      for (let left = turn.slots; left > 0 && taken < table.length; left -= 1) {
        while (isTaken[turn.at] === 1) turn.at = (turn.at + turn.step) % SLOTS;
        isTaken[turn.at] = 1;
        table[turn.at] = number;
        taken += 1;
      }
    }
  }
  return table;
}

/** How many slots each takes with each turn (ip_vs_mh.c, ip_vs_mh_gcd_weight, ip_vs_mh_shift_weight): its weight, made small. */
function slotsInARow(weights: readonly number[]): number[] {
  const divisor = weights.reduce(gcd, 0);
  const most = Math.max(...weights) / divisor;
  const shift = Math.max(0, 32 - Math.clz32(most) - TURN_BITS);
  return weights.map((weight) => (weight / divisor) >> shift || 1);
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Which target a new connection goes to; undefined if none takes any. `usesPort`: the flag mh-port. */
export function pick<T extends Target>(
  { table, targets }: { readonly table: Uint16Array; readonly targets: readonly T[] },
  flow: Flow,
  usesPort: boolean,
): T | undefined {
  const port = usesPort ? flow.port : 0;
  const slot = slotOf(wordOf(flow.address, port));
  const first = targets[table[slot] ?? 0];
  if (first === undefined || first.weight > 0) return first;
  // The flag mh-fallback: the next slots, each hashed anew, until one has somebody who takes it.
  for (let tries = 0; tries < SLOTS; tries += 1) {
    const other = targets[table[slotOf(wordOf(flow.address, port, (slot + tries) % SLOTS))] ?? 0];
    if (other !== undefined && other.weight > 0) return other;
  }
  return undefined;
}

const slotOf = (word: number): number => siphash13(word, KEY.place) % SLOTS;

/** What is hashed: the address, of IPv6 its four words folded into one, and the port, as one 32-bit number. */
function wordOf(text: string, port: number, more = 0): number {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`${text} is no address`);
  let folded = 0n;
  for (let rest = address.value; rest > 0n; rest >>= 32n) folded ^= rest & 0xffff_ffffn;
  return (Number(folded) + port + more) >>> 0;
}
