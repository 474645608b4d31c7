/**
 * Program in a client: a request every so many milliseconds, each on a connection of its own, until its input ends: a server
 * that greets has answered (echo-server.ts). Arguments: address, port, milliseconds. For each line of its input it prints
 * what came of those that ended since the last one, as a line of JSON (RequestsSeen).
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** Who waits longer than this calls it a failure. */
const PATIENCE_MS = 1_000;
/**
 * The client's ports, one after the other: none is used again within the two minutes for which IPVS remembers its last
 * connection. To a pod that is dead by then, the first packet of the next one is dropped (docs/dataplane.md, "Ports that are
 * used again"), which is another matter than a takeover.
 */
const PORTS = { first: 10_000, last: 65_000 } as const;

export interface RequestsSeen {
  readonly answered: number;
  /** When it was sent, and when it was given up; milliseconds of the clock. */
  readonly failed: readonly { readonly from: number; readonly to: number }[];
}

interface Request {
  readonly host: string;
  readonly port: number;
  readonly localPort: number;
}

function request(to: Request, onEnd: (isAnswered: boolean) => void): void {
  const socket = connect({ ...to });
  const end = (isAnswered: boolean): void => {
    clearTimeout(timer);
    socket
      .removeAllListeners()
      .on("error", () => undefined)
      .destroy();
    onEnd(isAnswered);
  };
  const timer = setTimeout(() => end(false), PATIENCE_MS);
  socket.once("data", () => end(true));
  socket.once("error", () => end(false));
  socket.once("close", () => end(false));
}

if (import.meta.main) {
  const [host = "", port = "", everyMs = ""] = process.argv.slice(2);
  let answered = 0;
  let failed: { from: number; to: number }[] = [];
  let localPort: number = PORTS.first;
  const timer = setInterval(() => {
    const from = Date.now();
    localPort = localPort === PORTS.last ? PORTS.first : localPort + 1;
    request({ host, port: Number(port), localPort }, (isAnswered) => {
      if (isAnswered) answered += 1;
      else failed.push({ from, to: Date.now() });
    });
  }, Number(everyMs));
  const input = createInterface({ input: process.stdin });
  input.on("line", () => {
    const seen: RequestsSeen = { answered, failed };
    [answered, failed] = [0, []];
    process.stdout.write(`${JSON.stringify(seen)}\n`);
  });
  input.on("close", () => clearInterval(timer));
}
