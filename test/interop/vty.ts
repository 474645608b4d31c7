/** A daemon of FRR's shell socket, kept open: an answer in about a millisecond, where starting vtysh takes twenty. */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";

/** After the text of an answer: three zero bytes and the command's status. */
const TRAILER_BYTES = 4;

export class Vty implements Disposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
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
    this.#received = Buffer.alloc(0);
    this.#socket.write(`${command}\0`);
    while (!this.#isComplete()) {
      const [data] = await once(this.#socket, "data");
      this.#received = Buffer.concat([this.#received, data]);
    }
    return this.#received.subarray(0, -TRAILER_BYTES).toString();
  }

  async json<T>(command: string): Promise<T> {
    return JSON.parse(await this.ask(command)) as T;
  }

  #isComplete(): boolean {
    const { length } = this.#received;
    return (
      length >= TRAILER_BYTES &&
      this.#received.subarray(length - TRAILER_BYTES, length - 1).every((byte) => byte === 0)
    );
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
