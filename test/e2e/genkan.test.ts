/**
 * The whole of it on a real cluster: what a user does and sees, from an empty cluster to an empty cluster. One lab for
 * the file; the cases build on each other in their order.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseResults, summarize } from "#hack/demo/outage.ts";
import { ROOT } from "#hack/demo/shell.ts";
import { Cluster, NAMESPACE } from "#test/e2e/cluster.ts";
import { until } from "#test/until.ts";

const INSTANCE = 9;
const NODES = ["node1", "node2", "node3"] as const;
/** The tag of the second build, which `make test-e2e` makes. */
const NEXT = "v0.1.1";
/** An address is answered again within this time after its owner is lost. */
const PROMISED_MS = 10_000;

interface Answer {
  readonly pod: string;
  readonly node: string;
  readonly client: string;
}

let cluster: Cluster;
let addresses: string[] = [];
/** What the nodes had of their own, before Genkan. */
const found = new Map<string, string>();

const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Rules, IPVS, sysctls and our table of a node; kube-proxy's own tables change by themselves. */
async function stateOf(node: string): Promise<string> {
  const script =
    "ip rule; ip -6 rule; ip route show table 7077 2>/dev/null; ipvsadm -Sn; nft list tables | grep genkan; " +
    "nft list table inet foreign; " +
    "cd /proc/sys/net/ipv4/vs && grep -H . sloppy_tcp sloppy_sctp conntrack schedule_icmp expire_nodest_conn pmtu_disc; true";
  return cluster.on(node, ["sh", "-c", script]);
}

async function ask(address: string): Promise<Answer> {
  return JSON.parse(
    await cluster.on("client", ["curl", "-sS", "-m", "5", `http://${inUrl(address)}/`]),
  ) as Answer;
}

/** Asks from the client all the time while `cause` happens; sums up what failed after it. */
async function duringProbe(address: string, cause: () => Promise<void>, forMs: number) {
  const stop = new AbortController();
  let output = "";
  const whole = (): string => output.slice(0, output.lastIndexOf("\n") + 1);
  const argv = [process.execPath, join(ROOT, "hack/demo/probe.ts"), address, "80"];
  const probe = cluster
    .on("client", argv, {
      signal: stop.signal,
      keepsInput: true,
      onOutput: (text) => {
        output += text;
      },
    })
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  try {
    await until("the probe's first answer", () => parseResults(whole()).some(({ ok }) => ok), {
      deadlineMs: 30_000,
    });
    const at = Date.now();
    await cause();
    await until("the probe to run long enough", () => Date.now() - at > forMs, {
      deadlineMs: forMs + 10_000,
      everyMs: 200,
    });
    return summarize(parseResults(whole()), at);
  } finally {
    stop.abort();
    await probe;
  }
}

before(async () => {
  cluster = await Cluster.start(INSTANCE);
  for (const node of NODES) {
    await cluster.on(node, [
      "sh",
      "-c",
      // kube-proxy empties IPVS when it starts, whoever made what is in it.
      "for i in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1:10256/livez && break; sleep 0.3; done; " +
        "modprobe -q ip_vs; ipvsadm -A -t 10.1.1.1:80 -s rr; " +
        "nft 'table inet foreign { chain c { tcp dport 9 counter; }; }'; true",
    ]);
    found.set(node, await stateOf(node));
  }
});
after(async () => cluster?.[Symbol.asyncDispose]());

/** A case that, if it fails, shows what the cluster says about it. */
function e2e(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    process.stderr.write(`... ${name}\n`);
    try {
      await body();
    } catch (error) {
      process.stderr.write(`${await cluster.explain()}\n`);
      throw error;
    }
  });
}

e2e("everything applied at once, in any order, ends Available", async () => {
  await cluster.kubectl(["apply", "-k", join(ROOT, "config/default")]);
  const echo = await readFile(join(ROOT, "hack/demo/echo.yaml"), "utf8");
  await cluster.kubectl(["apply", "-f", "-"], { input: echo });
  // The API server takes a moment to serve new kinds; a user's tool would try again too.
  await until(
    "the API server to take our kinds",
    async () => {
      await cluster.configure();
      return true;
    },
    { deadlineMs: 60_000, everyMs: 1_000 },
  );
  await cluster.available();
});

e2e(
  "a Service gets an address of each family and answers from pods on every node, which see the client",
  async () => {
    addresses = await cluster.addresses("hello", 2);
    await cluster.kubectl(["rollout", "status", "deployment/hello", "--timeout=180s"]);
    for (const address of addresses) {
      const answers: Answer[] = [];
      await until(
        `answers from three nodes through ${address}`,
        async () => {
          answers.push(await ask(address));
          return new Set(answers.map(({ node }) => node)).size === 3;
        },
        { deadlineMs: 120_000, everyMs: 50 },
      );
      const client = address.includes(":") ? `fd09:${INSTANCE}::2` : `10.9.${INSTANCE}.2`;
      assert.deepEqual([...new Set(answers.map((answer) => answer.client))], [client]);
    }
  },
);

e2e("the kernel answers no ARP for the address, its owner's speaker does", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const owner = await cluster.owner(v4);
  const said = await cluster
    .on("router", ["arping", "-c", "3", "-w", "5", "-I", "eth0", v4])
    .catch((error: unknown) => String(error));
  const stations = new Set(
    [...said.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map((match) => match[1]?.toLowerCase()),
  );
  const own = /link\/ether (\S+)/.exec(await cluster.on(owner, ["ip", "-o", "link", "show", "eth0"]))?.[1];
  assert.deepEqual([...stations], [own], said);
});

e2e("the owner's speaker is deleted: answered again in time", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const owner = await cluster.owner(v4);
  const outage = await duringProbe(
    v4,
    async () => {
      await cluster.kubectl([
        "delete",
        "pod",
        "-n",
        NAMESPACE,
        "-l",
        "app.kubernetes.io/component=speaker",
        "--field-selector",
        `spec.nodeName=${owner}`,
        "--wait=false",
      ]);
    },
    15_000,
  );
  console.log("speaker deleted:", JSON.stringify(outage));
  assert.ok(outage.answeredAfter !== undefined && outage.answeredAfter < PROMISED_MS, JSON.stringify(outage));
  await cluster.available();
});

e2e("the owner's node is cut off: answered again in time, by another node", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const owner = await cluster.owner(v4);
  try {
    const outage = await duringProbe(
      v4,
      async () => {
        await cluster.lab(["cut", owner]);
      },
      20_000,
    );
    console.log("node cut:", JSON.stringify(outage));
    assert.ok(
      outage.answeredAfter !== undefined && outage.answeredAfter < PROMISED_MS,
      JSON.stringify(outage),
    );
    assert.notEqual(await cluster.owner(v4, owner), owner);
  } finally {
    await cluster.lab(["mend", owner]);
  }
  await cluster.available();
});

e2e("the controllers are killed: addresses stay, and a new Service gets one", async () => {
  await cluster.kubectl([
    "delete",
    "pod",
    "-n",
    NAMESPACE,
    "-l",
    "app.kubernetes.io/component=controller",
    "--grace-period=0",
    "--force",
    "--wait=false",
  ]);
  await cluster.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "late", namespace: "default" },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  const [late = ""] = await cluster.addresses("late", 1);
  assert.ok(!addresses.includes(late));
  assert.deepEqual(await cluster.addresses("hello", 2), addresses);
  await until("an answer from the new Service", async () => (await ask(late)).pod !== "", {
    deadlineMs: 60_000,
  });
});

/** Applies what has to be refused, and returns kubectl's words. */
async function refusalOf(object: object): Promise<string> {
  let words = "";
  await until(
    "the webhook to be served",
    async () => {
      words = await cluster.apply(object).then(
        () => "admitted",
        (error: Error) => error.message,
      );
      return !/failed calling webhook/.test(words);
    },
    { deadlineMs: 60_000, everyMs: 500 },
  );
  return words;
}

e2e("what the configuration gets wrong is refused in one line", async () => {
  const overlapping = await refusalOf({
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: { name: "overlapping", namespace: NAMESPACE },
    spec: { protocol: "layer2", addresses: [`172.30.${INSTANCE}.240/28`] },
  });
  const range = `172\\.30\\.${INSTANCE}\\.200-172\\.30\\.${INSTANCE}\\.250`;
  assert.match(
    overlapping,
    new RegExp(
      `spec\\.addresses\\[0\\]: 172\\.30\\.${INSTANCE}\\.240/28 overlaps ${range} of AddressPool "lab"`,
    ),
  );
  const misnamed = await refusalOf({
    apiVersion: "genkan.dev/v1beta1",
    kind: "LoadBalancer",
    metadata: { name: "another", namespace: NAMESPACE },
    spec: {},
  });
  assert.match(misnamed, /loadbalancer/);
  await cluster.available();
});

e2e("the API server does not answer for a while: what is announced goes on", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const pid = Number(/kube-apiserver \((\d+)\)/.exec(await cluster.lab(["status"]))?.[1]);
  const outage = await duringProbe(
    v4,
    async () => {
      process.kill(pid, "SIGSTOP");
      await sleep(20_000);
      process.kill(pid, "SIGCONT");
    },
    10_000,
  );
  console.log("API server silent for 20 s:", JSON.stringify(outage));
  assert.equal(outage.failed, 0, JSON.stringify(outage));
  await cluster.available();
  assert.deepEqual(await cluster.addresses("hello", 2), addresses);
});

e2e("an upgrade to another build under traffic loses nothing", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const builds = async (): Promise<(string | undefined)[]> =>
    [...(await cluster.speakers()).values()].map((status) => status?.build);
  const before = await builds();
  assert.ok(!before.includes(NEXT), before.join());
  const outage = await duringProbe(
    v4,
    async () => {
      await cluster.upgrade(NEXT);
      await until(
        "every speaker to be of the new build",
        async () => (await builds()).every((one) => one === NEXT),
        {
          deadlineMs: 240_000,
          everyMs: 1_000,
        },
      );
    },
    5_000,
  );
  console.log("upgrade:", JSON.stringify(outage));
  assert.equal(outage.failed, 0, JSON.stringify(outage));
  await cluster.available();
  interface Deployment {
    spec: { template: { spec: { containers: { image: string }[] } } };
  }
  const { spec } = await cluster.get<Deployment>(["deployment", "controller", "-n", NAMESPACE]);
  assert.deepEqual(
    spec.template.spec.containers.map(({ image }) => image),
    [`genkan.dev/controller:${NEXT}`],
  );
  assert.deepEqual(await cluster.addresses("hello", 2), addresses);
});

e2e(
  "a node is added and taken away: its speaker comes and goes, and with it what it says of itself",
  async () => {
    await cluster.lab(["node", "add", "node4"]);
    await until(
      "the new node's speaker to be ready",
      async () => {
        const conditions = (await cluster.speakers()).get("node4")?.conditions ?? [];
        return conditions.some(({ type, status }) => type === "Ready" && status === "True");
      },
      { deadlineMs: 240_000, everyMs: 1_000 },
    );
    const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
    const outage = await duringProbe(
      v4,
      () => cluster.lab(["node", "remove", "node4"]).then(() => {}),
      15_000,
    );
    console.log("node removed:", JSON.stringify(outage));
    assert.ok(
      outage.answeredAfter !== undefined && outage.answeredAfter < PROMISED_MS,
      JSON.stringify(outage),
    );
    await until("the removed node's report to go", async () => !(await cluster.speakers()).has("node4"), {
      deadlineMs: 120_000,
      everyMs: 1_000,
    });
    await cluster.available();
  },
);

/** ipMode of every address of Service hello. */
async function modes(): Promise<(string | undefined)[]> {
  interface Service {
    status: { loadBalancer: { ingress?: { ipMode?: string }[] } };
  }
  const { status } = await cluster.get<Service>(["service", "hello"]);
  return (status.loadBalancer.ingress ?? []).map(({ ipMode }) => ipMode);
}

e2e(
  "mode KubeProxy: the addresses stay, kube-proxy forwards, nothing of ours is in the kernel; and back",
  async () => {
    const setMode = async (mode: string): Promise<void> => {
      const patch = JSON.stringify({ spec: { forwarding: { mode } } });
      const argv = ["patch", "loadbalancer", "loadbalancer", "-n", NAMESPACE, "--type=merge", "-p", patch];
      // A node has just gone: a controller that ran there may still be asked for a moment.
      await until(`the LoadBalancer to take mode ${mode}`, () => cluster.kubectl(argv), {
        deadlineMs: 60_000,
        everyMs: 1_000,
      });
    };
    await setMode("KubeProxy");
    await until("ipMode VIP", async () => (await modes()).every((mode) => mode === "VIP"), {
      deadlineMs: 60_000,
    });
    for (const node of NODES) {
      await until(`nothing of ours on ${node}`, async () => (await stateOf(node)) === found.get(node), {
        deadlineMs: 60_000,
        everyMs: 1_000,
      });
    }
    for (const address of addresses) {
      await until(`an answer through ${address}`, async () => (await ask(address)).pod !== "", {
        deadlineMs: 60_000,
      });
    }
    await setMode("IPVS");
    await until("ipMode Proxy", async () => (await modes()).every((mode) => mode === "Proxy"), {
      deadlineMs: 60_000,
    });
    for (const address of addresses) {
      const client = address.includes(":") ? `fd09:${INSTANCE}::2` : `10.9.${INSTANCE}.2`;
      await until(
        `pods to see the client through ${address}`,
        async () => (await ask(address)).client === client,
        {
          deadlineMs: 60_000,
        },
      );
    }
  },
);

e2e("the LoadBalancer is deleted: nothing is left on any node, foreign state is as it was", async () => {
  await cluster.kubectl(["delete", "loadbalancer", "loadbalancer", "-n", NAMESPACE, "--timeout=180s"]);
  for (const node of NODES) assert.equal(await stateOf(node), found.get(node), node);
  interface Pods {
    items: { metadata: { name: string; labels?: Record<string, string> } }[];
  }
  await until(
    "controllers and speakers to be gone",
    async () => {
      const { items } = await cluster.get<Pods>(["pods", "-n", NAMESPACE]);
      return items.every(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === "operator");
    },
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
});
