/** Things that end by themselves or by somebody's hand, and what goes on meanwhile. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bundle } from "#cli/bundle/bundle.ts";
import { NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/e2e/patience.ts";
import { address4, ask, e2e, known, lab, NODES } from "#test/e2e/suite.ts";
import { requireAnswered, requireLossless, traffic } from "#test/e2e/traffic.ts";

const API_SILENT_MS = 20_000;

/** Cuts, kills or ends the owner of the IPv4 address and holds the rest to their promise. */
async function loses(what: string, cause: (owner: string) => Promise<void>): Promise<void> {
  const owner = await lab().owner(address4());
  requireAnswered(await traffic(what, [address4()], { cause: () => cause(owner), forMs: 15_000 }));
}

const ofSpeaker = (node: string): string[] => [
  ...["-n", NAMESPACE, "-l", "app.kubernetes.io/component=speaker"],
  ...["--field-selector", `spec.nodeName=${node}`],
];

e2e("the owner's speaker pod is deleted: answered again in time", async () => {
  await loses("speaker deleted", async (owner) => {
    await lab().kubectl(["delete", "pod", ...ofSpeaker(owner), "--wait=false"]);
  });
  await lab().available();
});

e2e("the owner's speaker is killed without a word: answered again in time", async () => {
  await loses("speaker killed", async (owner) => {
    // Of the programs of the node's network namespace the one that runs the speaker's bundle, not this script.
    const script =
      'for p in $(ip netns pids "$1"); do tr "\\0" " " </proc/$p/cmdline | grep -q "^/usr/bin/node .*/app/speaker.mjs" && kill -9 $p; done; true';
    await lab().on(owner, ["sh", "-c", script, "sh", lab().netnsOf(owner)]);
  });
  await lab().available();
});

e2e("a bundle has the killed speaker's last words, and those of the one that runs", async () => {
  // The kubelet may not have started it again yet, or not have said so.
  await until(
    "a bundle with all of them",
    async () => {
      const { logs, missing } = JSON.parse(await lab().genkan(["bundle"])) as Bundle;
      assert.deepEqual(missing, []);
      const speakers = Object.entries(logs).filter(([title]) => title.endsWith("/speaker"));
      assert.equal(speakers.length, NODES.length);
      for (const [title, text] of speakers) assert.match(text, /"msg":/, title);
      const before = Object.entries(logs).filter(([title]) => title.endsWith("/speaker (before)"));
      assert.deepEqual(
        before.map(([, text]) => text.includes('"msg":')),
        [true],
      );
      return true;
    },
    { deadlineMs: 30_000, everyMs: 1_000 },
  );
});

e2e("the owner's node is cut off: answered again in time, by another node", async () => {
  let owner = "";
  try {
    await loses("node cut off", async (node) => {
      owner = node;
      await lab().lab(["cut", node]);
    });
    assert.notEqual(await lab().owner(address4(), owner), owner);
  } finally {
    // Also where the promise was broken: else each case that follows meets a cluster without that node.
    if (owner !== "") await lab().lab(["mend", owner]);
  }
  await lab().available();
});

e2e("the controllers are killed: addresses stay, and a new Service gets one", async () => {
  const controllers = ["-n", NAMESPACE, "-l", "app.kubernetes.io/component=controller"];
  await lab().kubectl(["delete", "pod", ...controllers, "--grace-period=0", "--force", "--wait=false"]);
  await lab().apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "late", namespace: "default" },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  const [late = ""] = await lab().addresses("late", 1);
  assert.ok(!known().includes(late));
  assert.deepEqual(await lab().addresses("hello", 2), known());
  await until("an answer from the new Service", async () => (await ask(late)).pod !== "", {
    deadlineMs: 60_000,
  });
});

e2e("the API server does not answer for a while: what is announced goes on", async () => {
  await lab().available();
  const pid = Number(/kube-apiserver \((\d+)\)/.exec(await lab().lab(["status"]))?.[1]);
  const observed = await traffic("API server silent", known(), {
    cause: async () => {
      process.kill(pid, "SIGSTOP");
      try {
        await sleep(API_SILENT_MS);
      } finally {
        process.kill(pid, "SIGCONT");
      }
    },
    forMs: 10_000,
    // What is lost is sent again by TCP; who lets go of an address without the API server loses it for all of that time.
    timeoutMs: 5_000,
  });
  requireLossless(observed);
  await lab().available();
  assert.deepEqual(await lab().addresses("hello", 2), known());
});
