/** Each step broken in turn: it is the first that is named, in one sentence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "#cli/explain/command.ts";
import type { Step } from "#cli/explain/step.ts";
import { lease, node, pool, service, slice, snapshot } from "#cli/testing/snapshot.ts";

const VIP = "172.30.0.100";
const web = (spec: object = {}) => service("web", VIP, 7, spec);
const pods = slice("web", { "10.244.1.1": "n1", "10.244.2.1": "n2" });
const WELL = { services: [web()], slices: [pods] };

interface Explained {
  readonly steps: readonly Step[];
  readonly broken?: { readonly step: string; readonly says: string };
}
const explained = (parts: object): Explained => explain(snapshot(parts), "default/web").value as Explained;
const detailsOf = ({ steps }: Explained, name: string): string =>
  steps.find(({ step }) => step === name)?.details.join("\n") ?? "";

test("nothing is broken: every step says what was found, and who owns the address", () => {
  const { text, exitCode } = explain(snapshot(WELL), "default/web");
  assert.equal(exitCode, 0);
  assert.match(text, /^ok {5}address: it has 172\.30\.0\.100$/m);
  assert.match(
    text,
    /^ok {5}nodes: 172\.30\.0\.100 is answered for by n\d, which has the highest score of 3 candidates$/m,
  );
  assert.match(text, /^ok {5}endpoints: 2 of 2 endpoints get new connections$/m);
  assert.match(text, /^nothing is broken on the way to Service default\/web$/m);
});

const report = (number: number, conditions: readonly object[]) => ({
  metadata: { name: `n${number}` },
  status: { conditions },
});

const BROKEN: readonly (readonly [what: string, parts: object, step: string, says: RegExp])[] = [
  ["no LoadBalancer", { ...WELL, loadBalancers: [] }, "service", /there is no LoadBalancer/],
  [
    "another class",
    { ...WELL, services: [web({ loadBalancerClass: "example.com/other" })] },
    "service",
    /its loadBalancerClass "example\.com\/other" is not ours/,
  ],
  [
    "no address, and nobody says why",
    { services: [service("web", undefined, 7)], slices: [pods] },
    "address",
    /no controller has said why/,
  ],
  ["a pool that is gone", { ...WELL, pools: [] }, "address", /is in no AddressPool that counts/],
  [
    "a port without an id",
    { ...WELL, services: [web({ ports: [{ port: 81 }] })] },
    "ids",
    /no port has a forwarding id/,
  ],
  ["no endpoint", { services: [web()] }, "nodes", /no Service that has it has a usable endpoint/],
  [
    "no node",
    { ...WELL, pools: [pool("office", { addresses: ["172.30.0.100-172.30.0.101"], interfaces: ["eth7"] })] },
    "nodes",
    /no node may attract it/,
  ],
  [
    "a node that cannot forward",
    {
      ...WELL,
      speakers: [
        report(1, [{ type: "ForwardingReady", status: "False", reason: "IpvsUnavailable", message: "m" }]),
      ],
    },
    "forwarding",
    /^n1: IpvsUnavailable: m$/,
  ],
];
for (const [what, parts, step, says] of BROKEN) {
  test(`broken: ${what}`, () => {
    const found = explained(parts);
    assert.equal(found.broken?.step, step);
    assert.match(found.broken.says, says);
    assert.equal(explain(snapshot(parts), "default/web").exitCode, 1);
  });
}

test("why each node is no candidate, in words of its own", () => {
  const parts = {
    ...WELL,
    nodes: [
      node(1),
      node(2),
      node(3, { "node.kubernetes.io/exclude-from-external-load-balancers": "" }),
      node(4),
      node(5),
    ],
    leases: [lease(1), lease(2, { isReady: false }), lease(3), lease(4, { silentSeconds: 60 })],
  };
  const details = detailsOf(explained(parts), "nodes");
  assert.match(details, /^n2 may not: its speaker is not ready$/m);
  assert.match(details, /^n3 may not: it has the label node\.kubernetes\.io/m);
  assert.match(details, /^n4 may not: its speaker is silent$/m);
  assert.match(details, /^n5 may not: no speaker runs there$/m);
  assert.doesNotMatch(details, /n1 may not/);
});

test("Local: only nodes with a pod, and it is said of the others", () => {
  const parts = { ...WELL, services: [web({ externalTrafficPolicy: "Local" })] };
  const details = detailsOf(explained(parts), "nodes");
  assert.match(details, /^n3 may not: externalTrafficPolicy is Local, and it has no usable endpoint$/m);
});

test("each endpoint is used, or it is said why not", () => {
  const parts = {
    services: [web()],
    slices: [slice("web", { "10.244.1.1": "n1", "10.244.2.1": "n2", "127.0.0.1": "n3" }, ["10.244.2.1"])],
  };
  const details = detailsOf(explained(parts), "endpoints");
  assert.match(details, /^10\.244\.1\.1 on n1 is used$/m);
  assert.match(details, /^10\.244\.2\.1 on n2 is not used: it is not ready; connections that it has go on$/m);
  assert.match(
    details,
    /^endpoint 127\.0\.0\.1 of Service default\/web is left out: it is in 127\.0\.0\.0\/8/m,
  );
});

test("BGP: what each peer hears from each node, and that no session is up", () => {
  const peer = {
    metadata: { name: "tor", namespace: "genkan-system", uid: "p", resourceVersion: "1" },
    spec: { myASN: 64_512, peerASN: 64_513, peerAddress: "172.30.0.250", passwordSecret: { name: "tor" } },
  };
  const parts = {
    ...WELL,
    pools: [pool("office", { protocol: "bgp", addresses: ["172.30.0.100-172.30.0.101"] })],
    peers: [peer],
  };
  const found = explained(parts);
  assert.equal(found.broken?.step, "sessions");
  assert.match(found.broken.says, /^the session of n1 with peer tor is not established \(no session\)$/);
  assert.match(detailsOf(found, "sessions"), /^n2 to peer tor: no session; 172\.30\.0\.100\/32$/m);
  const bgpSessions = [{ peer: "tor", state: "Established" }];
  const speakers = [{ metadata: { name: "n2" }, status: { bgpSessions } }];
  const one = explained({ ...parts, speakers });
  assert.equal(one.broken, undefined);
  assert.match(one.steps.find(({ step }) => step === "sessions")?.says ?? "", /^some sessions are: /);
});

test("every node picks the same pod for one connection", () => {
  const client = { address: "203.0.113.7", port: 4242 };
  const { value } = explain(snapshot(WELL), "default/web", { client });
  const step = (value as Explained).steps.find(({ step: name }) => name === "connection");
  assert.equal(step?.isOk, true);
  const nodes = step.details.filter((line) => /^n\d: /.test(line));
  assert.equal(nodes.length, 3);
  const [pod, ...others] = new Set(nodes.map((line) => line.split(" -> ")[1]));
  assert.deepEqual(others, []);
  const [left = "", died = ""] = step.details.filter((line) => !nodes.includes(line));
  assert.ok(left.startsWith(`if ${pod?.split(":")[0]} left: 172.30.0.100 TCP/80 -> `), left);
  assert.match(died, /^if n\d, its node, died: 172\.30\.0\.100 TCP\/80 -> /);
  for (const line of [left, died]) assert.notEqual(line.split(" -> ")[1], pod);
});

test("since when and why its owner has an address, who had it before, and what each kernel holds", () => {
  const owner = /answered for by (\S+),/.exec(
    explained(WELL).steps.find(({ step }) => step === "nodes")?.says ?? "",
  )?.[1];
  assert.ok(owner !== undefined);
  const forwarding = { mode: "IPVS", virtualServers: 4, realServers: 12 };
  const former = [1, 2, 3, 4].map((minute) => ({
    ...{ address: "172.30.0.100", until: `2026-01-01T00:0${minute}:00Z`, reason: "nobody had it before" },
  }));
  const reported = (name: string, status: object) => ({
    metadata: { name, namespace: "genkan-system" },
    status,
  });
  const now = { address: "172.30.0.100", since: "2026-01-01T00:05:00Z", reason: "taken over from n9" };
  const others = ["n1", "n2", "n3"].filter((name) => name !== owner);
  const found = explained({
    ...WELL,
    speakers: [
      reported(owner, { addresses: [now], forwarding: { ...forwarding, programmed: true } }),
      reported(others[0] ?? "", { formerAddresses: former, forwarding }),
    ],
  });
  assert.deepEqual(detailsOf(found, "nodes").split("\n").slice(0, 4), [
    `172.30.0.100: since 2026-01-01T00:05:00Z ${owner} has it (taken over from n9)`,
    ...["04", "03", "02"].map(
      (minute) =>
        `172.30.0.100: until 2026-01-01T00:${minute}:00Z ${others[0]} had it (nobody had it before)`,
    ),
  ]);
  assert.match(
    detailsOf(found, "forwarding"),
    new RegExp(`^${owner}: 4 virtual servers with 12 real ones in IPVS, read back as planned$`, "m"),
  );
});
