/**
 * What is in the API server says in its status whether admission would take it, in the webhook's own words: it may have
 * come in while no webhook was up.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "yaml";
import { GROUP } from "#api/names.ts";
import {
  bfdProfiles,
  bgpPeers,
  type CustomResourceDefinition,
  customResourceDefinitions,
} from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import { runBgpStatus } from "#controller/status/bgp-status.ts";
import { real, TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

interface Said {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}

/** Active is there only while nothing acts on a kind. */
const said = (object: Said | undefined): string[] =>
  (object?.status?.conditions ?? [])
    .filter(({ type }) => type !== "Active")
    .map(({ type, status, message }) =>
      [`${type}=${status}`, ...(type === "Valid" ? [message] : [])].join(" ").trim(),
    );

test("BGPPeer and BFDProfile say whether they are valid, in the webhook's words, and again after a change", async () => {
  await using plane = await TestPlane.start();
  const { client } = plane;
  const namespace = await plane.namespace("genkan-system");
  for (const plural of ["bgppeers", "bfdprofiles", "speakerstatuses"]) {
    const path = new URL(`../../config/crd/${GROUP}_${plural}.yaml`, import.meta.url);
    const crd = parse(await readFile(path, "utf8")) as Draft<CustomResourceDefinition>;
    await client.create(customResourceDefinitions, crd);
    await until(`${plural} to be established`, async () => {
      const present = await client.get(customResourceDefinitions, `${plural}.${GROUP}`);
      return (
        present?.status?.conditions?.some((c) => c.type === "Established" && c.status === "True") === true
      );
    });
  }
  const stop = new AbortController();
  const running = runBgpStatus({ ...real, client, namespace }, stop.signal);
  try {
    const metadata = { name: "r", namespace };
    await client.create(bgpPeers, { metadata, spec: { myASN: 1, peerASN: 2, peerAddress: "10.0.0.1" } });
    await client.create(bfdProfiles, { metadata, spec: {} });
    const read = {
      BGPPeer: async () => said(await client.get(bgpPeers, "r", namespace)),
      BFDProfile: async () => said(await client.get(bfdProfiles, "r", namespace)),
    };
    const expected = {
      BGPPeer: ["AllAdvertised=True", "Established=False", "Ready=True", "Valid=True"],
      BFDProfile: ["Ready=True", "Valid=True"],
    };
    for (const kind of ["BGPPeer", "BFDProfile"] as const) {
      await until(`${kind} to say so`, async () => (await read[kind]()).length === expected[kind].length);
      assert.deepEqual(await read[kind](), expected[kind]);
    }
    const before = await client.get(bgpPeers, "r", namespace);
    await client.patch(bgpPeers, { name: "r", namespace, type: "merge", body: { spec: { peerPort: 1179 } } });
    await until("the new generation to be judged", async () => {
      const peer = await client.get(bgpPeers, "r", namespace);
      return (
        peer?.status?.conditions?.every((c) => c.observedGeneration === peer.metadata.generation) === true
      );
    });
    const after = await client.get(bgpPeers, "r", namespace);
    assert.equal(Number(after?.metadata.generation), Number(before?.metadata.generation) + 1);
    const taken = { myASN: 1, peerASN: 3, peerAddress: "10.0.0.1" };
    await client.create(bgpPeers, { metadata: { name: "slipped-in", namespace }, spec: taken });
    const words = 'Valid=False spec.peerAddress: 10.0.0.1 is the address of BGPPeer "r" on the same nodes';
    const validOf = async (name: string) => said(await client.get(bgpPeers, name, namespace)).at(-1);
    await until("the one that slipped in to say so", async () => (await validOf("slipped-in")) === words);
    assert.equal(await validOf("r"), "Valid=True");
    await client.remove(bgpPeers, "r", { namespace });
    await until("it to be valid alone", async () => (await validOf("slipped-in")) === "Valid=True");
  } finally {
    stop.abort();
    await running;
  }
});
