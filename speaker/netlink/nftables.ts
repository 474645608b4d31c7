/**
 * nftables by nfnetlink (linux/netfilter/nf_tables.h): elements of named sets and maps, and what is needed to see whether
 * the rest of our table is as it was made. Chains and rules are made by the nft program.
 */
import { attribute, attributes, eachAttribute } from "./attribute.ts";
import { type Codec, DecodeError, raw, text, u32be } from "./bytes.ts";
import { isErrno, NetlinkError, NOT_THERE } from "./error.ts";
import { FLAG } from "./header.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const SUBSYSTEM = 10;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const MESSAGE = {
  getTable: 1,
  removeTable: 2,
  getChain: 4,
  getRule: 7,
  getSet: 10,
  newElements: 12,
  getElements: 13,
  removeElements: 14,
  getGeneration: 16,
  getObject: 19,
} as const;
const FAMILY_INET = 1;
const HEADER = 4;
/** Lists have 16 bits of length. An element is at most about 100 bytes. */
const ELEMENTS_PER_MESSAGE = 400;

const data = attributes({ value: [1, raw] });
const element = attributes({ key: [1, data], value: [2, data], flags: [3, u32be], keyEnd: [10, data] });
const generation = attributes({ id: [1, u32be] });
const table = attributes({ name: [1, text], userdata: [6, raw] });
const chain = attributes({ table: [1, text], name: [3, text], hook: [4, raw], policy: [5, u32be] });
const rule = attributes({ table: [1, text], chain: [2, text], expressions: [4, raw], userdata: [7, raw] });
const OBJECT_COUNTER = 1;
const object = attributes({
  table: [1, text],
  name: [2, text],
  type: [3, u32be],
  data: [4, attributes({ packets: [2, raw] })],
});
const set = attributes({ table: [1, text], name: [2, text], flags: [3, u32be], keyLength: [5, u32be] });

/** Keys and values are raw bytes as hex: each part of a concatenation padded to 4 bytes. */
export interface SetElement {
  key: string;
  keyEnd?: string;
  value?: string;
}

/** struct nfgenmsg: family u8, version u8, resource id u16 in network order. */
function header(family: number, resource = 0): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUInt8(family, 0);
  bytes.writeUInt16BE(resource, 2);
  return bytes;
}

function body(payload: Buffer): Buffer {
  if (payload.length < HEADER) throw new DecodeError(`an nftables message of ${payload.length} bytes`);
  return payload.subarray(HEADER);
}

const type = (message: number): number => (SUBSYSTEM << 8) | message;

export const elementCodec: Codec<SetElement> = {
  encode: (value) =>
    element.encode({
      key: { value: Buffer.from(value.key, "hex") },
      ...(value.value === undefined ? {} : { value: { value: Buffer.from(value.value, "hex") } }),
      ...(value.keyEnd === undefined ? {} : { keyEnd: { value: Buffer.from(value.keyEnd, "hex") } }),
    }),
  decode(bytes) {
    const decoded = element.decode(bytes);
    const key = decoded.key?.value;
    if (!key) throw new DecodeError("an element without a key");
    const { value, keyEnd } = decoded;
    return {
      key: key.toString("hex"),
      ...(keyEnd?.value === undefined ? {} : { keyEnd: keyEnd.value.toString("hex") }),
      ...(value?.value === undefined ? {} : { value: value.value.toString("hex") }),
    };
  },
};

/** A rule as far as it matters for comparing: its expressions as bytes, its comment. */
export interface ReadRule {
  chain: string;
  expressions: string;
  comment?: string;
}

/** Everything of one table of the inet family. */
export class NftTable {
  readonly #socket: NetlinkSocket;
  readonly #walker: Pick<NetlinkSocket, "walk">;
  readonly name: string;
  /** Each of them raises the kernel's generation by one. */
  #commits = 0;

  /** `walker`: a socket of its own, which may be in the middle of a list while the other one works. */
  constructor(socket: NetlinkSocket, name: string, walker: Pick<NetlinkSocket, "walk"> = socket) {
    this.#socket = socket;
    this.#walker = walker;
    this.name = name;
  }

  /** Rises with every change of anybody to any table of this namespace. */
  generation(): number {
    const payload = header(0);
    const answer = this.#socket.get({
      type: type(MESSAGE.getGeneration),
      payload,
      attempt: "get nftables generation",
    });
    return generation.decode(body(answer.payload)).id ?? 0;
  }

  /** Undefined: there is no such table. The comment is what `comment "..."` in the table says. */
  read(): { comment?: string } | undefined {
    const payload = Buffer.concat([header(FAMILY_INET), table.encode({ name: this.name })]);
    try {
      const answer = this.#socket.get({
        type: type(MESSAGE.getTable),
        payload,
        attempt: `get table ${this.name}`,
      });
      const { userdata } = table.decode(body(answer.payload));
      const comment = userdata && commentOf(userdata);
      return comment === undefined ? {} : { comment };
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  exists(): boolean {
    return this.read() !== undefined;
  }

  /** Names and hooks of chains, in the kernel's order. */
  chains(): { name: string; hook: string }[] {
    return this.#list(MESSAGE.getChain, Buffer.alloc(0), "chains")
      .map((payload) => chain.decode(payload))
      .filter((decoded) => decoded.table === this.name)
      .map(({ name = "", hook, policy }) => ({ name, hook: `${hookOf(hook)} ${policy ?? ""}` }));
  }

  rules(): ReadRule[] {
    return this.#list(MESSAGE.getRule, rule.encode({ table: this.name }), "rules")
      .map((payload) => rule.decode(payload))
      .filter((decoded) => decoded.table === this.name)
      .map(({ chain: name = "", expressions, userdata }) => {
        const comment = userdata && commentOf(userdata);
        return {
          chain: name,
          expressions: expressions?.toString("hex") ?? "",
          ...(comment === undefined ? {} : { comment }),
        };
      });
  }

  sets(): string[] {
    return this.#list(MESSAGE.getSet, set.encode({ table: this.name }), "sets")
      .map((payload) => set.decode(payload))
      .filter((decoded) => decoded.table === this.name && !decoded.name?.startsWith("__"))
      .map(({ name = "" }) => name);
  }

  elements(name: string): SetElement[] {
    return this.#list(MESSAGE.getElements, this.#setName(name), `elements of ${name}`).flatMap(
      decodeElements,
    );
  }

  /** The same part by part; nothing of a set that is not there. */
  *walk(name: string): Generator<readonly SetElement[], void> {
    const payload = Buffer.concat([header(FAMILY_INET), this.#setName(name)]);
    const attempt = `list elements of ${name} of table ${this.name}`;
    try {
      const request = { type: type(MESSAGE.getElements), payload, attempt };
      for (const part of this.#walker.walk(request))
        yield part.flatMap((answer) => decodeElements(body(answer.payload)));
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }

  /** Single ones by key, in the order of the keys; undefined where there is none. */
  find(name: string, keys: readonly Pick<SetElement, "key" | "keyEnd">[]): (SetElement | undefined)[] {
    const requests = keys.map(({ key, keyEnd }) => ({
      type: type(MESSAGE.getElements),
      payload: encodeElements(this.name, name, [{ key, ...(keyEnd !== undefined && { keyEnd }) }]),
      attempt: `get element ${key} of ${name} of table ${this.name}`,
    }));
    return this.#socket.gets(requests).map((answer, at) => {
      if ("payload" in answer) return decodeElements(body(answer.payload))[0];
      if (NOT_THERE.includes(answer.errno)) return undefined;
      throw new NetlinkError(requests[at]?.attempt ?? "get elements", answer.errno);
    });
  }

  /** Another number once anybody has changed nftables but by `change` of this object. */
  epoch(): number {
    return (this.generation() - this.#commits) >>> 0;
  }

  /** Packets that named counters have seen, by name. */
  counters(): Map<string, number> {
    const request = object.encode({ table: this.name, type: OBJECT_COUNTER });
    const counters = this.#list(MESSAGE.getObject, request, "counters").map((payload) =>
      object.decode(payload),
    );
    return new Map(
      counters
        .filter((decoded) => decoded.table === this.name)
        .map(({ name = "", data }) => [name, Number(data?.packets?.readBigUInt64BE() ?? 0n)]),
    );
  }

  /** In one transaction: first what goes, then what comes. Throws NetlinkError, and then nothing has changed. */
  change(changes: {
    readonly remove: ReadonlyMap<string, readonly SetElement[]>;
    readonly add: ReadonlyMap<string, readonly SetElement[]>;
  }): void {
    const requests = [
      ...[...changes.remove].flatMap(([name, elements]) => this.#elements("remove", name, elements)),
      ...[...changes.add].flatMap(([name, elements]) => this.#elements("add", name, elements)),
    ];
    this.#transaction(requests, `change elements of table ${this.name}`);
  }

  /** With everything in it. */
  remove(): void {
    const payload = Buffer.concat([header(FAMILY_INET), table.encode({ name: this.name })]);
    const attempt = `remove table ${this.name}`;
    this.#transaction([{ type: type(MESSAGE.removeTable), payload, attempt }], attempt);
  }

  #setName(name: string): Buffer {
    return Buffer.concat([attribute(1, text.encode(this.name)), attribute(2, text.encode(name))]);
  }

  #transaction(requests: readonly Request[], attempt: string): void {
    if (requests.length === 0) return;
    const frame = { payload: header(0, SUBSYSTEM), attempt };
    this.#socket.transaction({ type: BATCH_BEGIN, ...frame }, requests, { type: BATCH_END, ...frame });
    this.#commits += 1;
  }

  #elements(verb: "add" | "remove", name: string, elements: readonly SetElement[]): Request[] {
    const requests: Request[] = [];
    for (let start = 0; start < elements.length; start += ELEMENTS_PER_MESSAGE) {
      requests.push({
        type: type(verb === "add" ? MESSAGE.newElements : MESSAGE.removeElements),
        flags: verb === "add" ? FLAG.create : 0,
        payload: encodeElements(this.name, name, elements.slice(start, start + ELEMENTS_PER_MESSAGE)),
        attempt: `${verb} elements of ${name}`,
      });
    }
    return requests;
  }

  #list(message: number, request: Buffer, what: string): Buffer[] {
    const payload = Buffer.concat([header(FAMILY_INET), request]);
    const attempt = `list ${what} of table ${this.name}`;
    try {
      return this.#socket
        .dump({ type: type(message), payload, attempt })
        .map((answer) => body(answer.payload));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }
}

export function encodeElements(tableName: string, name: string, elements: readonly SetElement[]): Buffer {
  const items = elements.map((value) => attribute(1 | 0x8000, elementCodec.encode(value)));
  return Buffer.concat([
    header(FAMILY_INET),
    attribute(1, text.encode(tableName)),
    attribute(2, text.encode(name)),
    attribute(3 | 0x8000, Buffer.concat(items)),
  ]);
}

export function decodeElements(payload: Buffer): SetElement[] {
  const items: SetElement[] = [];
  eachAttribute(payload, (number, list) => {
    if (number !== 3) return;
    eachAttribute(list, (_type, item) => items.push(elementCodec.decode(item)));
  });
  return items;
}

/** Hook number and priority of a chain's nested hook attribute; nothing for a chain without a hook. */
function hookOf(hook: Buffer | undefined): string {
  if (!hook) return "";
  const values: string[] = [];
  eachAttribute(hook, (number, value) => {
    if (number <= 2) values.push(value.toString("hex"));
  });
  return values.join(" ");
}

/** nft's user data: records of type u8, length u8, value; type 0 of tables and rules is the comment. */
function commentOf(userdata: Buffer): string | undefined {
  for (let at = 0; at + 2 <= userdata.length; ) {
    const length = userdata.readUInt8(at + 1);
    if (userdata.readUInt8(at) === 0) return text.decode(userdata.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return undefined;
}
