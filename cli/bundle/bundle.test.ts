import assert from "node:assert/strict";
import { test } from "node:test";
import { EXIT } from "#cli/answer.ts";
import { type Bundle, bundle } from "#cli/bundle/bundle.ts";
import type { ClusterReader, LogSelection } from "#cli/cluster.ts";
import { statusOf } from "#common/kube/answer.ts";
import { KubeError } from "#common/kube/error.ts";

const AT = new Date("2026-01-01T00:00:00Z");
const forbidden = (what: string) => new KubeError(what, statusOf({ message: "not for you" }, 403));
const meta = (name: string) => ({
  name,
  uid: name,
  resourceVersion: "1",
  creationTimestamp: AT.toISOString(),
});
const pod = (name: string, ready: boolean, restartCount = 0) => ({
  metadata: meta(name),
  status: { containerStatuses: [{ name: "speaker", ready, restartCount }] },
});

/** Of a cluster with these pods and one Node, in which `refused` are not for us. */
function world(pods: object[], refused: readonly string[] = []) {
  const logs: LogSelection[] = [];
  const cluster: ClusterReader = {
    host: "api.example:6443",
    now: () => AT,
    async list({ plural }) {
      if (refused.includes(plural)) throw forbidden(`list ${plural}`);
      if (plural === "pods") return pods as never;
      if (plural === "bfdprofiles") return undefined;
      if (plural !== "nodes") return [];
      return [{ metadata: meta("n1"), status: { images: [{ names: ["a"] }], phase: "x" } }] as never;
    },
    async log(wanted) {
      logs.push(wanted);
      if (refused.includes("pods/log")) throw forbidden("read the log");
      return `${wanted.pod} ${wanted.isBefore ? "before" : "now"}\n`;
    },
  };
  const asked = {
    status: async () => ({ text: "all is well\n", value: {}, exitCode: EXIT.well }),
    bgp: async () => {
      throw new Error("no BGP");
    },
  };
  return {
    logs,
    made: async (): Promise<Bundle> =>
      (await bundle({ cluster, namespace: "genkan-system" }, asked)).value as Bundle,
  };
}

test("answers, objects and logs are in it, and of what could not be had the reason", async () => {
  const { answers, objects, logs, missing, at } = await world([pod("a", true)], ["services"]).made();
  assert.deepEqual(answers, { status: "all is well\n" });
  assert.equal(at, AT.toISOString());
  assert.deepEqual(objects.nodes?.[0], { metadata: meta("n1"), status: { phase: "x" } });
  assert.deepEqual(logs, { "a/speaker": "a now\n" });
  assert.deepEqual(
    missing.map(({ what }) => what),
    ["genkan bgp", "bfdProfiles", "services"],
  );
  assert.match(missing[2]?.why ?? "", /not for you/);
});

test("of a container that was restarted the log before it, too", async () => {
  const { logs } = await world([pod("a", true, 2)]).made();
  assert.deepEqual(logs, { "a/speaker": "a now\n", "a/speaker (before)": "a before\n" });
});

test("of many pods those first that are not well, and that there are more is said", async () => {
  const many = Array.from({ length: 60 }, (_, at) => pod(`p${100 + at}`, at !== 59));
  const its = world(many);
  const { missing } = await its.made();
  assert.equal(its.logs.length, 40);
  assert.equal(its.logs[0]?.pod, "p159");
  assert.equal(missing.at(-1)?.why, "the bundle has those of 40 pods; 20 more are there");
});

test("logs that are not for us cost the logs alone", async () => {
  const { logs, missing } = await world([pod("a", true)], ["pods/log"]).made();
  assert.deepEqual(logs, {});
  assert.equal(missing.at(-1)?.what, "log of a/speaker");
});

test("a cluster that tells nothing makes no bundle", async () => {
  const all = [
    "pods",
    "nodes",
    "loadbalancers",
    "addresspools",
    "bgppeers",
    "bfdprofiles",
    "speakerstatuses",
  ];
  const more = ["leases", "deployments", "daemonsets", "events", "services", "endpointslices"];
  const none = world([], [...all, ...more, "validatingwebhookconfigurations"]);
  await assert.rejects(none.made(), /no BGP|not for you/);
});
