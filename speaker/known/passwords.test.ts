import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeClient } from "#common/kube/client.ts";
import { secrets } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";
import { Passwords } from "./passwords.ts";

async function start() {
  const server = await FakeApiServer.start();
  const clock = new FakeClock();
  const client = createKubeClient(server.connection, { clock });
  let changes = 0;
  const passwords = new Passwords({
    client,
    namespace: "n",
    clock,
    random: fixedRandom(0.5),
    log: silentLogger,
    onChange: () => {
      changes += 1;
    },
  });
  const stop = new AbortController();
  const running = passwords.run(stop.signal);
  return {
    server,
    clock,
    passwords,
    changes: () => changes,
    stop: async () => {
      stop.abort();
      await running;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const secret = (name: string, password: string, type = "kubernetes.io/basic-auth") => ({
  metadata: { name, namespace: "n" },
  type,
  data: { password: Buffer.from(password).toString("base64") },
});

test("only Secrets that are wanted are asked for, each by its name", async () => {
  await using world = await start();
  const { server, passwords } = world;
  for (const name of ["tor", "spine", "webhook"]) server.put(secrets, secret(name, `of ${name}`));
  passwords.want(["tor", "spine"]);
  await passwords.settled();
  assert.deepEqual(
    ["tor", "spine", "webhook"].map((name) => passwords.get(name)?.reveal()),
    ["of tor", "of spine", undefined],
  );
  const asked = server.requests.map(({ query }) => query.get("fieldSelector"));
  assert.ok(asked.every((selector) => /^metadata\.name=(tor|spine),type=/.test(selector ?? "")));
});

test("a password that changes is told, one that is wanted no longer is forgotten", async () => {
  await using world = await start();
  const { server, passwords } = world;
  server.put(secrets, secret("tor", "first"));
  passwords.want(["tor"]);
  await passwords.settled();
  await until("the watch to stand", () => server.watches === 1);
  const before = world.changes();
  server.put(secrets, secret("tor", "second"));
  await until("the new password", () => passwords.get("tor")?.reveal() === "second");
  assert.ok(world.changes() > before);
  passwords.want([]);
  assert.equal(passwords.get("tor"), undefined);
  await until("the watch to end", () => server.watches === 0);
  assert.equal(passwords.report(), undefined);
});

test("one that is not granted holds up nobody, and comes once it is", async () => {
  await using world = await start();
  const { server, clock, passwords } = world;
  server.put(secrets, secret("tor", "word"));
  server.inject({ type: "status", code: 403 }, () => true, 1_000);
  passwords.want(["tor"]);
  const settled = passwords.settled();
  await until("a refusal", () => (passwords.report()?.counts.errors ?? 0) > 0);
  await clock.advance(1_000);
  await settled;
  assert.equal(passwords.get("tor"), undefined);
  server.heal();
  await until("the password", async () => {
    await clock.advance(5_000);
    return passwords.get("tor")?.reveal() === "word";
  });
});

test("after the end nothing is watched any more", async () => {
  await using world = await start();
  world.server.put(secrets, secret("tor", "word"));
  world.passwords.want(["tor"]);
  await world.passwords.settled();
  await world.stop();
  world.passwords.want(["other"]);
  await until("all watches to end", () => world.server.watches === 0);
  assert.equal(world.passwords.get("other"), undefined);
});
