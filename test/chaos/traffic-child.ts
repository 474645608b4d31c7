/**
 * A client that asks each address of its arguments five times a second, each time by a new connection, and keeps a
 * connection open to each, over which it sends a few octets twice a second and waits for them to come back. Prints lines of
 * JSON: a Request or a Loss (judge.ts), or `{"opened": ...}` for each connection that was opened.
 */
import { request } from "node:http";
import { connect } from "node:net";
import type { Loss, Request } from "./judge.ts";

const ASK_EVERY_MS = 200;
const ASK_TIMEOUT_MS = 3_000;
const SEND_EVERY_MS = 500;
/** Longer than TCP needs to send again what was lost while an address moved. */
const SILENT_MS = 30_000;
const FLOWS = 3;
const PORT = 80;

const now = (): number => Math.round(performance.timeOrigin + performance.now());
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function ask(vip: string): void {
  const at = now();
  let isTold = false;
  const tell = (isAnswered: boolean, error?: string): void => {
    if (isTold) return;
    isTold = true;
    const told: Request = { vip, at, isAnswered, took: now() - at, ...(error !== undefined && { error }) };
    print(told);
  };
  const options = { host: vip, port: PORT, agent: false, signal: AbortSignal.timeout(ASK_TIMEOUT_MS) };
  const asked = request(options, (response) => {
    response.resume();
    response.on("end", () => tell(response.statusCode === 200, `status ${response.statusCode}`));
    response.on("error", (error) => tell(false, error.message));
  });
  asked.on("error", (error) => tell(false, error.message));
  asked.end();
}

/** Opened again a second after it was lost, or could not be opened. */
function keep(vip: string, number: number): void {
  let sentAt = now();
  let heardAt = now();
  let isOpen = false;
  let isOver = false;
  const socket = connect({ host: vip, port: PORT });
  const lose = (error: string): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(timer);
    socket.destroy();
    const loss: Loss = { flow: `${number} to ${vip}`, at: now(), error };
    if (isOpen) print(loss);
    setTimeout(() => keep(vip, number), 1_000);
  };
  const timer = setInterval(() => {
    if (now() - heardAt > SILENT_MS) {
      lose(`silent for ${SILENT_MS / 1_000} s`);
      return;
    }
    if (!isOpen || heardAt < sentAt) return;
    sentAt = now();
    socket.write(`no request ${sentAt}\n`);
  }, SEND_EVERY_MS);
  socket.setNoDelay(true);
  socket.on("connect", () => {
    socket.write("no request\n");
  });
  socket.on("data", () => {
    if (!isOpen) print({ opened: `${number} to ${vip}`, at: now() });
    isOpen = true;
    heardAt = now();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => lose(error.code ?? error.message));
  socket.on("close", () => lose("closed"));
}

const vips = process.argv.slice(2);
for (const [at, vip] of vips.entries()) {
  setTimeout(() => setInterval(() => ask(vip), ASK_EVERY_MS), (ASK_EVERY_MS * at) / vips.length);
  for (let flow = 1; flow <= FLOWS; flow += 1) keep(vip, flow);
}
