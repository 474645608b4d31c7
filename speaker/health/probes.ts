/**
 * One check of one endpoint on the wire. What the endpoint says is never repeated, only judged: it may be anything, and
 * people read what is reported.
 */
import { createSocket } from "node:dgram";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, isIPv6 } from "node:net";
import type { Cancel, Clock } from "#common/clock.ts";
import type { HealthCheck } from "../known/view.ts";
import { decodeServing, encodeCheckRequest } from "./grpc-health.ts";
import { statusOf } from "./http-status.ts";

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly check: HealthCheck;
}

/** Calls `done` once: with what is wrong, or undefined. The answer ends it without a call. */
export type Probe = (target: ProbeTarget, done: (failure: string | undefined) => void) => Cancel;

/** Ends the attempt; nothing is heard of it any more. */
type Attempt = (target: ProbeTarget, done: (failure: string | undefined) => void) => () => void;

/** A timer that comes so late did so because this process did not run, and the answer may wait to be read. */
const STALL_MS = 50;
/** Octets of an answer in which its status has to be. */
const MOST_HEAD = 1_024;
/** Octets of an answer of gRPC's health service. */
const MOST_MESSAGE = 1_024;

export function createProbe(clock: Pick<Clock, "after" | "now">): Probe {
  return (target, done) => {
    const { kind, timeoutMs } = target.check;
    let isDone = false;
    let end: () => void = () => undefined;
    let cancelTimer: Cancel = () => undefined;
    const stop = (): void => {
      isDone = true;
      cancelTimer();
      end();
    };
    const finish = (failure: string | undefined): void => {
      if (isDone) return;
      stop();
      done(failure);
    };
    const wait = (isAgain: boolean): void => {
      const dueAt = clock.now() + timeoutMs;
      cancelTimer = clock.after(timeoutMs, () => {
        if (!isAgain && clock.now() - dueAt > STALL_MS) wait(true);
        // Who has a port of UDP need not answer.
        else finish(kind === "udp" ? undefined : `no answer within ${timeoutMs} ms`);
      });
    };
    wait(false);
    end = ATTEMPTS[kind](target, finish);
    // It may have failed while it began.
    if (isDone) end();
    return stop;
  };
}

const tcp: Attempt = ({ address, port }, done) => {
  const socket = connect({ host: address, port });
  socket.on("connect", () => done(undefined));
  socket.on("error", (error) => done(failureOf(error)));
  return () => socket.destroy();
};

const http: Attempt = ({ address, port, check }, done) => {
  const host = check.host ?? (isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`);
  const request = `GET ${check.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: genkan\r\nConnection: close\r\n\r\n`;
  let head = "";
  const socket = connect({ host: address, port });
  socket.setEncoding("latin1");
  socket.on("connect", () => socket.write(request));
  socket.on("data", (chunk) => {
    head += chunk;
    const status = statusOf(head);
    if (status === "more" && head.length < MOST_HEAD) return;
    if (typeof status !== "number") done("the answer is not HTTP");
    else done(status >= check.status[0] && status <= check.status[1] ? undefined : `HTTP status ${status}`);
  });
  socket.on("error", (error) => done(failureOf(error)));
  socket.on("end", () => done("the connection ended without an answer"));
  return () => socket.destroy();
};

/** grpc.health.v1.Health/Check, without TLS. */
const grpc: Attempt = ({ address, port, check }, done) => {
  const place = isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
  const session = connectHttp2(`http://${place}`);
  session.on("error", (error) => done(failureOf(error)));
  session.on("close", () => done("the connection ended without an answer"));
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/grpc.health.v1.Health/Check",
    [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
    [constants.HTTP2_HEADER_TE]: "trailers",
  });
  const parts: Buffer[] = [];
  let octets = 0;
  let isRefused = false;
  const look = (headers: { readonly [name: string]: unknown }): void => {
    const status = headers["grpc-status"];
    isRefused ||= headers[":status"] !== undefined && headers[":status"] !== 200;
    isRefused ||= status !== undefined && status !== "0";
  };
  stream.on("response", look);
  stream.on("trailers", look);
  stream.on("data", (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > MOST_MESSAGE) done("the answer is too long");
    else parts.push(chunk);
  });
  // Where the connection failed, the stream may hear of it first.
  stream.on("error", (error) => done(failureOf(error.cause instanceof Error ? error.cause : error)));
  stream.on("end", () => {
    if (isRefused) done("its health service refuses the question");
    else
      done(
        decodeServing(Buffer.concat(parts)) ? undefined : "its health service says that it does not serve",
      );
  });
  stream.end(encodeCheckRequest(check.grpcService));
  return () => session.destroy();
};

const udp: Attempt = ({ address, port }, done) => {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  let isOpen = true;
  socket.on("error", (error) => done(failureOf(error)));
  socket.on("message", () => done(undefined));
  socket.on("connect", () => {
    if (isOpen) socket.send(Buffer.alloc(0));
  });
  socket.connect(port, address);
  return () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
};

const ATTEMPTS: Readonly<Record<HealthCheck["kind"], Attempt>> = { tcp, http, grpc, udp };

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "the connection is reset",
  EHOSTUNREACH: "the host is unreachable",
  ENETUNREACH: "the network is unreachable",
  EPIPE: "the connection ended without an answer",
};

const failureOf = (error: NodeJS.ErrnoException): string =>
  WORDS[error.code ?? ""] ?? `the check cannot be done: ${error.code ?? "unknown"}`;
