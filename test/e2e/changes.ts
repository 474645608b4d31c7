/** What people change in a cluster that serves: builds, nodes, the mode, and at last whether Genkan is there at all. */
import assert from "node:assert/strict";
import { ANNOTATION_ADDRESSES, CONTROLLER_LEASE, OPERATOR_LEASE } from "#api/names.ts";
import { elect } from "#speaker/plan/elect.ts";
import { NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/e2e/patience.ts";
import {
  address4,
  answered,
  ask,
  clientFor,
  e2e,
  foundOn,
  known,
  lab,
  NODES,
  report,
  stateOf,
  tell,
  untouched,
} from "#test/e2e/suite.ts";
import { requireAnswered, requireLossless, traffic } from "#test/e2e/traffic.ts";

/** The tag of the second build, which the Makefile makes. */
const NEXT = "v0.1.1";
const ADDED = "node4";
/** At a change of the mode no new connection is turned away, and open ones may end (docs/dataplane.md). */
const OPEN_MAY_END = 3;
/** They say who led last; whoever leads next takes them over. */
const LEADER_LEASES: readonly string[] = [CONTROLLER_LEASE, OPERATOR_LEASE];

/** Node -> the build that its speaker says it is. */
async function builds(): Promise<string[]> {
  return [...(await lab().speakers())].map(([node, status]) => `${node} ${status?.build}`);
}

e2e("an upgrade to another build under traffic loses nothing", async () => {
  const before = await builds();
  assert.equal(before.length, NODES.length);
  assert.ok(!before.some((one) => one.endsWith(` ${NEXT}`)), before.join());
  const observed = await traffic("upgrade", known(), {
    cause: async () => {
      await lab().upgrade(NEXT);
      let said = "";
      await until(
        `every speaker to be of build ${NEXT}`,
        async () => {
          const present = await builds();
          if (said !== present.join()) tell(`  ${present.join(", ")}`);
          said = present.join();
          return present.every((one) => one.endsWith(` ${NEXT}`));
        },
        { deadlineMs: 150_000, everyMs: 1_000 },
      );
    },
    forMs: 10_000,
    // What is lost is sent again by TCP; nothing may be lost for good.
    timeoutMs: 5_000,
  });
  await lab().available();
  interface Deployment {
    spec: { template: { spec: { containers: { image: string }[] } } };
  }
  const { spec } = await lab().get<Deployment>(["deployment", "controller", "-n", NAMESPACE]);
  assert.deepEqual(
    spec.template.spec.containers.map(({ image }) => image),
    [`genkan.dev/controller:${NEXT}`],
  );
  assert.deepEqual(await lab().addresses("hello", 2), known());
  const isLossless = [...observed.outages.values()].every(({ failed }) => failed === 0);
  if (!isLossless) await report("requests lost over an upgrade");
  requireLossless(observed);
});

/** An address of the pool that falls to the added node once it is there. */
function shareOfAdded(): string {
  const [, subnet = ""] = /^(.*\.)\d+$/.exec(address4()) ?? [];
  const all = Array.from({ length: 40 }, (_, at) => `${subnet}${210 + at}`);
  const share = all.find((vip) => elect({ vip, candidates: [...NODES, ADDED] }) === ADDED);
  assert.ok(share !== undefined);
  return share;
}

e2e("a node is added: a speaker comes to it and takes its share", async () => {
  const share = shareOfAdded();
  await lab().apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "share", namespace: "default", annotations: { [ANNOTATION_ADDRESSES[0]]: share } },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  assert.deepEqual(await lab().addresses("share", 1), [share]);
  assert.notEqual(await lab().owner(share), ADDED);
  // By itself it gets nothing.
  await patchLoadBalancer({ layer2: { stickiness: "Balanced" } });
  await lab().lab(["node", "add", ADDED]);
  await until(
    "the new node's speaker to be ready",
    async () => {
      const conditions = (await lab().speakers()).get(ADDED)?.conditions ?? [];
      return conditions.some(({ type, status }) => type === "Ready" && status === "True");
    },
    { deadlineMs: 150_000, everyMs: 1_000 },
  );
  await until(`${ADDED} to own ${share}`, async () => (await lab().owner(share)) === ADDED, {
    deadlineMs: 60_000,
    everyMs: 1_000,
  });
  await until(`an answer through ${share}`, async () => (await ask(share)).client === clientFor(share), {
    deadlineMs: 60_000,
  });
  await lab().available();
});

e2e("a node is taken away: its addresses move, and what its speaker said of itself goes", async () => {
  const all = [...known(), shareOfAdded()];
  const observed = await traffic("node removed", all, {
    cause: async () => {
      await lab().lab(["node", "remove", ADDED]);
    },
    forMs: 15_000,
  });
  requireAnswered(observed);
  // Until its report goes, it says of itself what it last said.
  for (const address of all)
    await until(`${address} to be another node's`, async () => (await lab().owner(address)) !== ADDED, {
      deadlineMs: 60_000,
      everyMs: 300,
    });
  await until("the removed node's report to go", async () => !(await lab().speakers()).has(ADDED), {
    deadlineMs: 120_000,
    everyMs: 1_000,
  });
  await lab().available();
});

/** ipMode of every address of Service hello. */
async function modes(): Promise<(string | undefined)[]> {
  interface Service {
    status: { loadBalancer: { ingress?: { ipMode?: string }[] } };
  }
  const { status } = await lab().get<Service>(["service", "hello"]);
  return (status.loadBalancer.ingress ?? []).map(({ ipMode }) => ipMode);
}

async function setMode(mode: "IPVS" | "KubeProxy", ipMode: "Proxy" | "VIP"): Promise<void> {
  await patchLoadBalancer({ forwarding: { mode } });
  await until(`ipMode ${ipMode}`, async () => (await modes()).every((one) => one === ipMode), {
    deadlineMs: 60_000,
    everyMs: 300,
  });
}

async function patchLoadBalancer(spec: object): Promise<void> {
  const patch = JSON.stringify({ spec });
  const argv = ["patch", "loadbalancer", "loadbalancer", "-n", NAMESPACE, "--type=merge", "-p", patch];
  // The controller that judges it may be on its way from one node to another.
  await until(`${patch} to be admitted`, async () => (await lab().kubectl(argv)) !== "", {
    deadlineMs: 60_000,
    everyMs: 1_000,
  });
}

e2e(
  "mode KubeProxy: the addresses stay, kube-proxy forwards, nothing of ours is in the kernel; and back: no new connection is lost",
  async () => {
    const there = await traffic("from IPVS to kube-proxy", known(), {
      cause: async () => {
        await setMode("KubeProxy", "VIP");
        for (const node of NODES) await untouched(node);
      },
      ...{ forMs: 5_000, timeoutMs: 5_000 },
    });
    await answered({ seesClient: false });
    const back = await traffic("from kube-proxy to IPVS", known(), {
      cause: () => setMode("IPVS", "Proxy"),
      ...{ forMs: 10_000, timeoutMs: 5_000 },
    });
    await answered({ seesClient: true });
    requireLossless(there, OPEN_MAY_END);
    requireLossless(back, OPEN_MAY_END);
    assert.deepEqual(await lab().addresses("hello", 2), known());
  },
);

e2e("the LoadBalancer is deleted: nothing is left on any node, foreign state is as it was", async () => {
  const owner = await lab().owner(address4());
  assert.notEqual(await stateOf(owner), foundOn(owner), "there was something to remove");
  const foreground = ["--cascade=foreground", "--timeout=180s"];
  await lab().kubectl(["delete", "loadbalancer", "loadbalancer", "-n", NAMESPACE, ...foreground]);
  for (const node of NODES) assert.equal(await stateOf(node), foundOn(node), node);
  interface Pods {
    items: { metadata: { name: string; labels?: Record<string, string> } }[];
  }
  await until(
    "controllers and speakers to be gone",
    async () => {
      const { items } = await lab().get<Pods>(["pods", "-n", NAMESPACE]);
      return items.every(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === "operator");
    },
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
  // The operator waits for the speakers' last reports before it takes these away.
  await until(
    "what was made beside the pods to be gone",
    async () => {
      const { items } = await lab().get<Pods>(["leases,speakerstatuses,secrets", "-n", NAMESPACE]);
      const left = items.map(({ metadata }) => metadata.name).filter((name) => !LEADER_LEASES.includes(name));
      assert.deepEqual(left, []);
      return true;
    },
    { deadlineMs: 30_000, everyMs: 500 },
  );
});
