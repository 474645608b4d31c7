/** Nodes of which one has something else for a Service in IPVS, as their digests say it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "#cli/explain/command.ts";
import { compareEntries } from "#cli/explain/entries.ts";
import { service, slice, snapshot } from "#cli/testing/snapshot.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { Digest, portNumber, settledDigest } from "#speaker/forwarding/digest.ts";
import type { ForwardedEndpoint, ForwardedPort } from "#speaker/forwarding/types.ts";

const VIP = "172.30.0.100";
const [A, B, C, GONE] = ["10.244.1.1", "10.244.2.1", "10.244.3.1", "10.244.9.9"] as const;
const LIVE = ["n1", "n2", "n3"];
const endpoint = (address: string, isServing = true): ForwardedEndpoint => ({
  ...{ address, port: 8080, isServing },
  // These are of each node's own.
  ...{ isLocal: address === A, returnPath: "direct" },
});
const port = (id: number, ...endpoints: readonly ForwardedEndpoint[]): ForwardedPort => ({
  ...{ service: "default/web", id, family: "IPv4", vip: VIP, protocol: "TCP", port: 80, scheduler: "mh" },
  ...{ affinity: false, preferLocal: false, endpoints },
});
const WELL = port(7, endpoint(A), endpoint(B));

/** Other Services beside the ports, as many nodes have them. */
function digestOf(ports: readonly ForwardedPort[], beside = 0, otherwise = 0): Digest {
  const digest = new Digest();
  for (const one of ports) digest.add(one.id, portNumber(one));
  for (let id = 1_000; id < 1_000 + beside; id += 1)
    digest.add(id, portNumber(port(id, endpoint(id < 1_000 + otherwise ? C : A))));
  return digest;
}
const reported = (node: string, digest: string): SpeakerStatus =>
  ({
    metadata: { name: node },
    status: { forwarding: { mode: "IPVS", digest } },
  }) as unknown as SpeakerStatus;
const nodes = (...digests: readonly Digest[]): SpeakerStatus[] =>
  digests.map(({ text }, at) => reported(`n${at + 1}`, text));
/** What is said where two looks find the same. */
function said(statuses: readonly SpeakerStatus[], ports = [WELL]): string | undefined {
  const { step } = compareEntries({ ports, pods: [A, B, C], live: LIVE }, statuses, statuses);
  return step === undefined || step.isOk ? undefined : step.says;
}

const kept = (one: ForwardedPort, isLocal: boolean): ForwardedPort => ({
  ...one,
  endpoints: one.endpoints.map((end) => ({ ...end, isLocal, returnPath: isLocal ? "direct" : "snat" })),
});
const UNTAKEN = settledDigest(digestOf([WELL]), new Map([[7, WELL]]));

const CASES: readonly (readonly [what: string, other: Digest, says: string | undefined])[] = [
  ["the same", digestOf([WELL]), undefined],
  ["the same but for what is each node's own", digestOf([kept(WELL, true)]), undefined],
  ["an endpoint fewer", digestOf([port(7, endpoint(A))]), `n2 does not have ${B} port 8080`],
  [
    "an endpoint of the Service's pods more",
    digestOf([port(7, endpoint(A), endpoint(B), endpoint(C))]),
    `n2 has ${C} port 8080 beside the others`,
  ],
  [
    "an endpoint without new connections",
    digestOf([port(7, endpoint(A), endpoint(B, false))]),
    `n2 gives ${B} port 8080 no new connections`,
  ],
  [
    "two that differ",
    digestOf([port(7, endpoint(A, false), endpoint(C), endpoint(B))]),
    `n2 gives ${A} port 8080 no new connections, and n2 has ${C} port 8080 beside the others`,
  ],
  ["nothing", digestOf([]), "n2 has nothing for it"],
  ["what its kernel has not taken", UNTAKEN, "the kernel of n2 has not taken all of it"],
  [
    "an endpoint that nobody knows",
    digestOf([port(7, endpoint(A), endpoint(B), endpoint(GONE))]),
    "in several endpoints, or in some that the API server does not know",
  ],
];
for (const [what, other, says] of CASES)
  test(`a node with ${what}`, () => {
    const found = said(nodes(digestOf([WELL]), other, digestOf([WELL])));
    const words = `IPVS of n2 differs from that of n1, n3 for ${VIP} TCP/80: ${says}`;
    if (says === undefined) assert.equal(found, undefined);
    else if (says.includes(" port 8080, and "))
      // Which of the two comes first is left open.
      assert.deepEqual(
        found
          ?.replace(/^.*TCP\/80: /, "")
          .split(", and ")
          .sort(),
        says.split(", and ").sort(),
      );
    else assert.equal(found, words);
  });

test("one look may have caught a change on its way; a second one that finds the same has not", () => {
  const input = { ports: [WELL], pods: [A, B, C], live: LIVE };
  const behind = nodes(digestOf([WELL]), digestOf([port(7, endpoint(A))]), digestOf([WELL]));
  const once = compareEntries(input, behind);
  assert.equal(once.step?.isOk, true);
  assert.match(once.unsure ?? "", /n2 does not have 10\.244\.2\.1 port 8080/);
  const other = nodes(digestOf([WELL]), digestOf([]), digestOf([WELL]));
  assert.equal(compareEntries(input, behind, other).step?.isOk, true, "it has moved on meanwhile");
  const well = nodes(digestOf([WELL]), digestOf([WELL]), digestOf([WELL]));
  assert.equal(compareEntries(input, behind, well).step?.isOk, true);
  const twice = compareEntries(input, behind, behind);
  assert.equal(twice.step?.isOk, false);
  assert.equal(twice.unsure, undefined);
});

test("among ten thousand Services, others that differ are not taken for this one", () => {
  const [here, there] = [digestOf([WELL], 10_000), digestOf([WELL], 10_000, 20)];
  assert.equal(said(nodes(here, there, here)), undefined);
  const lacking = digestOf([port(7, endpoint(A))], 10_000, 20);
  assert.match(said(nodes(here, lacking, here)) ?? "", /n2 does not have 10\.244\.2\.1 port 8080$/);
  const wrong = Array.from({ length: 200 }, (_, at) => port(20_000 + at, endpoint(A))).filter((one) => {
    const extended = (digest: Digest): Digest => {
      const more = digest.copy();
      more.add(one.id, portNumber(one));
      return more;
    };
    return said(nodes(extended(here), extended(there), extended(here)), [one]) !== undefined;
  });
  assert.deepEqual(wrong, []);
});

test("where nearly all differs, nothing is said of one", () => {
  const [here, there] = [digestOf([WELL], 5_000), digestOf([WELL], 5_000, 5_000)];
  const { step, unsure } = compareEntries({ ports: [WELL], pods: [], live: LIVE }, nodes(here, there, here));
  assert.equal(step?.isOk, true);
  assert.equal(unsure, undefined);
  assert.match(step.details.join("\n"), /^n2: so much of its IPVS differs/m);
});

test("whatever a status holds is no harm, and a node that says nothing is named", () => {
  const { text } = digestOf([WELL]);
  const broken = ["", "1:", "2:AAAA", `1:${"A".repeat(9_000)}`, 7, null].map((digest) =>
    reported("n2", digest as string),
  );
  for (const one of broken) {
    const statuses = [reported("n1", text), one, reported("n3", text)];
    const { step } = compareEntries({ ports: [WELL], pods: [], live: LIVE }, statuses, statuses);
    assert.equal(step?.isOk, true);
    assert.match(step.details.join("\n"), /^not said yet what IPVS has: n2$/m);
  }
  assert.deepEqual(compareEntries({ ports: [WELL], pods: [], live: LIVE }, nodes(digestOf([WELL]))), {});
});

test("explain: the first broken step is that nodes differ, once two looks say so", () => {
  const parts = (other: Digest) =>
    snapshot({
      services: [service("web", VIP, 7)],
      slices: [slice("web", { [A]: "n1", [B]: "n2" })],
      speakers: nodes(digestOf([WELL]), other, digestOf([WELL])),
    });
  const well = explain(parts(digestOf([WELL])), "default/web");
  assert.match(well.text, /^ok {5}entries: IPVS has the same for it on n1, n2, n3$/m);
  const behind = parts(digestOf([port(7, endpoint(A))]));
  const once = explain(behind, "default/web");
  assert.equal(once.exitCode, 0);
  assert.ok(once.value.unsure !== undefined);
  const twice = explain(behind, "default/web", { earlier: behind });
  assert.match(
    twice.text,
    /^broken: IPVS of n2 differs from that of n1, n3 for 172\.30\.0\.100 TCP\/80: n2 does not have 10\.244\.2\.1 port 8080$/m,
  );
  assert.equal(twice.exitCode, 1);
});
