/** A peer that is removed is told that its routes go before they go. Real TCP on loopback, time of the test's own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { KEEPALIVE, open, plainTransport, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { type Bgp, createBgp } from "./bgp.ts";
import { GRACEFUL_SHUTDOWN } from "./shutdown.ts";
import type { WantedSession } from "./types.ts";
import { MessageSplitter, MessageType } from "./wire/header.ts";
import { decodeNotification } from "./wire/notification.ts";
import { decodeUpdate } from "./wire/update.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
});

const PREFIX = "192.0.2.1/32";
const GOODBYE_MS = 1_000;
/** What the peer understood, one word for each message that matters here. */
function wordsOf(type: number, body: Buffer): string[] {
  if (type === MessageType.notification) {
    const { code, subcode } = decodeNotification(body);
    return [`notification ${code}/${subcode}`];
  }
  if (type !== MessageType.update) return [];
  const { announced, withdrawn, attributes } = decodeUpdate(body, { as4: true });
  const isGoing = attributes.communities?.includes(GRACEFUL_SHUTDOWN) === true;
  const told = announced.flatMap(({ prefixes }) => prefixes);
  const gone = withdrawn.flatMap(({ prefixes }) => prefixes);
  return [
    ...told.map((prefix) => `${isGoing ? "going" : "told"} ${prefix}`),
    ...gone.map((prefix) => `gone ${prefix}`),
  ];
}

async function established(answer: "greets" | "silent" = "greets") {
  const heard: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const splitter = new MessageSplitter();
    sockets.push(socket);
    socket.on("data", (chunk: Buffer) => {
      for (const { type, body } of splitter.push(chunk)) heard.push(...wordsOf(type, body));
    });
    socket.on("error", () => {});
    if (answer === "greets") socket.write(Buffer.concat([open(), KEEPALIVE]));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const listening = server.address();
  const clock = new FakeClock();
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  const bgp: Bgp = createBgp({ clock, transport: plainTransport, listenPort: undefined, onChange });
  const wanted: WantedSession = {
    settings: {
      ...SETTINGS,
      name: "tor",
      port: typeof listening === "object" && listening !== null ? listening.port : 0,
      connectTimeMs: 1_000,
    },
    advertisements: [{ prefix: PREFIX, communities: [], largeCommunities: [] }],
  };
  const peers = new Map([["tor", wanted]]);
  bgp.reconcile(peers);
  await until("a connection", () => sockets.length === 1);
  if (answer === "greets") await until("the route", () => heard.includes(`told ${PREFIX}`));
  return { bgp, clock, heard, sockets, peers, changes: () => changes };
}

/** Lets the goodbye be said: what is written to the socket goes by the real event loop. */
async function pass(clock: FakeClock, what: string, isTrue: () => boolean): Promise<void> {
  await until(what, async () => {
    await clock.advance(GOODBYE_MS / 4);
    return isTrue();
  });
}

test("a removed peer hears that the routes go, that they are gone, and why; the session is there until then", async () => {
  const { bgp, clock, heard, changes } = await established();
  bgp.reconcile(new Map());
  await until("the community", () => heard.includes(`going ${PREFIX}`));
  assert.deepEqual([bgp.sessions()[0]?.state, [...bgp.leaving()]], ["Established", ["tor"]]);
  assert.ok(!heard.includes(`gone ${PREFIX}`));
  const before = changes();
  await pass(clock, "the end", () => heard.includes("notification 6/3"));
  assert.deepEqual(heard, [`told ${PREFIX}`, `going ${PREFIX}`, `gone ${PREFIX}`, "notification 6/3"]);
  assert.deepEqual([bgp.sessions(), bgp.leaving().size], [[], 0]);
  assert.ok(changes() > before, "whoever shows sessions hears of the end");
});

test("a peer that is wanted again meanwhile is called anew, after the goodbye", async () => {
  const { bgp, clock, heard, sockets, peers } = await established();
  bgp.reconcile(new Map());
  await until("the community", () => heard.includes(`going ${PREFIX}`));
  bgp.reconcile(peers);
  assert.deepEqual([sockets.length, bgp.sessions().length], [1, 1]);
  await pass(clock, "a second session", () => sockets.length === 2 && heard.at(-1) === `told ${PREFIX}`);
  assert.equal(heard.at(-2), "notification 6/3");
  assert.deepEqual([bgp.sessions().length, bgp.leaving().size], [1, 0]);
  const end = bgp.stop({ mode: "leave" });
  await pass(clock, "the end", () => heard.at(-1) === "notification 6/2");
  await end;
});

test("an end of the speaker waits for goodbyes that are under way", async () => {
  const { bgp, clock, heard } = await established();
  bgp.reconcile(new Map());
  const end = bgp.stop({ mode: "restart" }).then(() => heard.push("end"));
  await until("the community", () => heard.includes(`going ${PREFIX}`));
  assert.ok(!heard.includes("end"));
  await pass(clock, "the end", () => heard.includes("notification 6/3"));
  await end;
});

test("a session that is not established has nothing to say goodbye to", async () => {
  const { bgp } = await established("silent");
  bgp.reconcile(new Map());
  assert.deepEqual([bgp.sessions(), bgp.leaving().size], [[], 0]);
});
