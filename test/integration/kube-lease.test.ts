/** Leader election against a real API server: a killed leader, a leader that is cut off, an orderly end. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "#common/kube/client.ts";
import { type LeaderElectionOptions, runLeaderElection } from "#common/kube/lease.ts";
import { leases } from "#common/kube/resource.ts";
import { watchBars } from "#test/bar.ts";
import { real, TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const TIMING = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryMs: 300 } as const;

let plane: TestPlane;
before(async () => {
  plane = await TestPlane.start();
});
after(() => plane?.[Symbol.asyncDispose]());

/** A candidate in this process, that notes when it worked. */
function stand(client: KubeClient, at: { namespace: string; identity: string }) {
  const stop = new AbortController();
  const terms: { readonly from: number; to: number | undefined }[] = [];
  const options: LeaderElectionOptions = {
    ...real,
    ...TIMING,
    ...at,
    client,
    name: "test",
    signal: stop.signal,
    onStarted: (signal) => {
      const term: { readonly from: number; to: number | undefined } = {
        from: performance.now(),
        to: undefined,
      };
      terms.push(term);
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          term.to = performance.now();
          resolve();
        });
      });
    },
  };
  const end = runLeaderElection(options);
  const leads = (): boolean => terms.length > 0 && terms.at(-1)?.to === undefined;
  return {
    terms,
    leads,
    resign: async () => {
      stop.abort();
      await end;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await end;
    },
  };
}

async function holder(namespace: string): Promise<string> {
  return (await plane.client.get(leases, "test", namespace))?.spec?.holderIdentity ?? "";
}

test("of two candidates one works, and hands over at once when it resigns", async () => {
  const namespace = await plane.namespace("resign");
  await using a = stand(plane.client, { namespace, identity: "a" });
  await until("a to lead", a.leads);
  await using b = stand(plane.client, { namespace, identity: "b" });
  await until("a renewal", async () => {
    const lease = await plane.client.get(leases, "test", namespace);
    return lease !== undefined && lease.spec?.renewTime !== lease.spec?.acquireTime;
  });
  assert.equal(b.leads(), false);
  const bars = await watchBars();
  const resignedAt = performance.now();
  await a.resign();
  await until("b to lead", b.leads);
  const took = performance.now() - resignedAt;
  await bars.hold("a lease that was given back, and need not run out,", took, TIMING.leaseDurationMs);
  const lease = await plane.client.get(leases, "test", namespace);
  assert.equal(lease?.spec?.leaseTransitions, 1);
  await b.resign();
  assert.equal(await holder(namespace), "");
});

test("a killed leader is replaced, not before its lease has run out", async () => {
  const namespace = await plane.namespace("killed");
  const child = candidate(namespace);
  try {
    await until("the child to lead", () => child.lines.includes("leads"), { deadlineMs: 20_000 });
    await using b = stand(plane.client, { namespace, identity: "b" });
    const seen = await until("the child's record", async () => (await holder(namespace)) === "child");
    assert.ok(seen);
    const bars = await watchBars();
    child.process.kill("SIGKILL");
    const killedAt = performance.now();
    await until("b to lead", b.leads, { deadlineMs: 15_000 });
    const took = performance.now() - killedAt;
    // The last renewal is at most one retry (and its jitter) old when the child dies.
    assert.ok(took >= TIMING.leaseDurationMs - 2 * TIMING.retryMs, `b led ${took} ms after the kill`);
    await bars.hold("the next one's lead", took, TIMING.leaseDurationMs + 4_000);
    await b.resign();
  } finally {
    child.process.kill("SIGKILL");
  }
});

for (const cut of ["swallow", "refuse"] as const) {
  test(`a leader that is cut off (${cut}) stops before another starts`, async () => {
    const namespace = await plane.namespace(`cut-${cut}`);
    await using proxy = await plane.proxy();
    await using a = stand(plane.through(proxy), { namespace, identity: "a" });
    await until("a to lead", a.leads);
    await using b = stand(plane.client, { namespace, identity: "b" });
    await until("b to have seen a", async () => (await holder(namespace)) === "a");
    // Swallowed is the worse case: the renewal is neither confirmed nor refused.
    proxy[cut]();
    const next = await until("b to lead", () => b.terms[0], { deadlineMs: 15_000 });
    const stoppedAt = a.terms[0]?.to;
    assert.ok(stoppedAt !== undefined, "a works on");
    assert.ok(stoppedAt < next.from, `both worked for ${stoppedAt - next.from} ms`);
    proxy.open();
    await b.resign();
    await until("a to lead again", a.leads, { deadlineMs: 15_000 });
    assert.equal(await holder(namespace), "a");
    await a.resign();
  });
}

function candidate(namespace: string): { process: ChildProcess; lines: string[] } {
  const file = fileURLToPath(new URL("candidate.ts", import.meta.url));
  const child = spawn(process.execPath, [file, plane.plane.kubeconfig, namespace, "test", "child"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  child.stdout.on("data", (chunk) => lines.push(...String(chunk).trim().split("\n")));
  return { process: child, lines };
}
