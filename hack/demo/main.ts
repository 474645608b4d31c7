/**
 * `make demo`: from nothing to a Service that answers and survives the loss of its node, said in plain words.
 * Every step does what a user would do, with the commands that a user has.
 */

import { loadSince, readLoad } from "#hack/common/load.ts";
import { layoutOf } from "#hack/lab/layout.ts";
import { outageLines, type ProbeResult, parseResults, summarize } from "./outage.ts";
import { type Kubectl, lab, labKubectl, ROOT, run, say, step, waitFor } from "./shell.ts";

const NAMESPACE = "genkan-system";
/** What is said of a cut is in outage.ts. After so long without an answer something is broken, on any machine. */
const LOST_MS = 60_000;
/** So often the client asks, milliseconds. */
const ASK_EVERY_MS = 50;
/** To each address, to show who answers. */
const REQUESTS = 24;

interface Service {
  status: { loadBalancer: { ingress?: { ip: string }[] } };
}
interface List<T> {
  items: T[];
}
interface SpeakerStatus {
  metadata: { name: string };
  status?: { addresses?: { address: string; links?: string[] }[] };
}
interface Pod {
  metadata: { name: string };
  spec: { nodeName?: string };
  status: { conditions?: { type: string; status: string }[] };
}

const isReady = (pod: Pod): boolean =>
  pod.status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ??
  false;

/** `flags` are those of the lab's own `up`. */
async function bringUpCluster(flags: readonly string[]): Promise<void> {
  step("The images of Genkan and of a small test server");
  await run([process.execPath, `${ROOT}hack/images/main.ts`, "build"], { onOutput: (text) => say(text) });
  step(
    "A real Kubernetes cluster on this machine: API server, three nodes with kubelets, a router, a client host",
  );
  await lab(["up", ...flags], { onOutput: (text) => say(text) });
  await lab(["load-images"], { onOutput: (text) => say(text) });
}

async function install(kubectl: Kubectl): Promise<void> {
  step("Install Genkan: kubectl apply -k config/default");
  say(await kubectl(["apply", "-k", "config/default"]));
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "loadbalancers.genkan.dev"]);
  step("Configure it: kubectl apply -f config/samples/loadbalancer.yaml -f config/samples/addresspool.yaml");
  say(
    await waitFor(
      "the API server to take the samples",
      () =>
        kubectl(["apply", "-f", "config/samples/loadbalancer.yaml", "-f", "config/samples/addresspool.yaml"]),
      { seconds: 120 },
    ),
  );
  say("The operator sees the LoadBalancer object and creates the controller and a speaker on every node:");
  await waitFor(
    "controller and speakers to be ready",
    async () => {
      const balancer = await kubectl.json<{ status?: { conditions?: { type: string; status: string }[] } }>([
        "get",
        "loadbalancer",
        "loadbalancer",
        "-n",
        NAMESPACE,
      ]);
      const available = balancer.status?.conditions?.find((condition) => condition.type === "Available");
      return available?.status === "True" ? true : undefined;
    },
    { seconds: 600 },
  );
  say(await kubectl(["get", "pods", "-n", NAMESPACE, "-o", "wide"]));
}

async function addressesOf(kubectl: Kubectl): Promise<string[]> {
  const service = await kubectl.json<Service>(["get", "service", "hello"]);
  return service.status.loadBalancer.ingress?.map(({ ip }) => ip) ?? [];
}

async function createService(kubectl: Kubectl): Promise<void> {
  step("A Deployment with 4 pods and a Service of type LoadBalancer: kubectl apply -f hack/demo/echo.yaml");
  say(await kubectl(["apply", "-f", "hack/demo/echo.yaml"]));
  say(await kubectl(["get", "service", "hello"]));
  if ((await addressesOf(kubectl)).length === 0)
    say("Its EXTERNAL-IP is pending: a cluster without a cloud has nobody who gives it one.");
}

async function showService(kubectl: Kubectl): Promise<string[]> {
  step("Now the Service has an address of each family");
  const addresses = await waitFor(
    "the Service to get its addresses",
    async () => {
      const ips = await addressesOf(kubectl);
      return ips.length === 2 ? ips : undefined;
    },
    { seconds: 60 },
  );
  await waitFor(
    "4 pods to be ready",
    async () => {
      const pods = await kubectl.json<List<Pod>>(["get", "pods", "-l", "app=hello"]);
      return pods.items.filter(isReady).length === 4 ? true : undefined;
    },
    { seconds: 180 },
  );
  say(await kubectl(["get", "service", "hello"]));
  say(await kubectl(["get", "pods", "-l", "app=hello", "-o", "wide"]));
  say(await kubectl(["get", "addresspools", "-n", NAMESPACE]));
  return addresses;
}

async function ownerOf(kubectl: Kubectl, address: string, not?: string): Promise<string> {
  return waitFor(
    `a node to own ${address}`,
    async () => {
      const speakers = await kubectl.json<List<SpeakerStatus>>(["get", "speakerstatuses", "-n", NAMESPACE]);
      // Who has just lost it may not have said so yet.
      const owners = speakers.items
        .filter((speaker) => speaker.metadata.name !== not)
        .filter((speaker) => speaker.status?.addresses?.some((owned) => owned.address === address));
      return owners.length === 1 ? owners[0]?.metadata.name : undefined;
    },
    { seconds: 60 },
  );
}

const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Asks `count` times, each with a new connection; a request that failed is a line that is no JSON. */
async function askFromClient(address: string, count: number): Promise<void> {
  const url = `http://${inUrl(address)}/`;
  const ask = (times: number): Promise<string> => {
    const script = 'for i in $(seq "$2"); do curl -sS -m 5 "$1" 2>&1 || true; done';
    return lab(["exec", "client", "--", "sh", "-c", script, "sh", url, String(times)]);
  };
  await waitFor(
    `an answer from ${address}`,
    async () => ((await ask(1)).startsWith("{") ? true : undefined),
    { seconds: 60 },
  );
  const lines = (await ask(count)).trim().split("\n");
  const answers = lines
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Required<Pick<ProbeResult, "pod" | "node" | "client">>);
  const pods = new Map<string, number>();
  for (const { pod, node } of answers) {
    const who = `${pod} on ${node}`;
    pods.set(who, (pods.get(who) ?? 0) + 1);
  }
  const nodes = new Set(answers.map(({ node }) => node));
  const clients = new Set(answers.map(({ client }) => client));
  say(`${answers.length} of ${count} requests to ${url} were answered, from ${nodes.size} nodes, by:`);
  for (const [pod, times] of [...pods].sort()) say(`  ${String(times).padStart(3)} x ${pod}`);
  for (const line of lines.filter((text) => !text.startsWith("{"))) say(`  failed: ${line}`);
  const { client } = layoutOf(0);
  const own = address.includes(":") ? client.v6 : client.v4;
  const seen = [...clients].join(", ");
  if (seen !== own) throw new Error(`the pods saw the client as ${seen}, but it is ${own}`);
  say(`  the pods saw the client as ${seen}: its own address, no NAT between.`);
}

async function loseOwner(kubectl: Kubectl, address: string): Promise<void> {
  const owner = await ownerOf(kubectl, address);
  step(
    `Cut ${owner}, the node that owns ${address}, off the network, while the client asks ${1000 / ASK_EVERY_MS} times a second`,
  );
  const stop = new AbortController();
  let output = "";
  const probe = run(
    [
      process.execPath,
      `${ROOT}hack/lab/main.ts`,
      "exec",
      "client",
      "--",
      process.execPath,
      `${ROOT}hack/demo/probe.ts`,
      address,
      "80",
      String(ASK_EVERY_MS),
    ],
    {
      signal: stop.signal,
      keepsInput: true,
      onOutput: (text) => {
        output += text;
      },
    },
  ).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
    return "";
  });
  try {
    await waitFor(
      "the probe's first answer",
      async () => (parseResults(whole(output)).some((r) => r.ok) ? true : undefined),
      { seconds: 30 },
    );
    const load = await readLoad();
    const cutAt = Number(await lab(["cut", owner]));
    const next = await ownerOf(kubectl, address, owner);
    say(`${next} answers for ${address} now.`);
    const asked = performance.now();
    await waitFor("10 s of requests", async () => (performance.now() - asked > 10_000 ? true : undefined), {
      seconds: 20,
    });
    const outage = summarize(parseResults(whole(output)), cutAt);
    for (const line of outageLines(outage, await loadSince(load))) say(line);
    if (outage.answeredAfter === undefined || outage.answeredAfter > LOST_MS)
      throw new Error(`the address is not answered any more: ${JSON.stringify(outage)}`);
  } finally {
    stop.abort();
    await probe;
    await lab(["mend", owner]);
    say(`${owner} is back on the network.`);
  }
}

/** The probe's last line may be half there. */
const whole = (output: string): string => output.slice(0, output.lastIndexOf("\n") + 1);

async function up(flags: readonly string[]): Promise<void> {
  await bringUpCluster(flags);
  const { kubectl, exports } = await labKubectl();
  await createService(kubectl);
  await install(kubectl);
  const addresses = await showService(kubectl);
  step("Who answers for the addresses on the local network?");
  for (const address of addresses) say(`${address} is owned by ${await ownerOf(kubectl, address)}`);
  step("Requests from the client host, which is behind the router");
  for (const address of addresses) await askFromClient(address, REQUESTS);
  const [first] = addresses;
  if (first !== undefined) await loseOwner(kubectl, first);
  step("The cluster goes on running. To look around:");
  say(exports);
  say("kubectl get loadbalancers,addresspools,speakerstatuses -n genkan-system");
  say(`npm run lab -- exec client -- curl http://${inUrl(first ?? "")}/`);
  say("npm run lab -- status");
  say("make demo-stop        # takes it away again");
}

const [command = "up", ...flags] = process.argv.slice(2);
if (command === "up") await up(flags);
else if (command === "down") await lab(["down"], { onOutput: (text) => process.stdout.write(text) });
else {
  process.stderr.write("usage: hack/demo/main.ts up [flags of the lab]|down\n");
  process.exit(2);
}
