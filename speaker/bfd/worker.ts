/**
 * The thread that keeps BFD's time: its own sockets and timer, so that the main thread may stand still while it parses
 * large lists; before all ordinary threads of the node where the kernel lets it. Wiring only.
 */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "#common/clock.ts";
import { systemRandom } from "#common/random.ts";
import { scheduleFirst, ThreadTimer } from "#speaker/native/datagram.ts";
import { Engine } from "./engine.ts";
import type { BfdWorkerData, FromBfdWorker, ToBfdWorker } from "./messages.ts";
import { forwardsIpv4, isConnected, linkIndex, Ports } from "./ports.ts";
import type { BfdScheduling } from "./types.ts";

const port = parentPort;
if (port === null) throw new Error("bfd/worker.ts runs as a worker thread only");
const data = workerData as BfdWorkerData;

const post = (message: FromBfdWorker): void => port.postMessage(message);

const scheduling: BfdScheduling = data.fifo ? scheduleFirst() : { class: "normal", reason: "not wanted" };
const ports = new Ports({
  random: systemRandom,
  receive: (isMultihop, datagram) => engine.receive(isMultihop, datagram),
  receiveEcho: (discriminator) => engine.receiveEcho(discriminator),
});
const timer = new ThreadTimer(() => engine.wake());
const engine = new Engine({
  random: systemRandom,
  scheduling,
  policy: data.policy,
  io: {
    now: systemClock.now,
    date: systemClock.date,
    arm: (ms) => timer.arm(ms),
    defer: (fn) => setImmediate(fn),
    after: (ms, fn) => systemClock.after(ms, fn),
    drain: () => ports.drain(),
    listen: (kinds) => ports.listen(kinds),
    admit: (admitted) => ports.admit(admitted),
    openWire: (peer) => ports.openWire(peer),
    openEcho: (peer, link, discriminator) => ports.openEcho(peer, link, discriminator),
    loopsEcho: forwardsIpv4,
    linkIndex,
    isConnected,
    post,
  },
});
post({ type: "scheduling", scheduling });

port.on("message", (message: ToBfdWorker) => {
  switch (message.type) {
    case "reconcile":
      engine.reconcile(message.peers);
      return;
    case "adminDown":
      engine.adminDown(() => post({ type: "adminDown" }));
      return;
    case "close":
      // Everything of ours is closed before the thread ends, so that no poll outlives its loop.
      engine.close();
      timer.close();
      post({ type: "closed" });
      port.close();
      return;
  }
});
