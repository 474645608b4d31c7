/**
 * Program in the client: many flows from fixed source ports, each sending a chunk, waiting for the same bytes to come
 * back, and sending the next. Argument: JSON FlowRequest. Commands on standard input, one a line: "report" prints a
 * FlowReport as one line of JSON; the end of the input prints the last one and ends the program.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { FlowReport, FlowRequest, FlowState } from "#test/dataplane/flows.ts";

const request = JSON.parse(process.argv[2] ?? "{}") as FlowRequest;
const flows: FlowState[] = [];

/** Bytes that belong to this flow and this step alone, so that a mixed-up stream is noticed. */
function chunk(flow: FlowState): Buffer {
  const text = `${flow.address} ${flow.sourcePort} ${flow.echoes};`;
  return Buffer.from(text.repeat(Math.ceil(request.chunkBytes / text.length)).slice(0, request.chunkBytes));
}

function answered(flow: FlowState): void {
  const now = performance.now();
  flow.maxGapMs = Math.max(flow.maxGapMs, now - flow.lastEchoAt);
  flow.lastEchoAt = now;
  flow.echoes++;
}

function greeted(flow: FlowState, line: string): void {
  const [pod = "", client = ""] = line.split(" ");
  if (!flow.pods.includes(pod)) flow.pods.push(pod);
  if (!flow.clients.includes(client)) flow.clients.push(client);
}

function runTcp(flow: FlowState): void {
  const socket = connect({ host: flow.address, port: request.port, localPort: flow.sourcePort });
  socket.setNoDelay(true);
  let pending: Buffer = Buffer.alloc(0);
  let expected: Buffer | undefined;
  const next = (): void => {
    expected = chunk(flow);
    socket.write(expected);
  };
  socket.on("data", (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes]);
    if (flow.pods.length === 0) {
      const end = pending.indexOf("\n");
      if (end < 0) return;
      greeted(flow, pending.toString("utf8", 0, end));
      pending = pending.subarray(end + 1);
      flow.lastEchoAt = performance.now();
      next();
    }
    if (expected === undefined || pending.length < expected.length) return;
    if (!pending.equals(expected)) flow.wrongBytes++;
    pending = Buffer.alloc(0);
    expected = undefined;
    answered(flow);
    setTimeout(next, request.intervalMs);
  });
  const failed = (reason: string): void => {
    flow.failure ??= reason;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
  socket.on("close", () => failed("closed"));
}

function runUdp(flow: FlowState): void {
  const socket = createSocket({
    type: flow.address.includes(":") ? "udp6" : "udp4",
    ipv6Only: flow.address.includes(":"),
  });
  let expected = chunk(flow);
  socket.on("message", (message) => {
    const end = message.indexOf("\n");
    if (!message.subarray(end + 1).equals(expected)) return;
    greeted(flow, message.toString("utf8", 0, end));
    answered(flow);
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    flow.failure ??= error.code ?? error.message;
  });
  socket.bind(flow.sourcePort, () => {
    setInterval(() => {
      expected = chunk(flow);
      flow.sent++;
      socket.send(expected, request.port, flow.address);
    }, request.intervalMs);
  });
}

function report(): FlowReport {
  const now = performance.now();
  return {
    flows: flows.map((flow) => ({
      ...flow,
      silentMs: Math.round(now - flow.lastEchoAt),
      maxGapMs: Math.round(flow.maxGapMs),
    })),
  };
}

for (const target of request.targets) {
  for (let index = 0; index < target.flows; index++) {
    flows.push({
      address: target.address,
      sourcePort: target.firstPort + index,
      pods: [],
      clients: [],
      echoes: 0,
      sent: 0,
      wrongBytes: 0,
      maxGapMs: 0,
      silentMs: 0,
      lastEchoAt: performance.now(),
    });
  }
}
for (const flow of flows) (request.protocol === "TCP" ? runTcp : runUdp)(flow);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "report") process.stdout.write(`${JSON.stringify(report())}\n`);
}
process.stdout.write(`${JSON.stringify(report())}\n`, () => process.exit(0));
