/** Sessions that begin together, and what they are told first. Real TCP on loopback, time of the test's own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Ear, KEEPALIVE, open, plainTransport, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { until } from "#test/until.ts";
import { createBgp } from "./bgp.ts";
import { ROUTES_A_TURN } from "./table-turns.ts";
import type { Advertisement, WantedSession } from "./types.ts";
import { MessageType } from "./wire/header.ts";
import { decodeUpdate } from "./wire/update.ts";

const ROUTES: readonly Advertisement[] = Array.from({ length: ROUTES_A_TURN + 1 }, (_, at) => ({
  prefix: `198.18.${at >> 8}.${at & 255}/32`,
  communities: [],
  largeCommunities: [],
}));

test("sessions that begin together are told in turns, and End-of-RIB after the last part (RFC 4724)", async (t) => {
  const ears: Ear[] = [];
  const sockets: Socket[] = [];
  const peers = new Map<string, WantedSession>();
  for (const name of ["a", "b", "c"]) {
    const server = createServer((socket) => {
      sockets.push(socket);
      ears.push(new Ear(socket));
      socket.write(Buffer.concat([open(), KEEPALIVE]));
    }).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    peers.set(name, { settings: { ...SETTINGS, name, port }, advertisements: ROUTES });
  }
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const clock = new FakeClock();
  const bgp = createBgp({ clock, transport: plainTransport, listenPort: undefined });
  bgp.reconcile(peers);
  const has = (count: number) => () => bgp.sessions().every((one) => one.prefixesAdvertised === count);
  await until("the sessions", () => bgp.sessions().every(({ state }) => state === "Established"));
  assert.ok(has(0)(), "no turn has passed");
  assert.equal(
    ears.flatMap(({ heard }) => heard.filter(({ type }) => type === MessageType.update)).length,
    0,
  );
  await until("the tables", async () => {
    await clock.advance(1);
    return has(ROUTES.length)();
  });
  await until("the last message", () =>
    ears.every(({ heard }) => {
      const updates = heard
        .filter(({ type }) => type === MessageType.update)
        .map(({ body }) => decodeUpdate(body, { as4: true }));
      const ends = updates.map(({ endOfRib }) => endOfRib !== undefined);
      return ends.indexOf(true) === ends.length - 1 && ends.length > 1;
    }),
  );
  const end = bgp.stop({ mode: "restart" });
  await clock.advance(10_000);
  await end;
});

test("sessions that change together are told of once: who is told looks at all of them", async () => {
  const clock = new FakeClock();
  let told = 0;
  const onChange = (): void => {
    told += 1;
  };
  const bgp = createBgp({ clock, transport: plainTransport, listenPort: undefined, onChange });
  const wanted = ["a", "b", "c"].map((name): [string, WantedSession] => [
    name,
    { settings: { ...SETTINGS, name, port: 9 }, advertisements: [] },
  ]);
  bgp.reconcile(new Map(wanted));
  await Promise.resolve();
  assert.equal(told, 1);
  const end = bgp.stop({ mode: "restart" });
  await clock.advance(10_000);
  await end;
});
