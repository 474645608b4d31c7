/**
 * What IPVS of one node has for Services, as a text whose length does not grow with them: `genkan explain` compares one
 * Service between nodes by it. Pure.
 *
 * Every port has a number, which is the sum of numbers of its head and its endpoints, and the digest is rows of sums of ports'
 * numbers, all modulo 2^32 (a count sketch). A port adds to one cell of each row, and its forwarding id says to which. So where
 * two nodes' digests are subtracted, the cells of a port hold the difference of its own two numbers, but for rows where another
 * port that differs has the same cell. What three of four rows say alike is believed.
 *
 * What nodes have to have alike is in a number: endpoints, and which of them get new connections. What each has for itself is
 * not: which pods are its own, and how it reaches the others.
 */
import type { ForwardedEndpoint, ForwardedPort } from "#speaker/forwarding/types.ts";
import { FNV_START, finished, walked } from "#speaker/hash.ts";

const ROWS = 4;
/** A power of two. */
const COLUMNS = 128;
const CELLS = ROWS * COLUMNS;
const AGREEING_ROWS = 3;
const CELL_BYTES = 4;

/** Digests that begin otherwise cannot be compared with ours. It changes with anything that a number is made of. */
const FORMAT = "1:";

type Endpoint = Pick<ForwardedEndpoint, "address" | "port" | "isServing" | "weight">;

const numberOf = (words: readonly (string | number)[]): number =>
  finished(walked(FNV_START, words.join(" ")));

/** Of one endpoint of the port that has the id. */
export const endpointNumber = (id: number, { address, port, isServing, weight = 1 }: Endpoint): number =>
  numberOf([id, address, port, isServing ? "serves" : "drains", weight]);

/** The kernel does not have it as it was planned. */
export const unsettledNumber = (id: number): number => numberOf([id, "unsettled"]);

/** A port without endpoints has nothing in IPVS. */
export function portNumber(port: ForwardedPort): number {
  const { id, vip, protocol, scheduler, affinity, thresholds, endpoints } = port;
  if (endpoints.length === 0) return 0;
  const head = [id, vip, protocol, port.port, scheduler, String(affinity)];
  let sum = numberOf([...head, thresholds?.upper ?? 0, thresholds?.lower ?? 0]);
  for (const endpoint of endpoints) sum = (sum + endpointNumber(id, endpoint)) >>> 0;
  return sum;
}

/** The cells of a port, one in each row. */
function cellsOf(id: number): number[] {
  return Array.from(
    { length: ROWS },
    (_, row) => row * COLUMNS + (finished(Math.imul(id, ROWS) + row) & (COLUMNS - 1)),
  );
}

export class Digest {
  readonly #cells: Uint32Array;
  /** Kept until a cell changes: most passes change nothing. */
  #text: string | undefined;

  constructor(cells = new Uint32Array(CELLS)) {
    this.#cells = cells;
  }

  /** Undefined: it is no digest, or one of another format. */
  static parse(text: string): Digest | undefined {
    if (!text.startsWith(FORMAT)) return undefined;
    const bytes = Buffer.from(text.slice(FORMAT.length), "base64");
    if (bytes.length !== CELLS * CELL_BYTES) return undefined;
    return new Digest(Uint32Array.from({ length: CELLS }, (_, at) => bytes.readUInt32LE(at * CELL_BYTES)));
  }

  /** Of the port that has the id; one below 0 takes it away. */
  add(id: number, number: number): void {
    this.#text = undefined;
    // What does not fit into a cell is cut off: all is modulo 2^32.
    for (const at of cellsOf(id)) this.#cells[at] = (this.#cells[at] ?? 0) + number;
  }

  copy(): Digest {
    return new Digest(this.#cells.slice());
  }

  /** How much more the port's number is here than there, modulo 2^32. Undefined: too much else differs to tell. */
  difference(other: Digest, id: number): number | undefined {
    const rows = cellsOf(id).map((at) => ((this.#cells[at] ?? 0) - (other.#cells[at] ?? 0)) >>> 0);
    return rows.find((value) => rows.filter((one) => one === value).length >= AGREEING_ROWS);
  }

  get text(): string {
    this.#text ??= FORMAT + this.#bytes().toString("base64");
    return this.#text;
  }

  #bytes(): Buffer {
    const bytes = Buffer.alloc(CELLS * CELL_BYTES);
    for (const [at, value] of this.#cells.entries()) bytes.writeUInt32LE(value, at * CELL_BYTES);
    return bytes;
  }
}

/** `wanted`: of all that is wanted; `unsettled`: virtual servers that the kernel has otherwise, with whose they are. */
export function settledDigest(
  wanted: Digest,
  unsettled: ReadonlyMap<number, ForwardedPort | undefined>,
): Digest {
  if (unsettled.size === 0) return wanted;
  const settled = wanted.copy();
  for (const [id, port] of unsettled)
    settled.add(id, unsettledNumber(id) - (port === undefined ? 0 : portNumber(port)));
  return settled;
}
