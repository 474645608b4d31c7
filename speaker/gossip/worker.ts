/**
 * The thread that keeps gossip's time: its own sockets and timers, so that the main thread may stand still while it parses
 * large lists; before all ordinary threads of the node where the kernel lets it. Wiring only.
 */
import { parentPort } from "node:worker_threads";
import { systemClock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { systemRandom } from "#common/random.ts";
import { scheduleFirst } from "#speaker/native/datagram.ts";
import type { FromGossipWorker, ToGossipWorker } from "./messages.ts";
import { GossipSession } from "./session.ts";
import { openSockets } from "./sockets.ts";
import { keyringOf } from "./wire/keyring.ts";

const port = parentPort;
if (port === null) throw new Error("gossip/worker.ts runs as a worker thread only");
const COUNT_MS = 5_000;
const GOODBYE_MS = 50;

const post = (message: FromGossipWorker): void => port.postMessage(message);

post({ type: "scheduling", scheduling: scheduleFirst() });

let session: GossipSession | undefined;

async function take(message: ToGossipWorker): Promise<void> {
  switch (message.type) {
    case "open": {
      session?.close();
      session = undefined;
      session = await GossipSession.open({
        ...message.place,
        keys: keyringOf(message.keys),
        clock: systemClock,
        random: systemRandom,
        open: openSockets,
        onChange: (name, state) => post({ type: "changed", name, state }),
        // A copy: with a part of a packet the whole one would be posted.
        onTold: ({ from, bytes, isWhole }) =>
          post({ type: "told", told: { from, bytes: new Uint8Array(bytes), isWhole } }),
        onJoined: () => post({ type: "joined" }),
        // A packet that the kernel did not take is one that was lost.
        onError: () => undefined,
      });
      post({ type: "opened" });
      session.setPeers(message.peers);
      return;
    }
    case "peers":
      session?.setPeers(message.peers);
      return;
    case "keys":
      session?.setKeys(keyringOf(message.keys));
      return;
    case "tell":
      session?.tell(message.telling);
      return;
    case "say":
      session?.say(message.to, message.messages);
      return;
    case "leave":
      session?.leave();
      // Sockets that are closed at once send nothing of what they were just given.
      await systemClock.sleep(GOODBYE_MS);
      session?.close();
      session = undefined;
      post({ type: "left" });
      return;
    case "close":
      session?.close();
      session = undefined;
      return;
    case "end":
      session?.close();
      session = undefined;
      stopCounting();
      post({ type: "ended" });
      port?.close();
      return;
  }
}

let cancelCount = systemClock.after(COUNT_MS, count);
function count(): void {
  if (session !== undefined) post({ type: "counts", counts: session.counts, health: session.health });
  cancelCount = systemClock.after(COUNT_MS, count);
}
const stopCounting = (): void => cancelCount();

/** One after the other: opening takes a moment. */
let last: Promise<void> = Promise.resolve();
port.on("message", (message: ToGossipWorker) => {
  last = last
    .then(() => take(message))
    .catch((error: unknown) => post({ type: "failed", message: errorText(error) }));
});
