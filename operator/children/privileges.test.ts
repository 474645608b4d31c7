import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import type { DaemonSet, Deployment, NetworkPolicy, Service } from "#common/kube/resource.ts";
import { controllerChildren } from "#operator/children/controller.ts";
import { metricsChildren } from "#operator/children/metrics.ts";
import { CONTROLLER_RULES, type PolicyRule, rbacChildren, SPEAKER_RULES } from "#operator/children/rbac.ts";
import { speakerChildren } from "#operator/children/speaker.ts";
import { type Settings, settingsOf } from "#operator/settings.ts";
import type { PeeringView } from "#operator/view.ts";
import { site } from "#test/fakes/operator-view.ts";

function podOf(children: ReturnType<typeof speakerChildren>) {
  const workload = children[0]?.object as unknown as Deployment | DaemonSet;
  const spec = workload.spec?.template.spec;
  const [container] = spec?.containers ?? [];
  assert.ok(spec !== undefined && container !== undefined && spec.containers.length === 1);
  return { spec, container };
}

test("the controller has no privilege at all", () => {
  const { spec, container } = podOf(controllerChildren(site, settingsOf({})));
  assert.equal(spec.hostNetwork, undefined);
  assert.equal(spec.securityContext?.runAsNonRoot, true);
  assert.equal(spec.securityContext?.seccompProfile?.type, "RuntimeDefault");
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  assert.ok(spec.volumes?.every(({ hostPath }) => hostPath === undefined));
});

test("a speaker has its node's network, two capabilities and its network's sysctls, and nothing more", () => {
  const { spec, container } = podOf(speakerChildren(site, settingsOf({})));
  assert.equal(spec.hostNetwork, true);
  assert.deepEqual([spec.hostPID, spec.hostIPC], [undefined, undefined]);
  assert.deepEqual(container.securityContext, {
    runAsUser: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
  });
  assert.deepEqual(
    spec.volumes?.flatMap(({ hostPath }) => hostPath?.path ?? []),
    ["/proc/sys/net"],
  );
});

test("profiles that the nodes have are asked for by name, for each role alone", () => {
  const settings = settingsOf({
    speakerConfig: { seccompProfile: "genkan-speaker.json", appArmorProfile: "genkan-speaker" },
  });
  const { securityContext } = podOf(speakerChildren(site, settings)).spec;
  assert.deepEqual(securityContext, {
    seccompProfile: { type: "Localhost", localhostProfile: "genkan-speaker.json" },
    appArmorProfile: { type: "Localhost", localhostProfile: "genkan-speaker" },
  });
  const controller = podOf(controllerChildren(site, settings)).spec.securityContext;
  assert.deepEqual(controller, podOf(controllerChildren(site, settingsOf({}))).spec.securityContext);
  assert.deepEqual(podOf(speakerChildren(site, settingsOf({}))).spec.securityContext, {
    seccompProfile: { type: "RuntimeDefault" },
  });
});

test("a speaker is probed over its node's loopback, a controller at its pod's address", () => {
  const hostsOf = (children: ReturnType<typeof speakerChildren>) => {
    const { startupProbe, readinessProbe, livenessProbe } = podOf(children).container;
    return [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet?.host);
  };
  const loopback = "127.0.0.1";
  assert.deepEqual(hostsOf(speakerChildren(site, settingsOf({}))), [loopback, loopback, loopback]);
  assert.deepEqual(hostsOf(controllerChildren(site, settingsOf({}))), [undefined, undefined, undefined]);
});

test("of a speaker's ports one is the node's, and it is not where probes ask", () => {
  const { container } = podOf(speakerChildren(site, settingsOf({})));
  assert.deepEqual(container.ports, [
    { name: "metrics", containerPort: 7472, hostPort: 7472, protocol: "TCP" },
  ]);
});

test("metrics are for who has a token unless the LoadBalancer says otherwise, and then no Service leads to them", () => {
  const accessOf = (settings: Settings) =>
    [controllerChildren(site, settings), speakerChildren(site, settings)].map(
      (children) => podOf(children).container.env?.find(({ name }) => name === "METRICS_ACCESS")?.value,
    );
  const namesOf = (settings: Settings) =>
    metricsChildren(site, settings).map(({ object }) => object.metadata.name);
  const standard = settingsOf({});
  assert.deepEqual([accessOf(standard), namesOf(standard)], [["Token", "Token"], ["genkan-metrics"]]);
  const loopback = settingsOf({ metricsAccess: "Loopback" });
  assert.deepEqual([accessOf(loopback), namesOf(loopback)], [["Loopback", "Loopback"], []]);
});

test("the port of metrics has its name in every pod that the Service selects", () => {
  for (const children of [controllerChildren, speakerChildren]) {
    const workload = children(site, settingsOf({}))[0]?.object as unknown as Deployment | DaemonSet;
    const service = metricsChildren(site, settingsOf({}))[0]?.object as unknown as Service | undefined;
    const { selector, ports } = service?.spec ?? {};
    const labels = workload.spec?.template.metadata?.labels ?? {};
    for (const [key, value] of Object.entries(selector ?? {})) assert.equal(labels[key], value);
    const names = podOf(children(site, settingsOf({}))).container.ports?.map(({ name }) => name);
    assert.ok(names?.includes(String(ports?.[0]?.targetPort)));
  }
});

test("the PodMonitor of config/monitoring selects every pod, by the port that each has", () => {
  const path = new URL("../../config/monitoring/podmonitor.yaml", import.meta.url);
  const { spec } = parse(readFileSync(path, "utf8"));
  const [endpoint] = spec.podMetricsEndpoints;
  for (const children of [controllerChildren, speakerChildren]) {
    const workload = children(site, settingsOf({}))[0]?.object as unknown as Deployment | DaemonSet;
    const labels = workload.spec?.template.metadata?.labels ?? {};
    for (const [key, value] of Object.entries(spec.selector.matchLabels)) assert.equal(labels[key], value);
    const ports = podOf(children(site, settingsOf({}))).container.ports?.map(({ name }) => name);
    assert.ok(ports?.includes(endpoint.port), String(ports));
  }
});

test("where the console is off a controller hears nothing of it, and may read nothing for it", () => {
  const envOf = (settings: Settings) =>
    podOf(controllerChildren(site, settings)).container.env?.filter(({ name }) => name.startsWith("CONSOLE"));
  const rightsOf = (settings: Settings) =>
    rbacChildren(site, settings)
      .map(({ object }) => object as unknown as { metadata: { name: string }; rules?: PolicyRule[] })
      .filter(({ metadata }) => metadata.name === "genkan-controller")
      .flatMap(({ rules = [] }) => rules)
      .filter(
        ({ resources = [], verbs }) => verbs.includes("list") && /slices|leases/.test(resources.join()),
      );
  assert.deepEqual([envOf(settingsOf({})), rightsOf(settingsOf({}))], [[], []]);
  const on = settingsOf({ consoleAccess: "Loopback" });
  assert.deepEqual(envOf(on), [{ name: "CONSOLE_ACCESS", value: "Loopback" }]);
  assert.deepEqual(
    rightsOf(on).map(({ resources, verbs }) => [resources, verbs]),
    [
      [["leases"], ["list"]],
      [["endpointslices"], ["list"]],
    ],
  );
});

const RIGHTS: readonly [what: string, peering: PeeringView, capabilities: string[]][] = [
  ["no BGP", { hasPeers: false, hasFastProfile: false, passwordSecrets: [] }, ["NET_ADMIN", "NET_RAW"]],
  [
    "a fast profile that nobody uses",
    { hasPeers: false, hasFastProfile: true, passwordSecrets: [] },
    ["NET_ADMIN", "NET_RAW"],
  ],
  [
    "a peer",
    { hasPeers: true, hasFastProfile: false, passwordSecrets: [] },
    ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"],
  ],
  [
    "a peer and fast BFD",
    { hasPeers: true, hasFastProfile: true, passwordSecrets: [] },
    ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "SYS_NICE"],
  ],
];
for (const [what, peering, capabilities] of RIGHTS) {
  test(`a speaker's rights with ${what}`, () => {
    const { container } = podOf(speakerChildren(site, settingsOf({}, peering)));
    assert.deepEqual(container.securityContext?.capabilities, { drop: ["ALL"], add: capabilities });
  });
}

test("Secrets are in nobody's rights but for the keys of gossip, and those that BGPPeers name", () => {
  const rules = [CONTROLLER_RULES, SPEAKER_RULES].flatMap(({ inCluster, inNamespace }) => [
    ...inCluster,
    ...inNamespace,
  ]);
  assert.deepEqual(
    rules
      .filter(({ resources = [] }) => resources.includes("secrets"))
      .map(({ resourceNames, verbs }) => [resourceNames, verbs]),
    [[["genkan-gossip-keys"], ["list", "watch"]]],
  );
});

test("nobody has a wildcard", () => {
  for (const { inCluster, inNamespace } of [CONTROLLER_RULES, SPEAKER_RULES]) {
    for (const { apiGroups = [], resources = [], verbs } of [...inCluster, ...inNamespace]) {
      const words = [...apiGroups, ...resources, ...verbs];
      assert.ok(!words.includes("*"), JSON.stringify(words));
    }
  }
});

test("the controller's pods are reached at the ports that they serve, and nobody makes policies that are switched off", () => {
  const policy = (networkPolicy: "Enabled" | "Disabled") =>
    controllerChildren({ ...site, networkPolicy }, settingsOf({})).find(
      ({ resource }) => resource.kind === "NetworkPolicy",
    )?.object as NetworkPolicy | undefined;
  assert.equal(policy("Disabled"), undefined);
  const { ports = [] } = podOf(controllerChildren(site, settingsOf({}))).container;
  assert.deepEqual(
    policy("Enabled")?.spec?.ingress?.[0]?.ports?.map(({ port }) => port),
    ports.map(({ containerPort }) => containerPort),
  );
  assert.deepEqual(policy("Enabled")?.spec?.policyTypes, ["Ingress", "Egress"]);
});

test("pull secrets stand in both roles' pods where they are asked for, and nowhere else", () => {
  for (const children of [controllerChildren, speakerChildren]) {
    const secretsOf = (settings: Settings) => podOf(children(site, settings)).spec.imagePullSecrets;
    assert.equal(secretsOf(settingsOf({})), undefined);
    assert.deepEqual(secretsOf(settingsOf({ imagePullSecrets: [{ name: "registry" }] })), [
      { name: "registry" },
    ]);
  }
});
