/**
 * Requests to the kernel. The answer lies in the socket when the request's system call returns, so a request is a plain
 * function call and needs no turn of the event loop.
 *
 * Large changes go as batches: many messages in one system call, an acknowledgement asked of the last one only; errors
 * of any of them arrive all the same.
 */
import { AF, SOCK, SOL, Socket, SocketError } from "#speaker/native/socket.ts";
import { readU16, writeU16 } from "./bytes.ts";
import { isErrno, NetlinkError } from "./error.ts";
import { decodeError, decodeMessages, encodeMessage, FLAG, type Message, TYPE } from "./header.ts";

export const PROTOCOL = { route: 0, netfilter: 12, generic: 16 } as const;

const NETLINK_EXT_ACK = 11;
const NETLINK_CAP_ACK = 10;
const NETLINK_GET_STRICT_CHK = 12;
const NETLINK_ADD_MEMBERSHIP = 1;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOCKET_BUFFER_BYTES = 8 << 20;
const RECEIVE_BYTES = 1 << 18;
const SEND_BYTES = 1 << 18;
const DUMP_TRIES = 8;
/** Answers to them have to fit into the socket's buffer, of whatever size that is. */
const GETS_AT_ONCE = 64;
const EAGAIN = 11;

/** What to ask; `attempt` names it in errors. */
export interface Request {
  type: number;
  flags?: number;
  payload: Buffer;
  attempt: string;
}

/** A batch's refusals: index of the request, and why. */
export interface Refused {
  index: number;
  error: NetlinkError;
}

/** Instead of an answer. Most often there is no such thing, which is no error: so it is none before somebody says so. */
export interface Unanswered {
  errno: number;
}

/** Counts what this process writes: a pass that changes nothing must not raise it. */
export interface WriteCounter {
  written: number;
}

/** What a netlink socket needs of the kernel. */
export type Endpoint = Pick<
  Socket,
  "setOption" | "bind" | "send" | "receive" | "startReceiving" | "unref" | "close"
>;

export class NetlinkSocket {
  readonly #socket: Endpoint;
  readonly #buffer = Buffer.allocUnsafe(RECEIVE_BYTES);
  readonly #counter: WriteCounter;
  #sequence = 1;

  /** Throws SocketError. */
  constructor(
    protocol: number,
    counter: WriteCounter = { written: 0 },
    open: (protocol: number) => Endpoint = (number) => new Socket(AF.netlink, SOCK.raw, number),
  ) {
    this.#counter = counter;
    this.#socket = open(protocol);
    try {
      this.#socket.setOption(SOL.netlink, NETLINK_EXT_ACK, 1);
      this.#socket.setOption(SOL.netlink, NETLINK_CAP_ACK, 1);
      if (protocol === PROTOCOL.route) this.#socket.setOption(SOL.netlink, NETLINK_GET_STRICT_CHK, 1);
      this.#enlarge(SO_RCVBUFFORCE);
      this.#enlarge(SO_SNDBUFFORCE);
      this.#socket.bind(netlinkAddress());
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** A change; throws NetlinkError when the kernel refuses. */
  change(request: Request): void {
    this.#counter.written += 1;
    const first = this.#sequence;
    this.#send(this.#encode(request, FLAG.request | FLAG.ack | (request.flags ?? 0)), request.attempt);
    let refused: NetlinkError | undefined;
    const isComplete = this.#collect(first, [request], (_index, error) => {
      refused = error;
    });
    if (refused !== undefined) throw refused;
    if (!isComplete) throw unanswered(request.attempt);
  }

  /** One object. */
  get(request: Request): Message {
    const [answer] = this.#ask(request, FLAG.request | (request.flags ?? 0), false);
    if (!answer) throw new NetlinkError(request.attempt, 2, "no answer");
    return answer;
  }

  /**
   * Many objects by few system calls: what the kernel answers to each request, or the errno for which it does not. A request
   * that was not answered at all has EAGAIN. Payloads are copies.
   */
  gets(requests: readonly Request[]): (Message | Unanswered)[] {
    const answers: (Message | Unanswered)[] = [];
    for (let start = 0; start < requests.length; start += GETS_AT_ONCE) {
      const some = requests.slice(start, start + GETS_AT_ONCE);
      const first = this.#sequence;
      const parts = some.map((request) => this.#encode(request, FLAG.request | (request.flags ?? 0)));
      this.#send(Buffer.concat(parts), some[0]?.attempt ?? "gets");
      const found = new Array<Message | Unanswered | undefined>(some.length);
      for (;;) {
        const datagram = this.#nextOrLost(some[0]?.attempt ?? "gets");
        if (datagram === "lost") continue;
        if (datagram === undefined) break;
        for (const message of datagram) {
          const index = message.sequence - first;
          const request = some[index];
          if (request === undefined) continue;
          if (message.type !== TYPE.error)
            found[index] = { ...message, payload: Buffer.from(message.payload) };
          else if (found[index] === undefined) {
            const { errno } = decodeError(message);
            if (errno !== 0) found[index] = { errno };
          }
        }
      }
      for (const index of some.keys()) answers.push(found[index] ?? { errno: EAGAIN });
    }
    return answers;
  }

  /**
   * All objects, a datagram at a time, so that the caller may do something else between them. What changes meanwhile may
   * be missed, or come twice. The socket can do nothing else until the walk is over or given up; payloads are copies.
   */
  *walk(request: Request): Generator<Message[], void> {
    const sequence = this.#sequence;
    this.#send(this.#encode(request, FLAG.request | FLAG.dump | (request.flags ?? 0)), request.attempt);
    let isOver = false;
    try {
      while (!isOver) {
        const datagram = this.#next(request.attempt);
        if (!datagram) throw new NetlinkError(request.attempt, EAGAIN, "the kernel's answer is not complete");
        const part: Message[] = [];
        for (const message of datagram) {
          if (message.sequence !== sequence) continue;
          if (message.type === TYPE.error || message.type === TYPE.done) {
            isOver = true;
            const { errno, explanation } = message.payload.length ? decodeError(message) : { errno: 0 };
            if (errno !== 0) throw new NetlinkError(request.attempt, errno, explanation);
          } else part.push({ ...message, payload: Buffer.from(message.payload) });
        }
        yield part;
      }
    } finally {
      // Given up half way: the kernel goes on only as far as it is read, and refuses another dump until then.
      while (!isOver) {
        const rest = this.#nextOrLost(request.attempt);
        if (rest === undefined) break;
        isOver = rest !== "lost" && rest.some(({ type }) => type === TYPE.error || type === TYPE.done);
      }
    }
  }

  /** All objects. Starts again when the kernel says that it changed meanwhile; payloads are copies. */
  dump(request: Request): Message[] {
    for (let left = DUMP_TRIES; ; left--) {
      const messages = this.#ask(request, FLAG.request | FLAG.dump | (request.flags ?? 0), true);
      const isInterrupted = messages.some((message) => message.flags & FLAG.dumpInterrupted);
      if (!isInterrupted) return messages.filter((message) => message.type !== TYPE.done);
      if (left <= 1) throw new NetlinkError(request.attempt, 4, `interrupted ${DUMP_TRIES} times`);
    }
  }

  /**
   * Many changes in few system calls. Later ones run though earlier ones were refused. Where answers were lost (the
   * socket's buffer was full of refusals) some refusals are missing in the result: only reading back shows what is there.
   */
  batch(requests: readonly Request[]): Refused[] {
    const refused: Refused[] = [];
    for (let start = 0; start < requests.length; ) {
      const parts: Buffer[] = [];
      let end = start;
      for (let bytes = 0; end < requests.length; end++) {
        const request = requests[end];
        if (!request || (end > start && bytes + request.payload.length + 20 > SEND_BYTES)) break;
        bytes += request.payload.length + 20;
        parts.push(this.#encode(request, FLAG.request | (request.flags ?? 0)));
      }
      const last = parts.at(-1);
      if (last) writeU16(last, readU16(last, 6) | FLAG.ack, 6);
      const firstSequence = this.#sequence - parts.length;
      this.#counter.written += parts.length;
      this.#send(Buffer.concat(parts), requests[start]?.attempt ?? "batch");
      this.#collect(firstSequence, requests.slice(start, end), (index, error) => {
        refused.push({ index: start + index, error });
      });
      start = end;
    }
    return refused;
  }

  /**
   * One nftables transaction: all or nothing. The acknowledgement is asked of the last change inside; the first
   * refusal is thrown.
   */
  transaction(begin: Request, requests: readonly Request[], finish: Request): void {
    if (requests.length === 0) return;
    const all = [begin, ...requests, finish];
    const first = this.#sequence;
    const parts = all.map((request) => this.#encode(request, FLAG.request | (request.flags ?? 0)));
    const last = parts.at(-2);
    if (last) writeU16(last, readU16(last, 6) | FLAG.ack, 6);
    this.#counter.written += requests.length;
    this.#send(Buffer.concat(parts), begin.attempt);
    const failures: NetlinkError[] = [];
    const isComplete = this.#collect(first, all, (_index, error) => failures.push(error), all.length - 2);
    if (failures[0]) throw failures[0];
    if (!isComplete) throw unanswered(begin.attempt);
  }

  /** Joins a multicast group and hands over what is told there. `onLost`: messages were dropped, read everything anew. */
  monitor(groups: readonly number[], onMessages: (messages: Message[]) => void, onLost: () => void): void {
    for (const group of groups) this.#socket.setOption(SOL.netlink, NETLINK_ADD_MEMBERSHIP, group);
    this.#socket.startReceiving({
      batch: 16,
      messageBytes: 1 << 15,
      onMessages(received) {
        if (received.some((message) => message.isCut)) onLost();
        const whole = received.filter((message) => !message.isCut);
        onMessages(whole.flatMap((message) => decodeMessages(message.bytes)));
      },
      onError: onLost,
    });
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.close();
  }

  #enlarge(option: number): void {
    try {
      this.#socket.setOption(SOL.socket, option, SOCKET_BUFFER_BYTES);
    } catch (error) {
      // Without NET_ADMIN reading still works with the default size; changes will say EPERM by themselves.
      if (!(error instanceof SocketError) || error.code !== "EPERM") throw error;
    }
  }

  #encode(request: Request, flags: number): Buffer {
    return encodeMessage({ type: request.type, flags, sequence: this.#sequence++, payload: request.payload });
  }

  #send(bytes: Buffer, attempt: string): void {
    try {
      this.#socket.send([bytes]);
    } catch (error) {
      if (error instanceof SocketError)
        throw new NetlinkError(attempt, error.errno, "send", { cause: error });
      throw error;
    }
  }

  /** The next datagram's messages; undefined when nothing waits. */
  #next(attempt: string): Message[] | undefined {
    try {
      const length = this.#socket.receive(this.#buffer);
      if (length === undefined) return undefined;
      if (length > this.#buffer.length) throw new NetlinkError(attempt, 105, `an answer of ${length} bytes`);
      return decodeMessages(this.#buffer.subarray(0, length));
    } catch (error) {
      if (error instanceof SocketError)
        throw new NetlinkError(attempt, error.errno, "receive", { cause: error });
      throw error;
    }
  }

  #ask(request: Request, flags: number, isDump: boolean): Message[] {
    const sequence = this.#sequence;
    this.#send(this.#encode(request, flags), request.attempt);
    const messages: Message[] = [];
    for (;;) {
      const datagram = this.#next(request.attempt);
      if (!datagram) throw new NetlinkError(request.attempt, EAGAIN, "the kernel's answer is not complete");
      for (const message of datagram) {
        if (message.sequence !== sequence) continue; // left over from a request that failed half way
        if (message.type === TYPE.error || message.type === TYPE.done) {
          const { errno, explanation } = message.payload.length ? decodeError(message) : { errno: 0 };
          if (errno !== 0) throw new NetlinkError(request.attempt, errno, explanation);
          messages.push({ ...message, payload: Buffer.alloc(0) });
          return isDump ? messages : messages.filter(({ type }) => type !== TYPE.error);
        }
        messages.push({ ...message, payload: Buffer.from(message.payload) });
        if (!isDump) return messages;
      }
    }
  }

  /**
   * Reads errors of a batch until nothing waits. False: the acknowledgement of request `ackAt` (the last one unless told)
   * or other answers were lost.
   */
  #collect(
    first: number,
    requests: readonly Request[],
    onRefused: (index: number, error: NetlinkError) => void,
    ackAt = requests.length - 1,
  ): boolean {
    let isAcknowledged = false;
    let isLost = false;
    for (;;) {
      const datagram = this.#nextOrLost(requests[0]?.attempt ?? "batch");
      if (datagram === "lost") {
        isLost = true;
        continue;
      }
      if (!datagram) break;
      for (const message of datagram) {
        const index = message.sequence - first;
        if (message.type !== TYPE.error || index < 0 || index >= requests.length) continue;
        const { errno, explanation } = decodeError(message);
        if (index === ackAt) isAcknowledged = true;
        if (errno !== 0) {
          onRefused(index, new NetlinkError(requests[index]?.attempt ?? "batch", errno, explanation));
          isAcknowledged ||= ackAt !== requests.length - 1; // a refused transaction acknowledges nothing
        }
      }
    }
    return isAcknowledged && !isLost;
  }

  /** "lost": the kernel had more to say than the socket's buffer holds; what was kept comes next (netlink(7)). */
  #nextOrLost(attempt: string): Message[] | "lost" | undefined {
    try {
      return this.#next(attempt);
    } catch (error) {
      if (isErrno(error, "ENOBUFS")) return "lost";
      throw error;
    }
  }
}

const unanswered = (attempt: string): NetlinkError => new NetlinkError(attempt, EAGAIN, "no acknowledgement");

/** struct sockaddr_nl; port id 0: the kernel chooses. */
function netlinkAddress(): Buffer {
  const bytes = Buffer.alloc(12);
  writeU16(bytes, AF.netlink, 0);
  return bytes;
}
