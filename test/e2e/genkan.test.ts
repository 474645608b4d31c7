/**
 * The whole of it on a real cluster: what a user does and sees, from an empty cluster to an empty cluster. One lab for
 * the file; the cases build on each other in their order.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseResults, summarize } from "#hack/demo/outage.ts";
import { ROOT } from "#hack/demo/shell.ts";
import { Cluster, NAMESPACE } from "#test/e2e/cluster.ts";
import { until } from "#test/until.ts";

const INSTANCE = 9;
const NODES = ["node1", "node2", "node3"] as const;
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
    "ip rule; ip -6 rule; ip route show table 7077 2>&1; ipvsadm -Sn; nft list tables | grep genkan; " +
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
      "modprobe -q ip_vs; ipvsadm -A -t 10.1.1.1:80 -s rr; nft add table inet foreign; true",
    ]);
    found.set(node, await stateOf(node));
  }
});
after(async () => cluster?.[Symbol.asyncDispose]());

test("everything applied at once, in any order, ends Available", async () => {
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

test("a Service gets an address of each family and answers from pods on every node, which see the client", async () => {
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
});

test("the kernel answers no ARP for the address, its owner's speaker does", async () => {
  const [v4 = ""] = addresses.filter((address) => !address.includes(":"));
  const owner = await cluster.owner(v4);
  const said = await cluster
    .on("router", ["arping", "-c", "3", "-w", "5", "-I", "eth0", v4])
    .catch((error: unknown) => String(error));
  const stations = new Set(
    [...said.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map((match) => match[1]?.toLowerCase()),
  );
  const own = (await cluster.on(owner, ["cat", "/sys/class/net/eth0/address"])).trim().toLowerCase();
  assert.deepEqual([...stations], [own], said);
});

test("the owner's speaker is deleted: answered again in time", async () => {
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

test("the owner's node is cut off: answered again in time, by another node", async () => {
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

test("the controllers are killed: addresses stay, and a new Service gets one", async () => {
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

test("what the configuration gets wrong is refused in one line", async () => {
  await cluster.available();
  const refused = await cluster
    .apply({
      apiVersion: "genkan.dev/v1beta1",
      kind: "AddressPool",
      metadata: { name: "overlapping", namespace: NAMESPACE },
      spec: { protocol: "layer2", addresses: [`172.30.${INSTANCE}.240/28`] },
    })
    .then(
      () => "admitted",
      (error: Error) => error.message,
    );
  assert.match(
    refused,
    new RegExp(
      `spec\\.addresses\\[0\\]: 172\\.30\\.${INSTANCE}\\.240/28 overlaps 172\\.30\\.${INSTANCE}\\.200-172\\.30\\.${INSTANCE}\\.250 of AddressPool "lab"`,
    ),
  );
});

test("the LoadBalancer is deleted: nothing is left on any node, foreign state is as it was", async () => {
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
