/**
 * No right that is not used: operator, controller and a speaker run with the tokens of their ServiceAccounts from the
 * installation to the removal, and what the API server's audit log says that they asked is compared with what they are
 * granted. A right that none of it used, and a request that was refused, fail here.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CONTROLLER_NAME,
  FIELD_MANAGER,
  OPERATOR_NAME,
  SPEAKER_NAME,
  speakerLease,
  WEBHOOK_CONFIGURATION_NAME,
} from "#api/names.ts";
import { EventRecorder } from "#common/kube/events.ts";
import {
  addressPools,
  bfdProfiles,
  bgpPeers,
  clusterRoles,
  daemonSets,
  endpointSlices,
  events,
  leases,
  loadBalancers,
  nodes,
  pods,
  type Resource,
  roles,
  secrets,
  services,
  speakerStatuses,
  validatingAdmissionPolicies,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { managedSelector } from "#operator/children/child.ts";
import { type Asked, Audit } from "#test/integration/audit.ts";
import { ControllerProcess } from "#test/integration/controller-process.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { real } from "#test/integration/plane.ts";
import { type Right, rightsOf, usedBy, wordsOf } from "#test/integration/rights.ts";
import { changeAllChildren } from "#test/integration/strangers.ts";
import { clientOf, kubeconfigOf } from "#test/integration/tokens.ts";
import { SpeakerProcess } from "#test/layer2/speaker-process.ts";
import { BRIDGE_ADDRESS, Bridge, vip4 } from "#test/network/bridge.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 60_000, everyMs: 50 };
/** An Event is written well within this time. */
const EVENT_MS = 10_000;
const TENANT = "tenant";
const namespace = NAMESPACE;

const ROLES = {
  operator: { serviceAccount: OPERATOR_NAME, roleName: "genkan-operator" },
  controller: { serviceAccount: CONTROLLER_NAME, roleName: "genkan-controller" },
  speaker: { serviceAccount: SPEAKER_NAME, roleName: "genkan-speaker" },
} as const;
type RoleName = keyof typeof ROLES;
const userOf = (role: RoleName): string => `system:serviceaccount:${namespace}:${ROLES[role].serviceAccount}`;

/** Nobody reads metrics here: metrics-access.test.ts does. */
const READERS = {
  "create tokenreviews (authentication.k8s.io)": "asks whose token a reader of metrics shows",
  "create subjectaccessreviews (authorization.k8s.io)": "asks whether he may read them",
};

/** Rights that this run does not use, and why they are there. */
const UNUSED: Readonly<Record<RoleName, Readonly<Record<string, string>>>> = {
  operator: {
    "create events in genkan-system": "somebody keeps writing what it makes: operator-contention tests",
    "patch events in genkan-system": "the same event once more",
    "patch loadbalancers (genkan.dev) in genkan-system":
      "takes off the finalizer of an older release: operator-removal.test.ts",
    "update loadbalancers/finalizers (genkan.dev) in genkan-system":
      "where OwnerReferencesPermissionEnforcement is on, asked by that plugin",
    ...READERS,
  },
  controller: READERS,
  speaker: READERS,
};

let world: OperatorWorld;
let audit: Audit;
let bridge: Bridge;
let operator: OperatorProcess;
const granted = new Map<RoleName, Right[]>();
let asked: Asked[] = [];

before(async () => {
  bridge = new Bridge();
  audit = await Audit.create(Object.keys(ROLES).map((role) => userOf(role as RoleName)));
  world = await OperatorWorld.start([], { address: BRIDGE_ADDRESS, apiServerFlags: audit.flags });
  await world.plane.namespace(TENANT);
});

after(async () => {
  await operator?.stop();
  await world?.[Symbol.asyncDispose]();
  await audit?.[Symbol.asyncDispose]();
  bridge?.[Symbol.dispose]();
});

async function configure(): Promise<void> {
  await world.create(addressPools, {
    metadata: { name: "pool" },
    spec: { protocol: "layer2", addresses: [`${vip4(200)}-${vip4(210)}`] },
  });
  await world.create(bfdProfiles, { metadata: { name: "slow" }, spec: { receiveInterval: 1_000 } });
  const data = { password: Buffer.from("word").toString("base64") };
  await world.create(secrets, { metadata: { name: "tor" }, type: "kubernetes.io/basic-auth", data });
  const peering = { myASN: 64_512, peerASN: 64_513, peerAddress: vip4(90), passwordSecret: { name: "tor" } };
  await world.create(bgpPeers, { metadata: { name: "tor" }, spec: peering });
  await world.client.create(services, {
    metadata: { name: "web", namespace: TENANT },
    spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
  });
  await world.client.create(endpointSlices, {
    metadata: { name: "web", namespace: TENANT, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: [{ addresses: ["10.244.0.1"], nodeName: "n1", conditions: { ready: true } }],
  });
}

async function addNode(name: string, number: number) {
  const host = bridge.add(name, number);
  await world.client.create(nodes, { metadata: { name } });
  const addresses = [{ type: "InternalIP", address: host.addresses.IPv4 }];
  await world.writeStatus(nodes, { metadata: { name } }, { addresses });
  return host;
}

const ingress = async (): Promise<string> =>
  (await world.client.get(services, "web", TENANT))?.status?.loadBalancer?.ingress?.[0]?.ip ?? "";
const hasCondition = async (
  resource: Resource<KubeObject>,
  name: string,
  type: string,
  status?: string,
): Promise<boolean> => {
  const object = (await world.get(resource, name)) as
    | { status?: { conditions?: { type: string; status: string }[] } }
    | undefined;
  const found = object?.status?.conditions?.find((condition) => condition.type === type);
  return found !== undefined && (status === undefined || found.status === status);
};

async function setType(type: "LoadBalancer" | "ClusterIP"): Promise<void> {
  await world.client.patch(services, {
    name: "web",
    namespace: TENANT,
    type: "merge",
    body: { spec: { type, ...(type === "ClusterIP" && { ports: [{ port: 80, nodePort: null }] }) } },
  });
  await until(
    `the address of a ${type}`,
    async () => ((await ingress()) !== "") === (type === "LoadBalancer"),
    LONG,
  );
}

/** The controller's life: it allocates, takes back, allocates again, judges configuration, and says goodbye. */
async function runController(): Promise<ControllerProcess> {
  const kubeconfig = await kubeconfigOf(world.plane, { namespace, serviceAccount: CONTROLLER_NAME });
  const controller = new ControllerProcess("controller-1", kubeconfig);
  await controller.started();
  await until("the address", async () => (await ingress()) !== "", LONG);
  const told = async (): Promise<number> =>
    Math.max(
      0,
      ...(await world.client.list(events, { namespace: TENANT })).items
        .filter(({ source }) => source?.component === FIELD_MANAGER.controller)
        .map(({ count }) => count ?? 0),
    );
  const again = async (): Promise<void> => {
    await setType("ClusterIP");
    await setType("LoadBalancer");
  };
  // An Event that a starved API server did not take is not written a second time: the next change has to say it.
  let changedAt = Date.now();
  await until(
    "an Event",
    async () => {
      if ((await told()) > 0) return true;
      if (Date.now() - changedAt < EVENT_MS) return false;
      await again();
      changedAt = Date.now();
      return false;
    },
    LONG,
  );
  // The same once more: an Event that is there is counted on. One that still waits would only be written with a count.
  const before = await told();
  await again();
  for (const [resource, name] of [
    [addressPools, "pool"],
    [bgpPeers, "tor"],
    [bfdProfiles, "slow"],
  ] as const) {
    await until(`${resource.kind} to be judged`, () => hasCondition(resource, name, "Valid"), LONG);
  }
  await until("the Event to be counted on", async () => (await told()) > before, LONG);
  return controller;
}

async function readGranted(): Promise<void> {
  for (const [role, { roleName }] of Object.entries(ROLES)) {
    const inNamespace = await world.waitFor(roles, roleName);
    const inCluster = await world.waitFor(clusterRoles, roleName);
    granted.set(role as RoleName, [
      ...rightsOf(inNamespace.rules ?? [], namespace),
      ...rightsOf(inCluster.rules ?? [], undefined),
    ]);
  }
}

test("installed, used and removed again, with the rights of the ServiceAccounts alone", async () => {
  await configure();
  const host = await addNode("n1", 1);
  operator = world.operator();
  await world.createLoadBalancer({ forwarding: { mode: "KubeProxy" } });
  await world.waitFor(daemonSets, "speaker");
  await readGranted();
  await using controller = await runController();

  const onNode = { namespace, serviceAccount: SPEAKER_NAME, node: "n1" };
  await using speaker = new SpeakerProcess(host, await kubeconfigOf(world.plane, onNode));
  await until("the speaker to own the address", () => speaker.announced().length > 0, LONG);
  await until("its report", () => hasCondition(speakerStatuses, "n1", "Ready"), LONG);
  await until("its Lease", () => world.get(leases, speakerLease("n1")), LONG);
  // A repeated Event takes somebody who interferes: the speaker's own recorder says one twice.
  const recorderClient = await clientOf(world.plane, onNode);
  const recorder = new EventRecorder({
    ...real,
    client: recorderClient,
    component: FIELD_MANAGER.speaker,
    instance: "n1",
  });
  const target = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: TENANT } };
  for (const _time of [1, 2]) {
    recorder.emit(target, { type: "Warning", reason: "AddressConflict", message: "m" });
    await recorder.flush();
  }
  recorderClient.close();
  assert.equal(recorder.dropped, 0);

  // What somebody puts in is taken over first, and taken out then.
  await world.playStatus({ desired: 1, ready: 1 });
  await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  assert.ok((await changeAllChildren(world)) > 20);

  await controller.end("SIGTERM");
  await world.client.remove(loadBalancers, "loadbalancer", { namespace });
  await until("the node to be clean", () => hasCondition(speakerStatuses, "n1", "Removed", "True"), LONG);
  await world.waitGone(daemonSets, "speaker");
  await speaker.end("SIGTERM");
  await world.client.remove(pods, "speaker-on-n1", { namespace, gracePeriodSeconds: 0 });
  const left = { labelSelector: managedSelector(namespace) };
  await until(
    "the last of what the operator made to go",
    async () => (await world.client.list(validatingAdmissionPolicies, left)).items.length === 0,
    LONG,
  );
  await operator.stop();
  asked = await audit.read();
});

for (const role of Object.keys(ROLES) as RoleName[]) {
  test(`${role}: nothing was refused`, () => {
    const mine = asked.filter(({ user }) => user === userOf(role));
    assert.ok(mine.length > 5, `${mine.length} kinds of requests`);
    assert.deepEqual(
      mine.filter(({ code }) => code === 403),
      [],
    );
  });

  test(`${role}: every right was used`, () => {
    const rights = granted.get(role) ?? [];
    const used = new Set(
      asked.filter(({ user }) => user === userOf(role)).flatMap((one) => usedBy(one, rights)),
    );
    const excused = UNUSED[role];
    const unused = rights
      .filter((right) => !used.has(right))
      .filter((right) => role !== "operator" || !isGranted(right))
      .map(wordsOf);
    assert.deepEqual(
      unused.filter((words) => excused[words] === undefined),
      [],
    );
    // An excuse that is not needed any longer hides what comes after it.
    assert.deepEqual(
      [...used].map(wordsOf).filter((words) => excused[words] !== undefined),
      [],
    );
  });
}

/** Of the operator: held because controller or speakers have it. Of all Secrets, because names come with BGPPeers. */
function isGranted(right: Right): boolean {
  const rights = [...(granted.get("controller") ?? []), ...(granted.get("speaker") ?? [])];
  return rights.some(
    ({ namespace: where, group, resource, name, verb }) =>
      right.verb === verb &&
      right.group === group &&
      right.resource === resource &&
      right.namespace === where &&
      (right.name === name || (right.name === undefined && resource === "secrets")),
  );
}
