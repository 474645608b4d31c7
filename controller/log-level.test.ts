import { test } from "node:test";
import type { LogLevel } from "#api/log-level.ts";
import { LOADBALANCER_NAME } from "#api/names.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { loadBalancers } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { followLogLevel } from "#controller/log-level.ts";
import { FakeApiServer } from "#test/fakes/api-server.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";
import { until } from "#test/until.ts";

const namespace = "genkan-system";

test("the level follows the LoadBalancer that counts; what is none is info, and without one nothing changes", async () => {
  await using server = await FakeApiServer.start();
  const put = (spec: object, name: string = LOADBALANCER_NAME): unknown =>
    server.put(loadBalancers, { metadata: { name, namespace }, spec } as never);
  const levels: LogLevel[] = [];
  const endpoints: (string | undefined)[] = [];
  const client = createKubeClient(server.connection);
  const stop = new AbortController();
  put({ logLevel: "warn" });
  const following = followLogLevel(
    {
      ...{ client, namespace, clock: new FakeClock(), random: fixedRandom(0.5) },
      log: { ...silentLogger, setLevel: (level) => void levels.push(level) },
      traces: { setEndpoint: (endpoint) => void endpoints.push(endpoint) },
    },
    stop.signal,
  );
  const heard = (...wanted: readonly LogLevel[]): Promise<unknown> =>
    until(wanted.join(), () => levels.join() === wanted.join());
  await heard("warn");
  put({ logLevel: "debug" });
  await heard("warn", "debug");
  put({ logLevel: "debug", tracing: { endpoint: "http://192.0.2.9:4318" } });
  await until("the collector", () => endpoints.at(-1) === "http://192.0.2.9:4318");
  put({ logLevel: "debug", controllerReplicas: 3 });
  await until("no collector any more", () => endpoints.at(-1) === undefined);
  server.remove(loadBalancers, `${namespace}/${LOADBALANCER_NAME}`);
  put({ logLevel: "loud" });
  await heard("warn", "debug", "info");
  stop.abort();
  await following;
  client.close();
});
