/**
 * The CRDs and the webhook in the real API server: every rule that must hold without a webhook has an object just
 * inside and one just outside, and what a webhook refuses reaches kubectl in one line.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { AddressPool } from "#api/v1beta1/generated/types.ts";
import { systemClock } from "#common/clock.ts";
import { addressPools } from "#common/kube/resource.ts";
import { silentLogger } from "#common/log.ts";
import { startWebhook } from "#controller/webhook/server.ts";
import { createAuthority } from "#hack/lab/pki.ts";
import { TestPlane } from "#test/integration/plane.ts";
import { type ApiObject, Judge } from "#test/integration/verdict.ts";
import { untilKindsAnswer } from "#test/kinds.ts";
import { until } from "#test/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const NAMESPACE = "genkan-system";
const run = promisify(execFile);

interface CrdWithRules {
  readonly spec: {
    readonly versions: readonly {
      readonly schema: { readonly openAPIV3Schema: { readonly "x-kubernetes-validations": unknown } };
    }[];
  };
}

let plane: TestPlane;
let judge: Judge;

/** kubectl's answer, refusals too. */
async function kubectl(argv: readonly string[], input?: object): Promise<{ ok: boolean; text: string }> {
  const child = run(`${ROOT}.lab/bin/kubectl`, ["--kubeconfig", plane.plane.kubeconfig, ...argv]);
  child.child.stdin?.end(input === undefined ? "" : JSON.stringify(input));
  try {
    const { stdout, stderr } = await child;
    return { ok: true, text: stdout + stderr };
  } catch (error) {
    return { ok: false, text: String((error as { stderr?: string }).stderr ?? error) };
  }
}

before(async () => {
  plane = await TestPlane.start();
  judge = new Judge(plane.connection);
  await plane.namespace(NAMESPACE);
  const applied = await kubectl(["apply", "-k", `${ROOT}config/crd`]);
  assert.ok(applied.ok, applied.text);
  await untilKindsAnswer(plane.client);
});

after(async () => {
  judge?.[Symbol.dispose]();
  await plane?.[Symbol.asyncDispose]();
});

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: "genkan.dev/v1beta1",
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});
const pool = (spec: object) =>
  object("AddressPool", "p", { protocol: "layer2", addresses: ["10.0.0.0/24"], ...spec });
const peer = (spec: object) =>
  object("BGPPeer", "r", { myASN: 64512, peerASN: 64513, peerAddress: "10.0.0.1", ...spec });
const { peerASN: _asn, ...withoutAsn } = peer({}).spec as Record<string, unknown>;

/** Name, object just inside, object just outside, what the refusal says. */
const RULES: readonly (readonly [string, ApiObject, ApiObject, RegExp])[] = [
  [
    "the one name",
    object("LoadBalancer", "loadbalancer", {}),
    object("LoadBalancer", "other", {}),
    /the only LoadBalancer is named "loadbalancer"/,
  ],
  [
    "replicas",
    object("LoadBalancer", "loadbalancer", { controllerReplicas: 1 }),
    object("LoadBalancer", "loadbalancer", { controllerReplicas: 0 }),
    /controllerReplicas.*greater than or equal to 1/,
  ],
  [
    "scheduler with KubeProxy",
    object("LoadBalancer", "loadbalancer", { forwarding: { mode: "KubeProxy" } }),
    object("LoadBalancer", "loadbalancer", { forwarding: { mode: "KubeProxy", scheduler: "rr" } }),
    /has no effect with mode KubeProxy/,
  ],
  [
    "tolerationSeconds",
    object("LoadBalancer", "loadbalancer", {
      speakerTolerations: [{ operator: "Exists", effect: "NoExecute", tolerationSeconds: 1 }],
    }),
    object("LoadBalancer", "loadbalancer", {
      speakerTolerations: [{ operator: "Exists", effect: "NoSchedule", tolerationSeconds: 1 }],
    }),
    /tolerationSeconds needs effect NoExecute/,
  ],
  [
    "a range",
    pool({ addresses: ["10.0.0.1 - 10.0.0.9"] }),
    pool({ addresses: ["10.0.0.1 - fd00::1"] }),
    /neither a prefix .* nor a range/,
  ],
  [
    "a bare address",
    pool({ addresses: ["10.0.0.1/32"] }),
    pool({ addresses: ["10.0.0.1"] }),
    /neither a prefix .* nor a range/,
  ],
  [
    "IPv6",
    pool({ addresses: ["fd00::/64"] }),
    pool({ addresses: ["fd00::/129"] }),
    /neither a prefix .* nor a range/,
  ],
  [
    "an octet",
    pool({ addresses: ["255.0.0.0/8"] }),
    pool({ addresses: ["256.0.0.0/8"] }),
    /neither a prefix/,
  ],
  [
    "groups of IPv6",
    pool({ addresses: ["1:2:3:4:5:6:7:8/128", "::/96", "fd00::1:2-fd00::2:1"] }),
    pool({ addresses: ["1:2:3:4:5:6:7:8:9/128"] }),
    /neither a prefix/,
  ],
  [
    "selector In",
    pool({ nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] }),
    pool({ nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "In" }] }] }),
    /values: needed with In/,
  ],
  [
    "selector Exists",
    peer({ nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Exists" }] }] }),
    peer({ nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] }] }),
    /not allowed with Exists/,
  ],
  ["hold time at most", peer({ holdTime: "65535s" }), peer({ holdTime: "65536s" }), /at most 65535s/],
  ["connect time", peer({ connectTime: "1s" }), peer({ connectTime: "1500ms" }), /in whole seconds/],
  ["connect time unset by 0", peer({ connectTime: "0s" }), peer({ connectTime: "500ms" }), /1s to 65535s/],
  [
    "iBGP by dynamicASN",
    object("BGPPeer", "r", { ...withoutAsn, dynamicASN: "internal" }),
    object("BGPPeer", "r", { ...withoutAsn, dynamicASN: "internal", ebgpMultiHop: true }),
    /not with iBGP/,
  ],
  [
    "advertisements only with bgp",
    pool({ protocol: "bgp", bgpAdvertisements: [{}] }),
    pool({ bgpAdvertisements: [{}] }),
    /only a pool of protocol bgp has them/,
  ],
  [
    "a community",
    pool({ protocol: "bgp", bgpAdvertisements: [{ communities: ["large:1:2:3"] }] }),
    pool({ protocol: "bgp", bgpAdvertisements: [{ communities: ["1:2:3"] }] }),
    /communities\[0\]/,
  ],
  ["peerASN or dynamicASN", peer({}), object("BGPPeer", "r", withoutAsn), /exactly one of them must be set/],
  ["peerAddress or interface", peer({}), peer({ interface: "eth0" }), /exactly one of them must be set/],
  [
    "peerAddress or listenRange",
    peer({}),
    peer({ listenRange: "10.0.0.0/24" }),
    /exactly one of them must be/,
  ],
  ["a limit of sessions", peer({}), peer({ maximumSessions: 2 }), /needs listenRange/],
  [
    "BFD in a VRF",
    peer({ vrf: "red" }),
    peer({ vrf: "red", bfdProfile: "fast" }),
    /not with listenRange or vrf/,
  ],
  ["a next hop", peer({ nextHop: "10.9.0.1" }), peer({ nextHop: "fd00::1" }), /is not self, InternalIP or/],
  ["a next hop's host", peer({ nextHop: "126.0.0.1" }), peer({ nextHop: "127.0.0.1" }), /that routers send/],
  [
    "a next hop of IPv6",
    peer({ nextHopV6: "fd00::1" }),
    peer({ nextHopV6: "10.0.0.1" }),
    /is not self, InternalIP or/,
  ],
  [
    "a next hop of IPv6 that is no link's",
    peer({ nextHopV6: "::2" }),
    peer({ nextHopV6: "fe80::1" }),
    /that routers send/,
  ],
  [
    "a next hop other than the router",
    peer({ nextHop: "10.0.0.2" }),
    peer({ nextHop: "10.0.0.1" }),
    /own address/,
  ],
  [
    "a next hop of IPv6 other than the router",
    peer({ peerAddress: "FD00::1", nextHopV6: "fd00::2" }),
    peer({ peerAddress: "FD00::1", nextHopV6: "fd00::1" }),
    /own address/,
  ],
  ["an address", peer({ peerAddress: "fd00::1" }), peer({ peerAddress: "router" }), /is not an IP address/],
  ["hold time 3 s", peer({ holdTime: "3s" }), peer({ holdTime: "2s" }), /must be 0s or at least 3s/],
  ["hold time 0", peer({ holdTime: "0s" }), peer({ holdTime: "2999ms" }), /must be 0s or at least 3s/],
  [
    "keepalive below hold",
    peer({ holdTime: "9s", keepaliveTime: "8s" }),
    peer({ holdTime: "9s", keepaliveTime: "9s" }),
    /must be less than holdTime/,
  ],
  ["keepalive alone", peer({ keepaliveTime: "0s" }), peer({ keepaliveTime: "1s" }), /needs holdTime/],
  [
    "one password",
    peer({ password: "x" }),
    peer({ password: "x", passwordSecret: { name: "s" } }),
    /exclude each other/,
  ],
  [
    "TCP-AO has a key",
    peer({ password: "x", tcpAO: { sendID: 0, receiveID: 255 } }),
    peer({ tcpAO: { sendID: 0, receiveID: 255 } }),
    /needs passwordSecret or password/,
  ],
  [
    "multihop and iBGP",
    peer({ ebgpMultiHop: true }),
    peer({ ebgpMultiHop: true, peerASN: 64512 }),
    /not with iBGP/,
  ],
  ["a host", peer({ peerAddress: "223.0.0.1" }), peer({ peerAddress: "224.0.0.1" }), /address of a host/],
  ["a host of IPv6", peer({ peerAddress: "fd00::1" }), peer({ peerAddress: "ff02::1" }), /address of a host/],
  [
    "a link-local address with its link",
    peer({ peerAddress: "fe80::1", interface: "eth0" }),
    peer({ peerAddress: "fe80::1" }),
    /a link-local address needs interface/,
  ],
  [
    "a toleration's value",
    object("LoadBalancer", "loadbalancer", { speakerTolerations: [{ key: "a", operator: "Exists" }] }),
    object("LoadBalancer", "loadbalancer", {
      speakerTolerations: [{ key: "a", operator: "Exists", value: "b" }],
    }),
    /operator Exists takes none/,
  ],
  [
    "a toleration's key",
    object("LoadBalancer", "loadbalancer", { controllerTolerations: [{ key: "a" }] }),
    object("LoadBalancer", "loadbalancer", { controllerTolerations: [{ value: "a" }] }),
    /Equal without a key/,
  ],
  ["router ID", peer({ routerID: "10.0.0.1" }), peer({ routerID: "fd00::1111" }), /is not an IPv4 address/],
  [
    "BFD interval",
    object("BFDProfile", "b", { receiveInterval: 10 }),
    object("BFDProfile", "b", { receiveInterval: 9 }),
    /greater than or equal to 10/,
  ],
  [
    "BFD multiplier",
    object("BFDProfile", "b", { detectMultiplier: 2 }),
    object("BFDProfile", "b", { detectMultiplier: 1 }),
    /greater than or equal to 2/,
  ],
];

for (const [name, inside, outside, words] of RULES) {
  test(`without a webhook: ${name}`, async () => {
    assert.equal((await judge.judge("create", inside)).message, "");
    const { isAdmitted, message } = await judge.judge("create", outside);
    assert.equal(isAdmitted, false);
    assert.match(message, words);
  });
}

test("a misnamed LoadBalancer that is there already can say so in its status", async () => {
  const name = "loadbalancers.genkan.dev";
  const path = "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations";
  const { text: crd } = await kubectl(["get", "crd", name, "-o", "json"]);
  const value = (JSON.parse(crd) as CrdWithRules).spec.versions[0]?.schema.openAPIV3Schema[
    "x-kubernetes-validations"
  ];
  const patch = (operation: object) =>
    kubectl(["patch", "crd", name, "--type=json", "-p", JSON.stringify([operation])]);
  assert.ok((await patch({ op: "remove", path })).ok);
  try {
    await until("the rule to be gone", async () => {
      return (await kubectl(["create", "-f", "-"], object("LoadBalancer", "other", {}))).ok;
    });
  } finally {
    assert.ok((await patch({ op: "add", path, value })).ok);
  }
  await until("the rule to be back", async () => {
    return !(await kubectl(["create", "--dry-run=server", "-f", "-"], object("LoadBalancer", "third", {})))
      .ok;
  });
  const status = { status: { observedGeneration: 1 } };
  const written = await kubectl([
    ...["patch", "loadbalancer.genkan.dev", "other", "-n", NAMESPACE, "--subresource=status"],
    ...["--type=merge", "-p", JSON.stringify(status)],
  ]);
  assert.ok(written.ok, written.text);
  const withStatus = { ...object("LoadBalancer", "third", {}), ...status };
  assert.equal((await kubectl(["create", "--dry-run=server", "-f", "-"], withStatus)).ok, false);
  assert.ok((await kubectl(["delete", "loadbalancer.genkan.dev", "other", "-n", NAMESPACE])).ok);
});

test("every sample is taken by the API server", async () => {
  const applied = await kubectl(["apply", "--dry-run=server", "-f", `${ROOT}config/samples`]);
  assert.ok(applied.ok, applied.text);
});

test("kubectl get prints the columns, by short name and category", async () => {
  assert.ok((await kubectl(["create", "-f", "-"], pool({}))).ok);
  const table = await kubectl(["get", "apool", "-n", NAMESPACE]);
  assert.match(
    table.text,
    /^NAME +PROTOCOL +AUTO +ASSIGNED4 +AVAILABLE4 +ASSIGNED6 +AVAILABLE6 +AGE\np +layer2 +true/,
  );
  const wide = await kubectl(["get", "genkan", "-n", NAMESPACE, "-o", "wide"]);
  assert.match(wide.text, /10\.0\.0\.0\/24/);
  assert.ok((await kubectl(["delete", "apool", "p", "-n", NAMESPACE])).ok);
});

test("defaults appear", async () => {
  const created = await kubectl(
    ["create", "--dry-run=server", "-o", "json", "-f", "-"],
    object("LoadBalancer", "loadbalancer", {}),
  );
  assert.ok(created.ok, created.text);
  const { spec } = JSON.parse(created.text) as { spec: object };
  assert.deepEqual(spec, {
    controllerReplicas: 2,
    logLevel: "info",
    metricsAccess: "Token",
    consoleAccess: "Off",
    serviceTraffic: "Off",
    forwarding: { mode: "IPVS", scheduler: "mh", tunnel: "ipip", returnPath: "Direct" },
  });
});

test("the webhook's refusal reaches kubectl as one line, warnings too, and dry run is judged", async () => {
  const authority = await createAuthority("test");
  const { certificate: cert, key } = await authority.issue({ commonName: "webhook", names: ["127.0.0.1"] });
  const web = object("AddressPool", "web", {
    protocol: "layer2",
    addresses: ["192.168.10.128/25"],
  }) as AddressPool;
  const webhook = await startWebhook({
    port: 0,
    host: "127.0.0.1",
    readPair: async () => ({ cert, key }),
    view: () => ({
      ...emptyView(NAMESPACE),
      pools: [web],
      services: [{ key: "shop/front", addresses: ["192.168.10.200"] }],
    }),
    clock: systemClock,
    log: silentLogger,
  });
  try {
    const configured = await kubectl(["create", "-f", "-"], {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "test" },
      webhooks: [
        {
          name: "pools.genkan.dev",
          clientConfig: {
            url: `https://127.0.0.1:${webhook.port}/validate`,
            caBundle: Buffer.from(authority.certificate).toString("base64"),
          },
          rules: [
            {
              apiGroups: ["genkan.dev"],
              apiVersions: ["*"],
              resources: ["*"],
              operations: ["CREATE", "UPDATE", "DELETE"],
            },
          ],
          failurePolicy: "Fail",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    });
    assert.ok(configured.ok, configured.text);
    const wanted = 'spec.addresses[1]: 192.168.10.0/24 overlaps 192.168.10.128/25 of AddressPool "web"';
    const overlapping = { ...pool({ addresses: ["10.0.0.0/24", "192.168.10.0/24"] }) };
    // The API server takes a moment to notice a new webhook. A preview is told what would be refused, and not refused.
    await until("the webhook to be asked", async () => {
      const foretold = await kubectl(["create", "--dry-run=server", "-f", "-"], overlapping);
      return (
        foretold.ok &&
        foretold.text.includes(`Warning: refused, unless the other one changes before: ${wanted}`)
      );
    });
    const refused = await kubectl(["create", "-f", "-"], overlapping);
    assert.ok(!refused.ok && refused.text.includes(wanted), refused.text);
    assert.equal(refused.text.trim().split("\n").length, 1, refused.text);
    assert.ok((await kubectl(["create", "-f", "-"], web)).ok);
    const gone = await kubectl(["delete", "addresspool", "web", "-n", NAMESPACE]);
    assert.match(
      gone.text,
      /Warning: AddressPool "web" is deleted while in use: .*shop\/front \(192\.168\.10\.200\)/,
    );
    assert.equal((await plane.client.list(addressPools, { namespace: NAMESPACE })).items.length, 0);
  } finally {
    await webhook.close();
  }
});
