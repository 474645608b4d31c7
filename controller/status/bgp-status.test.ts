import { test } from "node:test";
import { systemClock } from "#common/clock.ts";
import { createKubeClient, type KubeClient } from "#common/kube/client.ts";
import { type BGPPeer, bgpPeers, type SpeakerStatus, speakerStatuses } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { runBgpStatus } from "#controller/status/bgp-status.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

const namespace = "genkan-system";

test("a session that goes and comes back during a write is established in the end", async () => {
  await using server = await FakeApiServer.start();
  const client = createKubeClient(server.connection);
  let gate: Promise<void> | undefined;
  let held = 0;
  const slow: KubeClient = {
    ...client,
    patch: async (resource, request) => {
      held += 1;
      await gate;
      held -= 1;
      return client.patch(resource, request);
    },
  };
  await client.create(bgpPeers, {
    metadata: { name: "tor", namespace },
    spec: { peerAddress: "192.0.2.1", peerASN: 64_500, myASN: 64_501 } as unknown as BGPPeer["spec"],
  });
  await client.create(speakerStatuses, { metadata: { name: "n1", namespace } });
  const tell = (state: string) =>
    client.patch(speakerStatuses, {
      name: "n1",
      subresource: "status",
      namespace,
      type: "merge",
      body: {
        status: { bgpSessions: [{ peer: "tor", address: "192.0.2.1", state }] },
      } as unknown as Partial<SpeakerStatus>,
    });
  const stop = new AbortController();
  const running = runBgpStatus(
    { client: slow, clock: systemClock, random: fixedRandom(), log: silentLogger, namespace },
    stop.signal,
  );
  const established = async (): Promise<number | undefined> => {
    return (await client.get(bgpPeers, "tor", namespace))?.status?.establishedSessions;
  };
  await tell("Established");
  await until("the session to be reported", async () => (await established()) === 1);
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  await tell("Idle");
  await until("the write of the loss to be on its way", () => held > 0);
  await tell("Established");
  gate = undefined;
  opened.resolve();
  // The loss lands, and is put right.
  await until("the loss to land and the session to be reported again", async () => {
    const count = await established();
    return count === 1 && held === 0 && server.requests.filter(isStatusOfPeer).length >= 3;
  });
  stop.abort();
  await running;
  client.close();
});

const isStatusOfPeer = ({ method, path }: { method: string; path: string }): boolean =>
  method === "PATCH" && path.includes("/bgppeers/tor");
