/** The thread that keeps time: answers ARP and NDP while the main thread parses large lists. Wiring only. */
import { parentPort } from "node:worker_threads";
import { systemClock } from "#common/clock.ts";
import { systemRandom } from "#common/random.ts";
import { GroupSocket } from "#speaker/native/group.ts";
import { PacketSocket } from "#speaker/native/packet.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { Responder } from "./responder.ts";

const port = parentPort;
if (port === null) throw new Error("layer2/worker.ts runs as a worker thread only");

const report = (message: FromWorker): void => port.postMessage(message);
const responder = new Responder({
  clock: systemClock,
  random: () => systemRandom.number(),
  open: (request) =>
    new PacketSocket({
      linkIndex: request.linkIndex,
      receive: request.receive,
      onFrames: (frames) => request.onFrames(frames),
      onError: (error) => request.onError(error),
    }),
  openGroups: (linkIndex) => new GroupSocket(linkIndex),
  report,
});

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "update":
      report({
        type: "done",
        sequence: message.sequence,
        problems: responder.update(message.links, message.add, message.remove),
      });
      return;
    case "rule":
      responder.rule(message.rules);
      return;
    case "count":
      report({ type: "counts", sequence: message.sequence, counts: responder.counts() });
      return;
    case "close":
      responder.close();
      port.close();
      return;
  }
});
report({ type: "ready" });
