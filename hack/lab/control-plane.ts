/**
 * etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine. Without more said
 * they listen on loopback at free ports and die with the process that started them: what integration tests need.
 *
 *   const plane = await startControlPlane({ dir });
 *   try { ... plane.kubeconfig ... } finally { await plane.stop(); }
 */

import { mkdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { freePorts } from "#hack/common/ports.ts";
import { type ProcessRecord, startDaemon, stopDaemon, waitForDaemon } from "#hack/lab/daemon.ts";
import { kubeconfig } from "#hack/lab/kubeconfig.ts";
import { BIN_DIRECTORY, SERVICE_RANGES } from "#hack/lab/layout.ts";
import { type Authority, type Credential, createAuthority, createServiceAccountKeys } from "#hack/lab/pki.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";

const READY_MS = 60_000;
/**
 * Of programs that live as long as a test: Go collects their garbage less often. Until the API server is ready that is a
 * quarter less computing, and it takes 110 MB more.
 */
const SHORT_LIVED = { GOGC: "400" } as const;

export type ControlPlaneProgram = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

export interface ControlPlaneOptions {
  /** Certificates, data, logs and the kubeconfig go here; made anew. */
  readonly dir: string;
  /** Of the API server; a free one when absent. */
  readonly port?: number;
  /** Where the API server listens, and what it tells nodes and pods; 127.0.0.1 when absent. */
  readonly address?: string;
  /** More names and addresses for the serving certificate. */
  readonly names?: readonly string[];
  /** Leave the processes running when this process ends. */
  readonly detached?: boolean;
  /** More flags for kube-apiserver, for example of its audit log. */
  readonly apiServerFlags?: readonly string[];
  /** Told of each process as soon as it runs. */
  readonly onProcess?: (record: ProcessRecord) => void;
  /** All four when absent; etcd and kube-apiserver always run. */
  readonly programs?: readonly ControlPlaneProgram[];
}

export interface ControlPlane {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** URL of the API server. */
  readonly server: string;
  readonly authority: Authority;
  /** Processes that run now. */
  processes(): ProcessRecord[];
  /** Ends one program (SIGTERM) and waits for its end; its data stays. */
  stopProgram(program: ControlPlaneProgram): Promise<void>;
  /** Starts it again, at the same port; the API server is ready when this resolves. */
  startProgram(program: ControlPlaneProgram): Promise<void>;
  /** Ends everything. */
  stop(): Promise<void>;
}

interface Plan {
  readonly dir: string;
  readonly address: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly apiServerFlags: readonly string[];
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  await ensurePrograms(["kube"]);
  const [first = 0, second = 0, third = 0] = await freePorts(3);
  const plan: Plan = {
    dir: options.dir,
    address: options.address ?? "127.0.0.1",
    port: options.port ?? first,
    etcdPort: second,
    etcdPeerPort: third,
    apiServerFlags: options.apiServerFlags ?? [],
  };
  await rm(plan.dir, { recursive: true, force: true });
  await mkdir(join(plan.dir, "pki"), { recursive: true, mode: 0o700 });
  const { authority, admin } = await writeFiles(plan, options.names ?? []);
  const running = new Map<ControlPlaneProgram, ProcessRecord>();
  const startProgram = async (program: ControlPlaneProgram): Promise<void> => {
    if (running.has(program)) return;
    const record = await startDaemon([join(BIN_DIRECTORY, "kube"), ...argumentsOf(program, plan)], {
      name: program,
      log: join(plan.dir, `${program}.log`),
      outlivesUs: options.detached === true,
      ...(options.detached !== true && { environment: SHORT_LIVED }),
    });
    running.set(program, record);
    options.onProcess?.(record);
    if (program === "kube-apiserver") {
      await waitForDaemon(record, () => isReady(plan, authority.certificate, admin), READY_MS);
    }
  };
  const stopProgram = async (program: ControlPlaneProgram): Promise<void> => {
    const record = running.get(program);
    if (record !== undefined) await stopDaemon(record);
    running.delete(program);
  };
  const stop = async (): Promise<void> => {
    for (const program of [...running.keys()].reverse()) await stopProgram(program);
  };
  const wanted = options.programs ?? ["kube-controller-manager", "kube-scheduler"];
  try {
    for (const program of new Set(["etcd", "kube-apiserver", ...wanted] as const))
      await startProgram(program);
  } catch (error) {
    if (options.detached !== true) await stop();
    throw error;
  }
  return {
    kubeconfig: join(plan.dir, "kubeconfig"),
    server: `https://${plan.address}:${plan.port}`,
    authority,
    processes: () => [...running.values()],
    startProgram,
    stopProgram,
    stop,
  };
}

async function writeFiles(
  plan: Plan,
  names: readonly string[],
): Promise<{ authority: Authority; admin: Credential }> {
  const authority = await createAuthority("genkan-lab");
  const pki = (name: string, text: string) => writeFile(join(plan.dir, "pki", name), text, { mode: 0o600 });
  const serving = await authority.issue({
    commonName: "kube-apiserver",
    names: [
      ...["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
      ...["kubernetes.default.svc.cluster.local", "127.0.0.1", "::1", "10.96.0.1", "fd00:96::1"],
      ...new Set([plan.address, ...names].filter((name) => name !== "127.0.0.1")),
    ],
  });
  const toKubelets = await authority.issue({ commonName: "kube-apiserver", organization: "system:masters" });
  const serviceAccounts = createServiceAccountKeys();
  await Promise.all([
    pki("ca.crt", authority.certificate),
    pki("ca.key", authority.key),
    pki("apiserver.crt", serving.certificate),
    pki("apiserver.key", serving.key),
    pki("kubelet-client.crt", toKubelets.certificate),
    pki("kubelet-client.key", toKubelets.key),
    pki("sa.pub", serviceAccounts.publicKey),
    pki("sa.key", serviceAccounts.privateKey),
  ]);
  const admin = await authority.issue({ commonName: "admin", organization: "system:masters" });
  const server = `https://${plan.address}:${plan.port}`;
  const files: Array<[string, Credential]> = [
    ["kubeconfig", admin],
    [
      "controller-manager.kubeconfig",
      await authority.issue({ commonName: "system:kube-controller-manager" }),
    ],
    ["scheduler.kubeconfig", await authority.issue({ commonName: "system:kube-scheduler" })],
  ];
  for (const [file, user] of files) {
    const text = kubeconfig({ server, authority: authority.certificate, user, name: "genkan-lab" });
    await writeFile(join(plan.dir, file), text, { mode: 0o600 });
  }
  return { authority, admin };
}

function argumentsOf(program: ControlPlaneProgram, plan: Plan): string[] {
  const pki = (name: string): string => join(plan.dir, "pki", name);
  const etcd = `http://127.0.0.1:${plan.etcdPort}`;
  if (program === "etcd") {
    const peer = `http://127.0.0.1:${plan.etcdPeerPort}`;
    return [
      "etcd",
      `--data-dir=${join(plan.dir, "etcd")}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // A lab's data need not survive a crash of the machine.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ];
  }
  if (program === "kube-apiserver") {
    return [
      program,
      `--etcd-servers=${etcd}`,
      `--bind-address=${plan.address}`,
      `--advertise-address=${plan.address}`,
      `--secure-port=${plan.port}`,
      `--service-cluster-ip-range=${SERVICE_RANGES.join(",")}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--anonymous-auth=true",
      "--allow-privileged=true",
      // Webhooks are called at their pods' addresses: this machine has no way to cluster IPs.
      "--enable-aggregator-routing=true",
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${pki("sa.pub")}`,
      `--service-account-signing-key-file=${pki("sa.key")}`,
      `--client-ca-file=${pki("ca.crt")}`,
      `--tls-cert-file=${pki("apiserver.crt")}`,
      `--tls-private-key-file=${pki("apiserver.key")}`,
      `--kubelet-certificate-authority=${pki("ca.crt")}`,
      `--kubelet-client-certificate=${pki("kubelet-client.crt")}`,
      `--kubelet-client-key=${pki("kubelet-client.key")}`,
      "--kubelet-preferred-address-types=InternalIP",
      ...plan.apiServerFlags,
    ];
  }
  const common = ["--leader-elect=false", "--secure-port=0"];
  if (program === "kube-scheduler") {
    return [program, `--kubeconfig=${join(plan.dir, "scheduler.kubeconfig")}`, ...common];
  }
  return [
    program,
    `--kubeconfig=${join(plan.dir, "controller-manager.kubeconfig")}`,
    ...common,
    "--allocate-node-cidrs=false",
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${pki("sa.key")}`,
    `--root-ca-file=${pki("ca.crt")}`,
  ];
}

/** As the administrator sees it, certificate verified. */
function isReady(plan: Plan, ca: string, admin: Credential): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: plan.address,
        port: plan.port,
        path: "/readyz",
        ca,
        cert: admin.certificate,
        key: admin.key,
        agent: false,
        timeout: 5000,
      },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode === 200));
      },
    );
    call.once("timeout", () => call.destroy());
    // Not listening yet.
    call.once("error", () => resolve(false));
    call.end();
  });
}
