/**
 * A change looked at before it is made, as GitOps tools and careful people do: `kubectl apply --dry-run=server` and
 * `kubectl diff`, against the real API server with the webhooks of the controllers.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { configMaps, loadBalancers } from "#common/kube/resource.ts";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { NAMESPACE } from "#test/integration/operator-process.ts";
import { inOwnNetwork } from "#test/integration/own-network.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { WebhookWorld } from "#test/integration/webhook-world.ts";
import { until } from "#test/until.ts";

const pool = (name: string, ...addresses: string[]) => ({
  apiVersion: "genkan.dev/v1beta1",
  kind: "AddressPool",
  metadata: { name, namespace: NAMESPACE },
  spec: { protocol: "layer2", addresses },
});

if (inOwnNetwork(import.meta.url)) {
  let whole: WebhookWorld;

  before(async () => {
    whole = await WebhookWorld.start(["c0"]);
    whole.startOperator();
    await whole.world.client.create(loadBalancers, {
      metadata: { name: "loadbalancer", namespace: NAMESPACE },
      spec: {},
    });
    await whole.startControllers();
  });
  after(() => whole?.[Symbol.asyncDispose]());

  interface Said {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }

  async function kubectl(argv: readonly string[], objects: readonly object[]): Promise<Said> {
    const program = join(CHECKOUT, ".lab/bin/kubectl");
    const child = spawn(program, ["--kubeconfig", whole.world.plane.plane.kubeconfig, ...argv, "-f", "-"]);
    child.stdin.end(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
    const [out, err, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise<number>((resolve) => child.once("close", resolve)),
    ]);
    return { code, out, err };
  }

  const SPLIT = [pool("old", "10.0.0.0/25"), pool("new", "10.0.0.128/25")];
  const OVERLAP = 'spec.addresses[0]: 10.0.0.128/25 overlaps 10.0.0.0/24 of AddressPool "old"';

  test("a pool that is split is previewed whole, with a warning, and then applied", async () => {
    assert.equal((await kubectl(["apply"], [pool("old", "10.0.0.0/24")])).code, 0);
    await until("the webhook to refuse what overlaps", async () => {
      const { err } = await kubectl(["create"], [pool("new", "10.0.0.128/25")]);
      return err.includes(OVERLAP);
    });
    for (const argv of [
      ["apply", "--dry-run=server"],
      ["apply", "--dry-run=server", "--server-side"],
    ]) {
      const { code, out, err } = await kubectl(argv, SPLIT);
      assert.equal(code, 0, err);
      assert.match(out, /addresspool\.genkan\.dev\/old .*\(server dry run\)\n.*\/new .*\(server dry run\)/);
      assert.ok(err.includes(`Warning: refused, unless the other one changes before: ${OVERLAP}`), err);
    }
    const difference = await kubectl(["diff"], SPLIT);
    assert.equal(difference.code, 1, "there are differences, and no error");
    assert.match(difference.out, /^-\s+- 10\.0\.0\.0\/24$/m);
    assert.match(difference.out, /^\+\s+- 10\.0\.0\.128\/25$/m);
    await until("the split to be taken", async () => (await kubectl(["apply"], SPLIT)).code === 0);
    assert.equal((await kubectl(["diff"], SPLIT)).code, 0, "a second look finds nothing to do");
  });

  test("Argo CD's configuration takes the health of all kinds by the command of the page", async () => {
    const name = { name: "argocd-cm", namespace: "argocd" };
    const theirs = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "argocd" } },
      { apiVersion: "v1", kind: "ConfigMap", metadata: name, data: { url: "https://argocd.example.com" } },
    ];
    assert.equal((await kubectl(["apply"], theirs)).code, 0);
    const { kubeconfig } = whole.world.plane.plane;
    for (const block of commandsOf("docs/gitops.md", "Wait until it is there"))
      await runBlock(block, { kubeconfig });
    const configured = await whole.world.client.get(configMaps, name.name, name.namespace);
    const { url, ...healths } = configured?.data ?? {};
    assert.equal(url, "https://argocd.example.com");
    const script = await readFile(join(CHECKOUT, "config/argocd/health.lua"), "utf8");
    assert.deepEqual(new Set(Object.values(healths)), new Set([script]));
    assert.equal(Object.keys(healths).length, 4);
  });

  test("what is wrong by itself is refused in a preview, too", async () => {
    const { code, err } = await kubectl(["apply", "--dry-run=server"], [pool("bad", "10.9.0.9-10.9.0.1")]);
    assert.equal(code, 1);
    assert.match(err, /10\.9\.0\.9-10\.9\.0\.1 is reversed/);
  });
}
