import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import {
  GOSSIP_SECRET_NAME,
  METRICS_SERVICE_NAME,
  WEBHOOK_CONFIGURATION_NAME,
  WEBHOOK_SECRET_NAME,
  WEBHOOK_SERVICE_NAME,
} from "#api/names.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  daemonSets,
  deployments,
  loadBalancers,
  networkPolicies,
  podDisruptionBudgets,
  type Resource,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
  services,
  speakerStatuses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { POLICY_NAMES } from "#operator/children/policies.ts";
import { NAMESPACE, type OperatorProcess, OperatorWorld } from "#test/integration/operator-process.ts";
import { until } from "#test/until.ts";

const CHILDREN: readonly (readonly [Resource<KubeObject>, string])[] = [
  [serviceAccounts, "controller"],
  [serviceAccounts, "speaker"],
  [roles, "genkan-controller"],
  [roles, "genkan-speaker"],
  [roleBindings, "genkan-controller"],
  [roleBindings, "genkan-speaker"],
  [clusterRoles, "genkan-controller"],
  [clusterRoles, "genkan-speaker"],
  [clusterRoleBindings, "genkan-controller"],
  [clusterRoleBindings, "genkan-speaker"],
  [secrets, WEBHOOK_SECRET_NAME],
  [secrets, GOSSIP_SECRET_NAME],
  [services, WEBHOOK_SERVICE_NAME],
  [services, METRICS_SERVICE_NAME],
  [deployments, "controller"],
  [daemonSets, "speaker"],
  [podDisruptionBudgets, "controller"],
  [networkPolicies, "controller"],
  ...POLICY_NAMES.flatMap((name): (readonly [Resource<KubeObject>, string])[] => [
    [validatingAdmissionPolicies, name],
    [validatingAdmissionPolicyBindings, name],
  ]),
];

let world: OperatorWorld;
let operator: OperatorProcess;

before(async () => {
  world = await OperatorWorld.start(["node1", "node2"]);
  operator = world.operator();
});

after(async () => {
  await operator?.stop();
  await world?.[Symbol.asyncDispose]();
});

/** Longer than its slowest pass on a busy machine. */
const RESTS_MS = 2_000;

/** Waits until the operator has written nothing for that time. */
async function settle(): Promise<number> {
  let count = -1;
  let since = performance.now();
  await until("the operator to rest", () => {
    const now = operator.writes().length;
    if (now !== count) {
      count = now;
      since = performance.now();
    }
    return performance.now() - since > RESTS_MS;
  });
  return count;
}

test("a LoadBalancer becomes its children, with no more rights than config/rbac gives", async () => {
  await world.createLoadBalancer();
  for (const [resource, name] of CHILDREN) await world.waitFor(resource, name);
  assert.equal(await world.get(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME), undefined);
  await world.waitForCondition("Available", /^False/);
  await world.waitForCondition("Progressing", /^True/);
});

test("webhooks come when a controller is available, with the authority of the Secret's certificate", async () => {
  await world.playStatus({ desired: 2, ready: 2 });
  const configuration = await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  const secret = await world.waitFor(secrets, WEBHOOK_SECRET_NAME);
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? "", "base64").toString();
  assert.equal(configuration.webhooks?.length, 2);
  for (const webhook of configuration.webhooks ?? []) {
    assert.equal(webhook.clientConfig.caBundle, secret.data?.["ca.crt"]);
  }
  const certificate = new X509Certificate(text("tls.crt"));
  assert.ok(certificate.verify(new X509Certificate(text("ca.crt")).publicKey));
  assert.ok(certificate.checkHost(`${WEBHOOK_SERVICE_NAME}.${NAMESPACE}.svc`));
  await world.waitForCondition("Available", /^True .*2 of 2 speakers/);
  await world.waitForCondition("Degraded", /^False/);
  await world.waitForCondition("Progressing", /^False/);
  await world.waitForCondition("Upgradeable", /^True/);
  // Nobody answers in this world: what follows would be refused.
  await world.client.remove(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
  await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
});

test("at rest nothing is written, whatever passes go by", async () => {
  const before = await settle();
  const versions = async (): Promise<(string | undefined)[]> =>
    Promise.all(
      CHILDREN.map(async ([resource, name]) => (await world.get(resource, name))?.metadata.resourceVersion),
    );
  const first = await versions();
  // Each of these wakes the operator.
  for (const round of [1, 2, 3]) {
    await world.writeStatus(daemonSets, await world.waitFor(daemonSets, "speaker"), {
      collisionCount: round,
    });
  }
  assert.equal(await settle(), before);
  assert.deepEqual(
    (await versions()).filter((_, index) => CHILDREN[index]?.[1] !== "speaker"),
    first.filter((_, index) => CHILDREN[index]?.[1] !== "speaker"),
  );
});

test("an operator that starts anew finds everything as it is and writes nothing", async () => {
  await operator.stop();
  operator = world.operator();
  await until("the new operator to lead", () => operator.leads());
  // Longer than a few passes: they must not find anything that they could write forever.
  assert.equal(await settle(), 0, JSON.stringify(operator.writes().slice(0, 3)));
});

test("what somebody deletes comes back", async () => {
  for (const [resource, name] of CHILDREN) {
    const { uid } = (await world.waitFor(resource, name)).metadata;
    await world.client.remove(resource, name, resource.namespaced ? { namespace: NAMESPACE } : {});
    await until(`${resource.kind} ${name} to come back`, async () => {
      const present = await world.get(resource, name);
      return present !== undefined && present.metadata.uid !== uid;
    });
  }
  await world.playStatus({ desired: 2, ready: 2 });
});

test("what somebody changes is put back: a value, an addition, a label", async () => {
  await settle();
  const image = { name: "speaker", image: "somebody/else:1" };
  const spec = { template: { spec: { nodeSelector: { disk: "ssd" }, containers: [image] } } };
  await world.client.patch(daemonSets, {
    name: "speaker",
    namespace: NAMESPACE,
    type: "strategic",
    body: { spec },
    fieldManager: "kubectl-edit",
  });
  await until("the image and the node selector to be put back", async () => {
    const template = (await world.waitFor(daemonSets, "speaker")).spec?.template.spec;
    return (
      template?.containers[0]?.image === "genkan/speaker:test" && template.nodeSelector?.disk === undefined
    );
  });
  await world.patch(clusterRoles, "genkan-speaker", {
    rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
  });
  await until("the rules to be put back", async () =>
    (await world.waitFor(clusterRoles, "genkan-speaker")).rules?.every(({ verbs }) => !verbs.includes("*")),
  );
  const [policy = ""] = POLICY_NAMES;
  await world.patch(validatingAdmissionPolicyBindings, policy, { spec: { validationActions: ["Audit"] } });
  await world.patch(validatingAdmissionPolicies, policy, { spec: { failurePolicy: "Ignore" } });
  await until("the policy to be put back in force", async () => {
    const binding = await world.waitFor(validatingAdmissionPolicyBindings, policy);
    const { spec } = await world.waitFor(validatingAdmissionPolicies, policy);
    return binding.spec?.validationActions?.[0] === "Deny" && spec?.failurePolicy === "Fail";
  });
  await world.patch(services, WEBHOOK_SERVICE_NAME, {
    metadata: { labels: { "app.kubernetes.io/managed-by": null } },
  });
  await until(
    "the label to be put back",
    async () =>
      (await world.waitFor(services, WEBHOOK_SERVICE_NAME)).metadata.labels?.[
        "app.kubernetes.io/managed-by"
      ] !== undefined,
  );
  await world.client.patch(deployments, {
    name: "controller",
    namespace: NAMESPACE,
    subresource: "scale",
    type: "merge",
    body: { spec: { replicas: 7 } },
  });
  await until(
    "the replicas to be put back",
    async () => (await world.waitFor(deployments, "controller")).spec?.replicas === 2,
  );
  await world.patch(secrets, WEBHOOK_SECRET_NAME, {
    data: { "tls.key": Buffer.from("garbage").toString("base64") },
  });
  await until("a working certificate", async () => {
    const data = (await world.waitFor(secrets, WEBHOOK_SECRET_NAME)).data ?? {};
    const configuration = await world.waitFor(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
    return (
      data["tls.key"]?.length !== 12 && configuration.webhooks?.[0]?.clientConfig.caBundle === data["ca.crt"]
    );
  });
});

test("a rollout restart by hand stays", async () => {
  await settle();
  const annotations = { "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" };
  await world.client.patch(deployments, {
    name: "controller",
    namespace: NAMESPACE,
    type: "strategic",
    fieldManager: "kubectl-rollout",
    body: { spec: { template: { metadata: { annotations } } } },
  });
  await settle();
  const deployment = await world.waitFor(deployments, "controller");
  assert.deepEqual(deployment.spec?.template.metadata?.annotations, annotations);
});

test("every field of the spec takes effect, and goes when it goes", async () => {
  const tolerations = [{ key: "dedicated", operator: "Exists" as const }];
  const podConfig = {
    priorityClassName: "p",
    runtimeClassName: "r",
    seccompProfile: "ours/s.json",
    appArmorProfile: "a",
    annotations: { a: "b" },
    resources: { requests: { cpu: "1000m", memory: 134217728 } },
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
  };
  await withoutWebhooks(() =>
    world.patch(loadBalancers, "loadbalancer", {
      spec: {
        nodeSelector: { role: "edge" },
        speakerTolerations: tolerations,
        controllerNodeSelector: { role: "infra" },
        controllerTolerations: tolerations,
        controllerReplicas: 1,
        logLevel: "debug",
        controllerConfig: podConfig,
        speakerConfig: podConfig,
      },
    }),
  );
  const speaker = await until("the speaker's template to change", async () => {
    const spec = (await world.waitFor(daemonSets, "speaker")).spec?.template;
    return spec?.spec?.nodeSelector?.role === "edge" ? spec : undefined;
  });
  const controller = await until("the controller's template to change", async () => {
    const spec = (await world.waitFor(deployments, "controller")).spec;
    return spec?.replicas === 1 ? spec.template : undefined;
  });
  for (const [template, role] of [
    [speaker, "edge"],
    [controller, "infra"],
  ] as const) {
    assert.deepEqual(template.spec?.nodeSelector, { "kubernetes.io/os": "linux", role });
    assert.ok(template.spec?.tolerations?.some(({ key }) => key === "dedicated"));
    assert.equal(template.spec?.priorityClassName, "p");
    assert.equal(template.spec?.runtimeClassName, "r");
    const { seccompProfile, appArmorProfile } = template.spec?.securityContext ?? {};
    assert.deepEqual(
      [seccompProfile, appArmorProfile],
      [
        { type: "Localhost", localhostProfile: "ours/s.json" },
        { type: "Localhost", localhostProfile: "a" },
      ],
    );
    assert.equal(template.metadata?.annotations?.a, "b");
    const [container] = template.spec?.containers ?? [];
    // It is read by the processes themselves, so that a change restarts nothing.
    assert.ok(!container?.env?.some(({ name }) => name === "LOG_LEVEL"));
    assert.equal(container?.resources?.requests?.cpu, "1");
  }
  await world.waitGone(podDisruptionBudgets, "controller");
  const count = await settle();
  // Quantities that the server spells otherwise are no reason to write again.
  await world.writeStatus(daemonSets, await world.waitFor(daemonSets, "speaker"), { collisionCount: 9 });
  assert.equal(await settle(), count);
  await withoutWebhooks(() =>
    world.patch(loadBalancers, "loadbalancer", { spec: { nodeSelector: null, controllerReplicas: 2 } }),
  );
  await until(
    "the node selector to go",
    async () =>
      (await world.waitFor(daemonSets, "speaker")).spec?.template.spec?.nodeSelector?.role === undefined,
  );
  await world.playStatus({ desired: 2, ready: 2 });
});

/** Nobody serves the webhooks here: they are away while `change` is made, and without a controller they stay so. */
async function withoutWebhooks(change: () => Promise<void>): Promise<void> {
  const deployment = await world.waitFor(deployments, "controller");
  await world.writeStatus(deployments, deployment, { availableReplicas: 0, readyReplicas: 0 });
  // The operator may hear of this later than of the other, and the API server takes a moment to notice.
  await until("a change without webhooks", async () => {
    await world.client.remove(validatingWebhookConfigurations, WEBHOOK_CONFIGURATION_NAME);
    await change();
    return true;
  });
}

test("a field whose feature is missing is refused in words, and the rest goes on", async () => {
  await withoutWebhooks(() =>
    world.patch(loadBalancers, "loadbalancer", {
      spec: { layer2: { failureDetection: { probeInterval: 100 } } },
    }),
  );
  await world.waitForCondition("Valid", /^False .*spec\.layer2\.failureDetection: .*not supported yet/);
  await world.waitForCondition("Degraded", /^True .*failureDetection/);
  await withoutWebhooks(() =>
    world.patch(loadBalancers, "loadbalancer", { spec: { layer2: { failureDetection: null } } }),
  );
  await world.waitForCondition("Valid", /^True/);
  await world.playStatus({ desired: 2, ready: 2 });
  await world.waitForCondition("Degraded", /^False/);
});

test("a speaker that cannot forward makes it Degraded, with node and reason; a node that is gone is forgotten", async () => {
  const report = (node: string, status: string, reason: string, message: string): Promise<void> =>
    world.writeStatus(
      speakerStatuses,
      { metadata: { name: node, namespace: NAMESPACE } },
      {
        conditions: [
          { type: "ForwardingReady", status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" },
        ],
      },
    );
  await world.create(speakerStatuses, { metadata: { name: "node2" } });
  await report("node2", "False", "NoIpvs", "the kernel has no ip_vs");
  await world.waitForCondition("Degraded", /^True .*node2: NoIpvs.*the kernel has no ip_vs/);
  await world.waitForCondition("Available", /^True/);
  await report("node2", "True", "AsExpected", "");
  await world.waitForCondition("Degraded", /^False/);
  await world.create(speakerStatuses, { metadata: { name: "node9" } });
  await world.waitGone(speakerStatuses, "node9");
  assert.ok((await world.get(speakerStatuses, "node2")) !== undefined);
});

test("nothing was refused to the operator", () => {
  assert.deepEqual(
    operator.problems().filter((record) => /forbidden/i.test(record)),
    [],
  );
});
