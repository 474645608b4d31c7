/** What all cases of the whole cluster's test share: one lab, what was on its nodes before, and how a case is told. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { describeLoad, isStarved, loadSince, readLoad } from "#hack/common/load.ts";
import { ROOT } from "#hack/demo/shell.ts";
import { Cluster } from "#test/e2e/installation.ts";
import { INSTANCE, patiently, until } from "#test/e2e/patience.ts";

export const NODES = ["node1", "node2", "node3"] as const;
const REPORTS = join(ROOT, "build/e2e");
const TELL_EVERY_MS = 30_000;

/** What the test server answers. */
export interface Answer {
  readonly pod: string;
  readonly node: string;
  /** Whom the pod saw. */
  readonly client: string;
}

interface Suite {
  readonly cluster: Cluster;
  /** What the nodes had of their own, before Genkan. */
  readonly found: ReadonlyMap<string, string>;
}

let suite: Suite | undefined;
/** Of Service hello, once it has them. */
let addresses: readonly string[] = [];
const started = performance.now();

/** A line for whoever waits. */
export function tell(line: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(`[${String(seconds).padStart(4)} s] ${line}\n`);
}

export function lab(): Cluster {
  if (suite === undefined) throw new Error("the lab is not up");
  return suite.cluster;
}

export function foundOn(node: string): string | undefined {
  return suite?.found.get(node);
}

export function remember(given: readonly string[]): void {
  addresses = given;
}

export function known(): readonly string[] {
  if (addresses.length === 0)
    throw new Error("Service hello has no addresses: the cases before this one failed");
  return addresses;
}

/** The IPv4 one of them. */
export function address4(): string {
  return known().find((address) => !address.includes(":")) ?? "";
}

/** The lab's client, by the family of `address`. */
export function clientFor(address: string): string {
  return address.includes(":") ? `fd09:${INSTANCE}::2` : `10.9.${INSTANCE}.2`;
}

/** Rules, IPVS, sysctls and our table of a node; kube-proxy's own tables change by themselves. */
export async function stateOf(node: string): Promise<string> {
  const script =
    "ip rule; ip -6 rule; ip route show table 7077 2>/dev/null; ip -6 route show table 7077 2>/dev/null; " +
    "ipvsadm -Sn; nft list tables | grep genkan; nft list table inet foreign; " +
    "cd /proc/sys/net/ipv4/vs && grep -H . sloppy_tcp sloppy_sctp conntrack schedule_icmp expire_nodest_conn conn_reuse_mode pmtu_disc; true";
  return lab().on(node, ["sh", "-c", script]);
}

/** Waits until a node has what it had before Genkan came. */
export async function untouched(node: string): Promise<void> {
  await until(
    `nothing of ours on ${node}`,
    async () => {
      assert.equal(await stateOf(node), foundOn(node));
      return true;
    },
    { deadlineMs: 60_000, everyMs: 1_000 },
  );
}

/** One request from the client host. */
export async function ask(address: string): Promise<Answer> {
  const url = address.includes(":") ? `http://[${address}]/` : `http://${address}/`;
  return JSON.parse(
    await lab().on("client", ["curl", "-sS", "-m", String(patiently(5_000) / 1_000), url]),
  ) as Answer;
}

/** Waits until pods answer through every address, and see the client where it is ours that forwards. */
export async function answered(options: { readonly seesClient: boolean }): Promise<void> {
  for (const address of known()) {
    await until(
      `an answer through ${address}`,
      async () => {
        const { client } = await ask(address);
        if (!options.seesClient || client === clientFor(address)) return true;
        throw new Error(`the pod saw ${client}`);
      },
      { deadlineMs: 120_000, everyMs: 300 },
    );
  }
}

/** A new lab, with things of other people on its nodes. `options`: of the lab's `up`. */
export async function bringUp(options: readonly string[] = []): Promise<void> {
  const cluster = await Cluster.start(INSTANCE, options);
  const found = new Map<string, string>();
  suite = { cluster, found };
  tell("waiting for kube-proxy on each node, then putting other people's things there");
  // kube-proxy empties IPVS when it starts, whoever made what is in it.
  const script =
    "for i in $(seq 1000); do curl -sf -o /dev/null http://127.0.0.1:10256/livez && break; sleep 0.3; done; " +
    "modprobe -q ip_vs; ipvsadm -A -t 10.1.1.1:80 -s rr; " +
    "nft 'table inet foreign { chain c { tcp dport 9 counter; }; }'; true";
  await Promise.all(
    NODES.map(async (node) => {
      await cluster.on(node, ["sh", "-c", script]);
      found.set(node, await stateOf(node));
    }),
  );
}

export async function takeDown(): Promise<void> {
  await suite?.cluster[Symbol.asyncDispose]();
}

/** A case; while it runs it says so, and if it fails it shows what the cluster says about it. */
export function e2e(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    tell(name);
    const began = performance.now();
    const load = await readLoad();
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - began) / 1000);
      tell(`  still at it after ${seconds} s`);
    }, TELL_EVERY_MS);
    try {
      await body();
      const during = await loadSince(load);
      const starved = isStarved(during) ? `; ${describeLoad(during)}` : "";
      tell(`  done in ${Math.round((performance.now() - began) / 1000)} s${starved}`);
    } catch (error) {
      tell(`  FAILED: ${error instanceof Error ? error.message : String(error)}`);
      tell(`  meanwhile ${describeLoad(await loadSince(load))}`);
      await report(name);
      throw error;
    } finally {
      clearInterval(timer);
    }
  });
}

/** What the cluster says: the short story on the terminal, the whole in a file. */
export async function report(name: string): Promise<void> {
  const { brief, whole } = await lab().explain();
  process.stderr.write(`${brief}\n`);
  await mkdir(REPORTS, { recursive: true });
  const path = join(REPORTS, `${name.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 60)}.log`);
  await writeFile(path, whole);
  tell(`  all that the cluster says: ${path}`);
}
