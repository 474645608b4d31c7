/**
 * From the release before this one to this one, and back, on a real cluster under load: addresses of layer 2 and of BGP
 * are asked all the time. One lab; the cases build on each other.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { ROOT } from "#hack/demo/shell.ts";
import { layoutOf, nodeOf } from "#hack/lab/layout.ts";
import { NAMESPACE } from "#test/e2e/installation.ts";
import { INSTANCE, until } from "#test/e2e/patience.ts";
import { answered, ask, bringUp, e2e, known, lab, NODES, remember, takeDown, tell } from "#test/e2e/suite.ts";
import { requireLossless, traffic } from "#test/e2e/traffic.ts";
import { BgpRouter, NODES_ASN, ROUTER_ASN } from "#test/upgrade/bgp-router.ts";
import { ensurePrevious, type Previous } from "#test/upgrade/previous.ts";

/** Who forwards: KubeProxy where this machine is too busy for nodes in a guest. */
const MODE = process.env.FORWARDING === "KubeProxy" ? "KubeProxy" : "IPVS";
const ROUTED = `10.77.${INSTANCE}`;
const layout = layoutOf(INSTANCE);

let previous: Previous;
let router: BgpRouter | undefined;
/** The tag of this checkout's images. */
let current = "";

before(async () => {
  previous = await ensurePrevious(process.env.FROM || undefined);
  current = `v${(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string }).version}`;
  await bringUp(["--forwarding", MODE]);
  await lab().lab(["load-images", ...previous.archives]);
  router = await BgpRouter.start(
    lab(),
    layout.router.v4,
    NODES.map((name) => nodeOf(layout, name).address.v4),
  );
});
after(async () => {
  await router?.[Symbol.asyncDispose]();
  await takeDown();
});

const ours = (kind: string, name: string, spec: object) => ({
  apiVersion: "genkan.dev/v1beta1",
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});

const serviceOf = (name: string, pool: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default", annotations: { "metallb.io/address-pool": pool } },
  spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
});

e2e("the release before this one serves addresses of layer 2 and of BGP", async () => {
  tell(`from ${previous.reference} to this checkout, forwarding by ${MODE}`);
  await lab().upgrade(previous.tag, previous.config);
  const objects = [
    ours("LoadBalancer", "loadbalancer", { controllerReplicas: 2, forwarding: { mode: MODE } }),
    ...(await lab().samples()).filter((object) => !("kind" in object) || object.kind !== "LoadBalancer"),
    ours("AddressPool", "routed", { protocol: "bgp", addresses: [`${ROUTED}.0/24`], autoAssign: false }),
    ours("BGPPeer", "router", {
      ...{ myASN: NODES_ASN, peerASN: ROUTER_ASN, peerAddress: layout.router.v4 },
      ...{ holdTime: "30s", keepaliveTime: "10s", enableGracefulRestart: true },
    }),
    serviceOf("routed", "routed"),
  ];
  await until(
    "the API server to take everything",
    async () => {
      await lab().apply({ apiVersion: "v1", kind: "List", items: objects });
      await lab().kubectl(["apply", "-f", join(ROOT, "hack/demo/echo.yaml")]);
      return true;
    },
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
  await lab().available();
  remember([...(await lab().addresses("hello", 2)), ...(await lab().addresses("routed", 1))]);
  await lab().kubectl(["rollout", "status", "deployment/hello", "--timeout=600s"]);
  await onThreePaths();
  await answered({ seesClient: MODE === "IPVS" });
  await allOf(previous.tag);
});

/** The router sends to all nodes. */
async function onThreePaths(): Promise<void> {
  const address = known().at(-1) ?? "";
  await until(
    `a route to ${address} through all nodes`,
    async () => (await router?.nextHops(address)) === NODES.length,
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
}

/** Every speaker says that it is of the build. */
async function allOf(tag: string): Promise<void> {
  await until(
    `every speaker to be of build ${tag}`,
    async () => {
      const said = [...(await lab().speakers()).values()].map((status) => status?.build);
      return said.length === NODES.length && said.every((build) => build === tag);
    },
    { deadlineMs: 420_000, everyMs: 1_000 },
  );
}

interface Stored {
  readonly items: readonly {
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec?: unknown;
    readonly status?: {
      readonly conditions?: readonly { type: string; status: string; message: string }[];
      readonly loadBalancer?: unknown;
    };
  }[];
}
const KINDS = "loadbalancers.genkan.dev,addresspools.genkan.dev,bgppeers.genkan.dev";

/** What people configured, as the API server has it. */
async function configured(): Promise<unknown[]> {
  const { items } = await lab().get<Stored>([KINDS, "-n", NAMESPACE]);
  return items.map(({ kind, metadata, spec }) => ({ kind, name: metadata.name, spec }));
}

/** By which the kernels know the Services: where they change, connections end. */
async function forwardingIds(): Promise<string[]> {
  const { items } = await lab().get<Stored>(["services", "-n", "default"]);
  return items.flatMap(({ metadata, status }) =>
    (status?.conditions ?? [])
      .filter(({ type }) => /ForwardingId/i.test(type))
      .map(({ message }) => `${metadata.name} ${message}`),
  );
}

async function change(what: string, tag: string, config: string): Promise<void> {
  const [ids, before] = [await forwardingIds(), await lab().addresses("hello", 2)];
  const observed = await traffic(what, known(), {
    cause: async () => {
      await lab().upgrade(tag, config);
      await allOf(tag);
      await lab().available();
    },
    forMs: 15_000,
    // What is lost is sent again by TCP; nothing may be lost for good.
    timeoutMs: 5_000,
  });
  await onThreePaths();
  assert.deepEqual(await lab().addresses("hello", 2), before);
  assert.deepEqual(await forwardingIds(), ids);
  for (const address of known()) assert.notEqual((await ask(address)).pod, "");
  requireLossless(observed);
}

e2e("an upgrade to this release loses no request, and reads what the other one stored", async () => {
  const before = await configured();
  if (MODE === "IPVS") assert.ok((await forwardingIds()).length > 0);
  await change("upgrade", current, join(ROOT, "config"));
  // Defaults of new fields come beside what was there.
  for (const [at, object] of (await configured()).entries())
    assert.partialDeepStrictEqual(object, before[at]);
  const { items } = await lab().get<Stored>([KINDS, "-n", NAMESPACE]);
  for (const { kind, metadata, status } of items) {
    const invalid = status?.conditions?.filter(({ type, status: is }) => type === "Valid" && is !== "True");
    assert.deepEqual(invalid, [], `${kind} ${metadata.name}`);
  }
});

e2e("the way back loses no request either", async () => {
  await change("way back", previous.tag, previous.config);
});
