/** A daemon of FRR's shell socket, kept open: an answer in about a millisecond, where starting vtysh takes twenty. */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";

/** After the text of an answer: three zero bytes and the command's status. */
const TRAILER_BYTES = 4;

export class Vty implements Disposable {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #onAnswer: (error?: Error) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#received.push(data);
      if (this.#isComplete()) this.#onAnswer();
    });
    socket.on("close", () => this.#onAnswer(new Error("the daemon closed its shell")));
    socket.on("error", (error) => this.#onAnswer(error));
  }

  /** @param path for example "<directory>/bgpd.vty" */
  static async open(path: string): Promise<Vty> {
    const socket = createConnection(path);
    await once(socket, "connect");
    const vty = new Vty(socket);
    await vty.ask("enable");
    return vty;
  }

  /** One command at a time. */
  async ask(command: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#received = [];
    this.#onAnswer = (error) => (error === undefined ? resolve() : reject(error));
    this.#socket.write(`${command}\0`);
    await promise;
    return Buffer.concat(this.#received).subarray(0, -TRAILER_BYTES).toString();
  }

  async json<T>(command: string): Promise<T> {
    return JSON.parse(await this.ask(command)) as T;
  }

  #isComplete(): boolean {
    const end = Buffer.concat(this.#received.slice(-TRAILER_BYTES));
    const zeros = end.subarray(-TRAILER_BYTES, -1);
    return zeros.length === TRAILER_BYTES - 1 && zeros.every((byte) => byte === 0);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
