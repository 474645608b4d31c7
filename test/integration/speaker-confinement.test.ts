/** A compromised node is one node: what a speaker's token may write, judged by a real API server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  API_VERSION,
  CONTROLLER_LEASE,
  FIELD_MANAGER,
  GOSSIP_SECRET_NAME,
  LABEL_SPEAKER_LEASE,
  OPERATOR_LEASE,
  SPEAKER_NAME,
  speakerLease,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { KubeError } from "#common/kube/error.ts";
import { EventRecorder } from "#common/kube/events.ts";
import {
  bgpPeers,
  events,
  type KubeEvent,
  leases,
  nodes,
  pods,
  roles,
  secrets,
  services,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import { Passwords } from "#speaker/known/passwords.ts";
import { Membership } from "#speaker/membership/membership.ts";
import { Reporter } from "#speaker/report/reporter.ts";
import { FakeGossip } from "#test/fakes/gossip.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { real } from "#test/integration/plane.ts";
import { clientOf } from "#test/integration/tokens.ts";
import { until } from "#test/until.ts";

let world: OperatorWorld;
let operator: OperatorProcess;
/** Of the speaker of node1. */
let speaker: KubeClient;
/** With a token of the same ServiceAccount that is bound to no pod. */
let unbound: KubeClient;

const TENANT = "tenant";
const namespace = NAMESPACE;
const apply = { fieldManager: FIELD_MANAGER.speaker, force: true } as const;

before(async () => {
  world = await OperatorWorld.start(["node1", "node2"]);
  for (const name of ["tor", "other"]) {
    const data = { password: Buffer.from("word").toString("base64") };
    await world.create(secrets, { metadata: { name }, type: "kubernetes.io/basic-auth", data });
  }
  for (const [at, name] of ["tor", WEBHOOK_SECRET_NAME].entries()) {
    const spec = { myASN: 64_512, peerASN: 64_513, peerAddress: `192.0.2.${at}`, passwordSecret: { name } };
    await world.create(bgpPeers, { metadata: { name: `peer-${at}` }, spec });
  }
  operator = world.operator();
  await world.createLoadBalancer();
  await world.playStatus({ desired: 2, ready: 2 });
  await world.plane.namespace(TENANT);
  await world.plane.client.create(services, {
    metadata: { name: "web", namespace: TENANT },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  const account = { namespace, serviceAccount: SPEAKER_NAME };
  speaker = await clientOf(world.plane, { ...account, node: "node1" });
  unbound = await clientOf(world.plane, account);
  for (const name of [speakerLease("node2"), CONTROLLER_LEASE, OPERATOR_LEASE]) {
    if ((await world.get(leases, name)) !== undefined) continue;
    const labels = name === speakerLease("node2") ? { [LABEL_SPEAKER_LEASE]: "node2" } : {};
    await world.create(leases, { metadata: { name, labels }, spec: { holderIdentity: "honest" } });
  }
  await world.create(speakerStatuses, { metadata: { name: "node2" } });
  await world.client.create(events, eventOf("node2"));
  // The API server takes a moment to put a policy in force, and each of them by itself.
  for (const attempt of [NODE2.lease, NODE2.status, NODE2.event]) {
    await until("the policies to be in force", () => isRefusedByPolicy(() => attempt(speaker)));
  }
});

after(async () => {
  speaker?.close();
  unbound?.close();
  await operator?.stop();
  await world?.[Symbol.asyncDispose]();
});

function eventOf(node: string, change: Partial<Draft<KubeEvent>> = {}): Draft<KubeEvent> {
  return {
    metadata: { name: `web.${node}`, namespace: TENANT },
    involvedObject: { apiVersion: "v1", kind: "Service", name: "web", namespace: TENANT },
    type: "Normal",
    reason: "OwnerChanged",
    message: `node ${node} announces 192.0.2.1`,
    source: { component: FIELD_MANAGER.speaker, host: node },
    reportingComponent: FIELD_MANAGER.speaker,
    reportingInstance: node,
    count: 1,
    ...change,
  };
}

const NODE2 = {
  lease: (client: KubeClient) => patchLease(client, speakerLease("node2"), { spec: { holderIdentity: "" } }),
  status: (client: KubeClient) =>
    client.apply(
      speakerStatuses,
      { metadata: { name: "node2", namespace }, status: { addresses: [] } },
      { ...apply, subresource: "status" },
    ),
  event: (client: KubeClient) =>
    client.patch(events, {
      name: "web.node2",
      namespace: TENANT,
      type: "merge",
      body: { count: 7 },
    }),
};

function patchLease(client: KubeClient, name: string, body: unknown): Promise<unknown> {
  return client.patch(leases, { name, namespace, type: "merge", body });
}

/** The API server's words; undefined if it let it pass. */
async function refusal(attempt: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && error.code === 403) return error.message;
    throw error;
  }
}

async function isRefusedByPolicy(attempt: () => Promise<unknown>): Promise<boolean> {
  return /ValidatingAdmissionPolicy/.test((await refusal(attempt)) ?? "");
}

test("a speaker's own writes all pass, by the code that makes them", async () => {
  const common = { ...real, client: speaker, node: "node1", namespace };
  const end = new AbortController();
  const gossip = new FakeGossip();
  const membership = new Membership({ ...common, identity: "speaker-1", gossip, onChange: () => undefined });
  const running = membership.run(end.signal);
  membership.publish({ ready: true, links: [] } as never);
  const renewed = async (): Promise<string | undefined> =>
    (await world.get(leases, speakerLease("node1")))?.spec?.renewTime as string | undefined;
  const first = await until("the Lease", renewed);
  await until("its renewal", async () => (await renewed()) !== first);
  await membership.release();
  end.abort();
  await running;
  assert.equal((await world.get(leases, speakerLease("node1")))?.spec?.holderIdentity, "");

  const reporter = new Reporter({ ...common, nodes: () => 1 });
  for (const address of ["192.0.2.1", "192.0.2.2"]) {
    reporter.report({ addresses: [{ address }], conditions: [] } as never);
    await reporter.write();
  }
  assert.equal((await world.get(speakerStatuses, "node1"))?.status?.addresses?.[0]?.address, "192.0.2.2");

  const recorder = new EventRecorder({
    ...real,
    client: speaker,
    component: FIELD_MANAGER.speaker,
    instance: "node1",
  });
  const targets = [
    { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: TENANT } },
    { apiVersion: API_VERSION, kind: "BGPPeer", metadata: { name: "tor", namespace } },
    { apiVersion: API_VERSION, kind: "SpeakerStatus", metadata: { name: "node1", namespace } },
  ];
  for (const _time of [1, 2]) {
    for (const target of targets)
      recorder.emit(target, { type: "Normal", reason: "NoPacketSocket", message: "m" });
    await recorder.flush();
  }
  assert.equal(recorder.dropped, 0);
  const { items } = await world.client.list(events, {});
  const counts = items.filter(({ reason }) => reason === "NoPacketSocket").map(({ count }) => count);
  assert.deepEqual(counts, [2, 2, 2]);
});

type Attempt = (client: KubeClient) => Promise<unknown>;

const BY_POLICY: Readonly<Record<string, Attempt>> = {
  "takes the Lease of another node": NODE2.lease,
  "makes a Lease for another node": (client) =>
    client.create(leases, {
      metadata: { name: speakerLease("node3"), namespace, labels: { [LABEL_SPEAKER_LEASE]: "node3" } },
      spec: { holderIdentity: "evil" },
    }),
  "makes a Lease of another name with another node's label": (client) =>
    client.create(leases, {
      metadata: { name: "speaker-node1x", namespace, labels: { [LABEL_SPEAKER_LEASE]: "node2" } },
      spec: { holderIdentity: "evil" },
    }),
  "takes the controller's Lease": (client) =>
    patchLease(client, CONTROLLER_LEASE, { spec: { holderIdentity: "evil" } }),
  "takes the operator's Lease": (client) =>
    patchLease(client, OPERATOR_LEASE, { spec: { holderIdentity: "evil" } }),
  "gives its own Lease another node's label": (client) =>
    patchLease(client, speakerLease("node1"), { metadata: { labels: { [LABEL_SPEAKER_LEASE]: "node2" } } }),
  "ties its own Lease to a finalizer": (client) =>
    patchLease(client, speakerLease("node1"), { metadata: { finalizers: ["evil.example/for-ever"] } }),
  "writes the SpeakerStatus of another node": NODE2.status,
  "makes a SpeakerStatus for another node": (client) =>
    client.create(speakerStatuses, { metadata: { name: "node3", namespace } }),
  "counts on another node's Event": NODE2.event,
  "makes another node's Event its own": (client) =>
    client.patch(events, {
      name: "web.node2",
      namespace: TENANT,
      type: "merge",
      body: { source: { host: "node1" }, reportingInstance: "node1" },
    }),
  "makes an Event in another node's name": (client) =>
    client.create(events, eventOf("node2", { metadata: { name: "web.x", namespace: TENANT } })),
  "makes an Event in the controller's name": (client) =>
    client.create(
      events,
      eventOf("node1", { reportingComponent: FIELD_MANAGER.controller, source: { component: "kubelet" } }),
    ),
  "makes an Event about a Pod": (client) =>
    client.create(
      events,
      eventOf("node1", {
        involvedObject: { apiVersion: "v1", kind: "Pod", name: "etcd", namespace: TENANT },
      }),
    ),
  "makes an Event about another node's SpeakerStatus": (client) =>
    client.create(
      events,
      eventOf("node1", {
        metadata: { name: "node2.x", namespace },
        involvedObject: { apiVersion: API_VERSION, kind: "SpeakerStatus", name: "node2", namespace },
      }),
    ),
};

for (const [what, attempt] of Object.entries(BY_POLICY)) {
  test(`refused by policy: a speaker that ${what}`, async () => {
    const words = await refusal(() => attempt(speaker));
    assert.match(words ?? "it passed", /ValidatingAdmissionPolicy '[a-z-]+' with binding/);
    // A rule that cannot be judged refuses as well: that would be chance.
    assert.doesNotMatch(words ?? "", /resulted in error/);
  });
}

test("refused by policy: a token that names no node, whatever it writes", async () => {
  const own: Readonly<Record<string, Attempt>> = {
    lease: (client) => patchLease(client, speakerLease("node1"), { spec: { holderIdentity: "x" } }),
    status: (client) =>
      client.apply(
        speakerStatuses,
        { metadata: { name: "node1", namespace }, status: {} },
        { ...apply, subresource: "status" },
      ),
    event: (client) => client.create(events, eventOf("node1")),
  };
  for (const [what, attempt] of Object.entries(own)) {
    const words = await refusal(() => attempt(unbound));
    assert.match(words ?? "it passed", /names no node/, what);
  }
});

const BY_RIGHTS: Readonly<Record<string, Attempt>> = {
  "reads the webhook's key": (client) => client.get(secrets, WEBHOOK_SECRET_NAME, namespace),
  "lists all Secrets": (client) => client.list(secrets, { namespace }),
  "lists Secrets of all namespaces": (client) => client.list(secrets),
  "removes another node's Lease": (client) => client.remove(leases, speakerLease("node2"), { namespace }),
  "removes another node's SpeakerStatus": (client) => client.remove(speakerStatuses, "node2", { namespace }),
  "removes an Event": (client) => client.remove(events, "web.node2", { namespace: TENANT }),
  "makes a Lease in another namespace": (client) =>
    client.create(leases, { metadata: { name: speakerLease("node1"), namespace: TENANT } }),
  "patches a node": (client) =>
    client.patch(nodes, { name: "node1", type: "merge", body: { metadata: { labels: { x: "y" } } } }),
  "patches a pod": (client) =>
    client.patch(pods, { name: "speaker-on-node1", namespace, type: "merge", body: { metadata: {} } }),
  "patches a Service": (client) =>
    client.patch(services, { name: "web", namespace: TENANT, type: "merge", body: { metadata: {} } }),
  "patches a Service's status": (client) =>
    client.patch(services, {
      name: "web",
      namespace: TENANT,
      subresource: "status",
      type: "merge",
      body: { status: {} },
    }),
};

for (const [what, attempt] of Object.entries(BY_RIGHTS)) {
  test(`refused for want of rights: a speaker that ${what}`, async () => {
    const words = await refusal(() => attempt(speaker));
    assert.match(words ?? "it passed", /forbidden/i);
    assert.doesNotMatch(words ?? "", /ValidatingAdmissionPolicy/);
  });
}

test("nothing of others was changed by all that", async () => {
  for (const name of [speakerLease("node2"), CONTROLLER_LEASE, OPERATOR_LEASE]) {
    const lease = await world.get(leases, name);
    assert.ok((lease?.spec?.holderIdentity ?? "") !== "evil" && lease?.spec?.holderIdentity !== "", name);
  }
  assert.equal(await world.get(leases, speakerLease("node3")), undefined);
  assert.equal(await world.get(speakerStatuses, "node3"), undefined);
  assert.equal((await world.client.get(events, "web.node2", TENANT))?.count, 1);
});

test("a speaker reads the passwords that BGPPeers name, by the code that does, and never the webhook's key", async () => {
  const passwords = new Passwords({ ...real, client: speaker, namespace, onChange: () => undefined });
  const end = new AbortController();
  const running = passwords.run(end.signal);
  passwords.want(["tor", "other", WEBHOOK_SECRET_NAME]);
  await until("the password", () => passwords.get("tor")?.reveal() === "word");
  assert.deepEqual([passwords.get("other"), passwords.get(WEBHOOK_SECRET_NAME)], [undefined, undefined]);
  end.abort();
  await running;
  for (const name of ["other", WEBHOOK_SECRET_NAME]) {
    const fieldSelector = `metadata.name=${name}`;
    const words = await refusal(() => speaker.list(secrets, { namespace, fieldSelector }));
    assert.match(words ?? "it passed", /forbidden/i, name);
  }
  const granted = (await world.get(roles, "genkan-speaker"))?.rules?.filter(({ resources = [] }) =>
    resources.includes("secrets"),
  );
  assert.deepEqual(
    granted?.map(({ resourceNames }) => resourceNames),
    [[GOSSIP_SECRET_NAME], ["tor"]],
  );
});
