/**
 * A client that asks again and again, each time with a new connection, and prints one JSON line for each request:
 * `{"at":ms,"ok":true,"pod":"...","node":"...","client":"...","took":ms}`. Ends at its standard input's end.
 * Usage: probe.ts HOST PORT [EVERY_MS] [TIMEOUT_MS] [FIRST_PORT] [LATE_MS]
 * With FIRST_PORT each request comes from a port of its own, that one and those after it; else the kernel chooses.
 * With LATE_MS a request that failed because its time was over goes on for so long; if it is answered then, it has a second
 * line, with `"late":true`.
 */
import { request } from "node:http";
import { OwnTime } from "#hack/common/own-time.ts";

const [host, port, every = "200", timeout = "1000", firstPort, late = "0"] = process.argv.slice(2);
if (host === undefined || port === undefined) {
  process.stderr.write("usage: probe.ts HOST PORT [EVERY_MS] [TIMEOUT_MS] [FIRST_PORT] [LATE_MS]\n");
  process.exit(2);
}

const time = new OwnTime();
let localPort = firstPort === undefined ? undefined : Number(firstPort);

function ask(): void {
  const at = performance.timeOrigin + performance.now();
  let isLate = false;
  let isOpen = false;
  const tell = (result: object): void => {
    const took = Math.round(performance.timeOrigin + performance.now() - at);
    process.stdout.write(`${JSON.stringify({ at: Math.round(at), ...result, took })}\n`);
  };
  const print = (result: { readonly ok: boolean; readonly error?: string }): void => {
    takeBack();
    if (!isLate) tell(result);
    else if (result.ok) tell({ ...result, late: true });
  };
  let takeBack = time.after(Number(timeout), () => {
    tell({ ok: false, error: `no ${isOpen ? "answer" : "connection"} in ${timeout} ms` });
    isLate = true;
    takeBack = time.after(Number(late), () => asked.destroy());
  });
  const asked = request(
    { host, port: Number(port), agent: false, ...(localPort !== undefined && { localPort }) },
    (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => {
        try {
          print({ ok: true, ...(JSON.parse(body) as object) });
        } catch {
          print({ ok: false, error: `not the echo server: ${body.slice(0, 80)}` });
        }
      });
    },
  );
  if (localPort !== undefined) localPort += 1;
  asked.on("socket", (socket) =>
    socket.once("connect", () => {
      isOpen = true;
    }),
  );
  asked.on("error", (error) => print({ ok: false, error: error.message }));
  asked.end();
}

const timer = setInterval(ask, Number(every));
process.stdin.resume();
process.stdin.on("end", () => {
  clearInterval(timer);
  // What is under way ends by itself, within its time limit.
});
