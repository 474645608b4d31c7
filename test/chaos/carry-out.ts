/** Does faults to a lab, and takes them back. Everything on nodes is one script on the machine that carries them. */
import { spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ANNOTATION_SPEAKER_STATE,
  GOSSIP_SECRET_NAME,
  speakerLease,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import { systemRandom } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";
import { layoutOf, nodeOf } from "#hack/lab/layout.ts";
import { reboot, setLink, withCarrier } from "#hack/lab/members.ts";
import { readState } from "#hack/lab/state.ts";
import { type Cluster, NAMESPACE } from "#test/e2e/installation.ts";
import { until } from "#test/until.ts";
import type { LabRouter } from "#test/upstream/frr-router.ts";
import type { FaultKind } from "./faults.ts";
import type { Planned } from "./schedule.ts";
import type { World } from "./world.ts";

type Undo = () => Promise<void>;
type Act = (lab: Lab, of: Required<Omit<Planned, "kind">>) => Promise<Undo | undefined>;

const DAY_MS = 86_400_000;
/** Services that come and go while a pool is edited. */
const CHURNED = 8;

/** Does the fault; takes it back when `lastsMs` are over. Resolves when it is over. */
export async function carryOut(
  { cluster, router }: Pick<World, "cluster" | "router">,
  planned: Planned,
): Promise<void> {
  const lab = new Lab(cluster, router);
  const { node = "", other = "", lastsMs } = planned;
  const undo = await ACTS[planned.kind](lab, { node, other, lastsMs });
  if (undo === undefined) return;
  await sleep(lastsMs);
  await undo();
}

class Lab {
  readonly cluster: Cluster;
  readonly #router: LabRouter | undefined;
  readonly #layout;

  constructor(cluster: Cluster, router: LabRouter | undefined) {
    this.cluster = cluster;
    this.#router = router;
    this.#layout = layoutOf(cluster.instance);
  }

  get layout() {
    return this.#layout;
  }

  get router(): LabRouter {
    if (this.#router === undefined) throw new Error("no router has a session with the nodes");
    return this.#router;
  }

  /** As root where the nodes are. */
  script(text: string): Promise<string> {
    return withCarrier(this.#layout, (carrier) => carrier.script(text));
  }

  /** In a node's network; `sh -e`. */
  onNode(node: string, text: string): Promise<string> {
    return this.script(
      `nsenter --net=/run/netns/${nodeOf(this.#layout, node).netns} -- sh -e <<'END-OF-NODE'\n${text}\nEND-OF-NODE\n`,
    );
  }

  address(node: string): { readonly v4: string; readonly v6: string } {
    return nodeOf(this.#layout, node).address;
  }

  /** Signals every process that runs this bundle, or the one in a node's network. */
  async signal(bundle: "speaker" | "controller" | "operator", signal: string, node?: string): Promise<void> {
    // The pattern does not match its own text among the arguments of grep.
    const found = `grep -lz '^/app/${bundle}[.]mjs' /proc/[0-9]*/cmdline 2>/dev/null || true`;
    const isHere =
      node === undefined
        ? "true"
        : `[ "$(stat -Lc %i /proc/$p/ns/net)" = "$(stat -Lc %i /run/netns/${nodeOf(this.#layout, node).netns})" ]`;
    await this.script(`count=0
for f in $(${found}); do p=\${f#/proc/}; p=\${p%/cmdline}
if ${isHere}; then kill -${signal} $p && count=$((count+1)); fi
done
[ $count -gt 0 ] || { echo "nobody runs ${bundle}.mjs" >&2; exit 1; }`);
  }

  async program(name: "etcd" | "kube-apiserver"): Promise<number> {
    const state = await readState(this.#layout);
    const known = state?.processes.find((one) => one.name === name)?.pid;
    const pid = RESTARTED.get(name) ?? known;
    if (pid === undefined) throw new Error(`the lab has no ${name}`);
    return pid;
  }

  /** SIGKILL, and the same program again after `offMs`. */
  async restart(name: "etcd" | "kube-apiserver", offMs: number): Promise<void> {
    const pid = await this.program(name);
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    process.kill(pid, "SIGKILL");
    await sleep(offMs);
    const log = openSync(`${this.#layout.directory}/control-plane/${name}.log`, "a");
    const [program = "", ...rest] = argv;
    const child = spawn(program, rest, { stdio: ["ignore", log, log], detached: true });
    child.unref();
    if (child.pid !== undefined) RESTARTED.set(name, child.pid);
  }

  kubectl(...argv: string[]): Promise<string> {
    return this.cluster.kubectl([...argv, "--request-timeout=10s"]);
  }

  patch(what: readonly string[], patch: object, ...more: string[]): Promise<string> {
    const body = JSON.stringify(patch);
    return this.kubectl("patch", ...what, "-n", NAMESPACE, "--type=merge", "-p", body, ...more);
  }
}

/** Programs of the control plane that were started again. */
const RESTARTED = new Map<string, number>();

const stop =
  (bundle: "speaker" | "controller" | "operator"): Act =>
  async (lab, { node }) => {
    const where = bundle === "speaker" ? node : undefined;
    await lab.signal(bundle, "STOP", where);
    return () => lab.signal(bundle, "CONT", where);
  };

const kill =
  (bundle: "speaker" | "controller" | "operator"): Act =>
  async (lab, { node }) => {
    await lab.signal(bundle, "KILL", bundle === "speaker" ? node : undefined);
    return undefined;
  };

const stopProgram =
  (name: "etcd" | "kube-apiserver"): Act =>
  async (lab) => {
    const pid = await lab.program(name);
    process.kill(pid, "SIGSTOP");
    return async () => void process.kill(pid, "SIGCONT");
  };

const killProgram =
  (name: "etcd" | "kube-apiserver"): Act =>
  async (lab, { lastsMs }) => {
    await lab.restart(name, lastsMs);
    return undefined;
  };

/** A chain of a table of its own, which goes with it. */
async function rain(lab: Lab, nodes: readonly string[], rulesOf: (node: string) => string): Promise<Undo> {
  const one = (node: string, text: string): Promise<string> =>
    lab.onNode(node, `nft -f - <<'END'\n${text}\nEND`);
  for (const node of nodes)
    await one(
      node,
      `table inet chaos { chain in { type filter hook prerouting priority -400; ${rulesOf(node)} }; }`,
    );
  return async () => {
    for (const node of nodes) await one(node, "delete table inet chaos");
  };
}

const ACTS: Readonly<Record<FaultKind, Act>> = {
  "speaker-kill": kill("speaker"),
  "speaker-stop": stop("speaker"),
  "controller-kill": kill("controller"),
  "controller-stop": stop("controller"),
  "operator-kill": kill("operator"),
  "operator-stop": stop("operator"),
  "api-stop": stopProgram("kube-apiserver"),
  "api-kill": killProgram("kube-apiserver"),
  "etcd-stop": stopProgram("etcd"),
  "etcd-kill": killProgram("etcd"),
  "api-slow": async (lab, { lastsMs }) => {
    const pid = await lab.program("kube-apiserver");
    const end = performance.now() + lastsMs;
    try {
      while (performance.now() < end) {
        process.kill(pid, "SIGSTOP");
        await sleep(400);
        process.kill(pid, "SIGCONT");
        await sleep(100);
      }
    } finally {
      process.kill(pid, "SIGCONT");
    }
    return undefined;
  },
  "cable-cut": async (lab, { node }) => {
    await setLink(lab.layout, node, "down");
    return async () => {
      await setLink(lab.layout, node, "up");
    };
  },
  "pair-cut": (lab, { node, other }) =>
    rain(lab, [node, other], (one) => {
      const { v4, v6 } = lab.address(one === node ? other : node);
      return `ip saddr ${v4} drop; ip6 saddr ${v6} drop;`;
    }),
  "gossip-loss": (lab, { node }) =>
    rain(lab, [node], () => "udp dport 7474 numgen random mod 100 < 20 drop;"),
  "ipvs-clear": async (lab, { node }) => {
    await lab.onNode(node, "ipvsadm -C");
    return undefined;
  },
  "table-delete": async (lab, { node }) => {
    await lab.onNode(node, "nft list tables | grep genkan | while read -r table; do nft delete $table; done");
    return undefined;
  },
  "rules-delete": async (lab, { node }) => {
    const family = (flag: string): string =>
      `ip ${flag} rule show | sed -n 's/^\\([0-9]*\\):.*lookup 7077.*/\\1/p' | while read -r p; do ip ${flag} rule del pref $p; done
ip ${flag} route flush table 7077 2>/dev/null || true`;
    await lab.onNode(node, [family("-4"), family("-6")].join("\n"));
    return undefined;
  },
  "node-reboot": async (lab, { node, lastsMs }) => {
    await reboot(lab.layout, node, lastsMs, () => undefined);
    await lab.kubectl("wait", `node/${node}`, "--for=condition=Ready", "--timeout=120s").catch(() => "");
    return undefined;
  },
  "gossip-secret": async (lab) => {
    await lab.kubectl("delete", "secret", GOSSIP_SECRET_NAME, "-n", NAMESPACE);
    return undefined;
  },
  "webhook-secret": async (lab) => {
    await lab.kubectl("delete", "secret", WEBHOOK_SECRET_NAME, "-n", NAMESPACE);
    return undefined;
  },
  "certificate-expired": async (lab) => {
    const long = new Date(Date.now() - 20 * 365 * DAY_MS);
    const old = selfSigned({ commonName: "old", dnsNames: ["old"], now: long, random: systemRandom });
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const data = { "tls.crt": base64(old.cert), "tls.key": base64(old.key), "ca.crt": base64(old.cert) };
    await lab.patch(["secret", WEBHOOK_SECRET_NAME], { data });
    return undefined;
  },
  "pool-edit": editPool,
  "lease-corrupt": async (lab, { node }) => {
    await lab.patch(["lease", speakerLease(node)], {
      metadata: { annotations: { [ANNOTATION_SPEAKER_STATE]: '{"links":"\u0000' } },
      spec: { holderIdentity: "somebody else" },
    });
    return undefined;
  },
  "status-corrupt": async (lab, { node }) => {
    const status = { addresses: [{ address: "10.0.0.1", since: "1970-01-01T00:00:00Z" }], build: "\u0001" };
    await lab.patch(["speakerstatus", node], { status }, "--subresource=status");
    return undefined;
  },
  "ids-corrupt": async (lab) => {
    const status = { conditions: [] };
    const argv = ["service", "hello", "-n", "default", "--subresource=status", "--type=merge"];
    await lab.kubectl("patch", ...argv, "-p", JSON.stringify({ status }));
    return undefined;
  },
  // The disk is a file system in memory: it may grow no more. To fill it would take the memory of the nodes' programs.
  "disk-full": async (lab) => {
    const path = await withCarrier(lab.layout, async ({ directory }) => directory);
    const used = `$(df -k --output=used ${path} | tail -n 1 | tr -d ' ')`;
    await lab.script(`mount -o remount,size=${used}k ${path}`);
    return async () => void (await lab.script(`mount -o remount,size=80% ${path}`));
  },
  "clock-jump": async (lab) => {
    const jump = (by: string): Promise<string> => lab.script(`date -s "@$(( $(date +%s) ${by} ))"`);
    await jump("+ 300");
    return async () => void (await jump("- 300"));
  },
  "router-restart": async (lab, { lastsMs }) => {
    await lab.router.restartBgpd(lastsMs);
    return undefined;
  },
  "session-reset": async (lab) => {
    await lab.router.shell("clear bgp *");
    return undefined;
  },
  "session-cut": async (lab, { node }) => {
    const { v4 } = lab.address(node);
    const rule = `ip saddr ${v4} tcp sport 179 drop; ip saddr ${v4} tcp dport 179 drop;`;
    const chain = `chain in { type filter hook prerouting priority -400; ${rule} };`;
    await lab.router.nft(`table inet chaos { ${chain} }`);
    return () => lab.router.nft("delete table inet chaos");
  },
};

async function editPool(lab: Lab, { lastsMs }: { readonly lastsMs: number }): Promise<undefined> {
  const { instance } = lab.cluster;
  const end = performance.now() + lastsMs;
  const pool = (last: number) => ({
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: { name: "chaos", namespace: NAMESPACE },
    spec: { protocol: "layer2", addresses: [`172.30.${instance}.100-172.30.${instance}.${last}`] },
  });
  const names = Array.from({ length: CHURNED }, (_, at) => `churn-${at}`);
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default", annotations: { "genkan.dev/address-pool": "chaos" } },
    spec: { type: "LoadBalancer", selector: { app: "hello" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await until("the pool to be admitted", () => lab.cluster.apply(pool(103)), {
    deadlineMs: 60_000,
    everyMs: 1_000,
  });
  try {
    for (let last = 104; performance.now() < end; last = 102 + ((last + 1) % 7)) {
      await lab.cluster.apply({ apiVersion: "v1", kind: "List", items: names.map(service) });
      await lab.cluster.apply(pool(last));
      await lab.kubectl("delete", "service", ...names.slice(0, 4), "-n", "default", "--wait=false");
    }
  } finally {
    await lab.kubectl("delete", "service", ...names, "-n", "default", "--ignore-not-found");
    await lab.kubectl("delete", "addresspool", "chaos", "-n", NAMESPACE, "--ignore-not-found");
  }
  return undefined;
}
