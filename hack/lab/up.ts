/** Brings a lab up: network, control plane, nodes. Whatever is half there from before is removed first. */
import { join } from "node:path";
import { locked } from "#hack/common/lock.ts";
import type { Say } from "#hack/common/progress.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import type { KernelKind } from "#hack/guest/kernel.ts";
import { bootGuest, type Carrier, hostCarrier } from "#hack/lab/carrier.ts";
import { startControlPlane } from "#hack/lab/control-plane.ts";
import { isRunning } from "#hack/lab/daemon.ts";
import { startDns } from "#hack/lab/dns.ts";
import { lockOf, removeAll } from "#hack/lab/down.ts";
import { API_PORT, type Layout, nodeOf } from "#hack/lab/layout.ts";
import { makeNetwork, routePods } from "#hack/lab/network.ts";
import {
  type NodeContext,
  routeBetween,
  startNode,
  waitForNodes,
  waitForServiceAccount,
} from "#hack/lab/nodes.ts";
import { prepare } from "#hack/lab/prepare.ts";
import { carrySeed, ensureSeed } from "#hack/lab/seed.ts";
import { LabError, type LabState, readState, StateFile } from "#hack/lab/state.ts";
import { keepSysctls } from "#hack/lab/sysctls.ts";

export interface UpOptions {
  readonly nodes: number;
  readonly forwarding: "IPVS" | "KubeProxy";
  readonly isControlPlaneOnly: boolean;
  /** Put the nodes into the guest though this kernel would do. */
  readonly isGuestForced: boolean;
  /** The guest's kernel; the best that works here when absent. */
  readonly kernel?: KernelKind;
}

/** A second one meanwhile waits, and then finds it up. */
export function bringUp(layout: Layout, options: UpOptions, tell: Say): Promise<void> {
  return locked(lockOf(layout), tell, () => bringUpAlone(layout, options, tell));
}

async function bringUpAlone(layout: Layout, options: UpOptions, tell: Say): Promise<void> {
  const before = await readState(layout);
  if (before?.phase === "up" && before.processes.every(isRunning)) {
    requireSame(layout, before, options);
    tell(`lab ${layout.instance} is up already (${describe(before)})`);
    return;
  }
  const place = placeNodes(options);
  const { kernel } = options;
  const guest = { hasGuest: place.carrier === "guest", ...(kernel === undefined ? {} : { kernel }) };
  await prepare(guest, tell);
  await removeAll(layout, tell);
  const state = new StateFile(layout, {
    phase: "starting",
    ...place,
    forwarding: options.forwarding,
    isControlPlaneOnly: options.isControlPlaneOnly,
    nodes: [],
    processes: [],
    seeded: [],
    loaded: [],
  });
  await state.update({});
  if (options.isControlPlaneOnly)
    await waitForServiceAccount((await startPlane(layout, state, tell)).kubeconfig);
  else await startAll(layout, state, { options, tell });
  await state.update({ phase: "up" });
  tell(`lab ${layout.instance} is up: ${describe(state.value)}`);
}

/** What runs must be what is asked for. */
function requireSame(layout: Layout, state: LabState, options: UpOptions): void {
  const isSame =
    state.forwarding === options.forwarding && state.isControlPlaneOnly === options.isControlPlaneOnly;
  if (isSame) return;
  throw new LabError(
    `lab ${layout.instance} is up with other options (${describe(state)}): take it down first`,
  );
}

/** In one line: what there is, and where. */
export function describe(state: LabState): string {
  if (state.isControlPlaneOnly) return "control plane only, on loopback";
  const guest = `in a guest, ${state.kernel?.description ?? "which is starting"}`;
  const where = state.carrier === "host" ? "on this machine's kernel" : guest;
  return `${state.nodes.length} nodes ${where}: ${state.reason}`;
}

function placeNodes(options: UpOptions): Pick<LabState, "carrier" | "reason"> {
  if (options.isControlPlaneOnly) return { carrier: "host", reason: "there are no nodes" };
  if (options.isGuestForced || options.kernel !== undefined) return { carrier: "guest", reason: "asked for" };
  if (options.forwarding === "KubeProxy")
    return { carrier: "host", reason: "forwarding by kube-proxy needs no ip_vs" };
  return hasIpvs()
    ? { carrier: "host", reason: "its kernel has ip_vs" }
    : { carrier: "guest", reason: "this machine's kernel has no ip_vs" };
}

async function startPlane(layout: Layout, state: StateFile, tell: Say) {
  tell("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler");
  const isAlone = state.value.isControlPlaneOnly;
  const plane = await startControlPlane({
    dir: planeDirectory(layout),
    detached: true,
    ...(isAlone ? {} : { port: API_PORT, address: layout.host.v4, names: [layout.host.v6] }),
    onProcess: (record) => void state.addProcess(record),
  });
  tell(`the API server is ready: ${plane.server}`);
  return plane;
}

export function planeDirectory(layout: Layout): string {
  return join(layout.directory, "control-plane");
}

async function startAll(
  layout: Layout,
  state: StateFile,
  { options, tell }: { options: UpOptions; tell: Say },
): Promise<void> {
  const nodes = Array.from({ length: options.nodes }, (_, index) => nodeOf(layout, `node${index + 1}`));
  await makeNetwork(layout);
  const [plane, carrier, seed] = await settled([
    startPlane(layout, state, tell),
    openCarrier(layout, state, { kernel: options.kernel, tell }),
    ensureSeed(tell),
  ]);
  try {
    const { authority, server, kubeconfig } = plane;
    const context: NodeContext = { layout, carrier, authority, server, kubeconfig };
    await carrySeed(carrier, seed);
    tell(`starting ${nodes.map(({ name }) => name).join(", ")}`);
    await state.update({ nodes: nodes.map(({ name }) => name), seeded: seed.images, loaded: seed.images });
    await settled([
      startDns(context, (record) => void state.addProcess(record)),
      ...nodes.map(async (node) => {
        const first = await startNode(context, node);
        if (first !== undefined) await state.addProcess(first);
      }),
    ]);
    await routeBetween(carrier, nodes);
    await routePods(layout, nodes);
    await waitForNodes(context, nodes, { deadlineMs: 480_000, tell });
    await waitForServiceAccount(kubeconfig);
  } finally {
    carrier.release();
  }
}

async function openCarrier(
  layout: Layout,
  state: StateFile,
  { kernel, tell }: { kernel: KernelKind | undefined; tell: Say },
): Promise<Carrier> {
  if (state.value.carrier === "host") {
    await keepSysctls();
    return hostCarrier(layout);
  }
  tell(`booting the guest (${state.value.reason})`);
  const guest = await bootGuest(layout, kernel, tell);
  await state.addProcess(guest.process);
  await state.update({ kernel: guest.kernel });
  tell(`the guest runs: ${guest.kernel.description}`);
  return guest.carrier;
}

/** Like Promise.all, but a failure is told only when nothing of it goes on behind our back. */
async function settled<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T>;
async function settled<T>(work: ReadonlyArray<Promise<T>>): Promise<T[]>;
async function settled(work: ReadonlyArray<Promise<unknown>>): Promise<unknown> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
