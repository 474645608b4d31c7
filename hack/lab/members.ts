/** Commands on a lab that is up: nodes come and go, are cut off and come back; images; commands inside. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "#hack/common/command.ts";
import { locked } from "#hack/common/lock.ts";
import type { Say } from "#hack/common/progress.ts";
import { type Carrier, findGuest, hostCarrier } from "#hack/lab/carrier.ts";
import { lockOf } from "#hack/lab/down.ts";
import { currentArchives, loadImages } from "#hack/lab/images.ts";
import { BIN_DIRECTORY, type Layout, LayoutError, netnsOf, nodeOf } from "#hack/lab/layout.ts";
import { routePods, unroutePods } from "#hack/lab/network.ts";
import {
  type NodeContext,
  powerOff,
  rebootNode,
  routeBetween,
  startNode,
  stopNode,
  unrouteBetween,
  waitForNodes,
} from "#hack/lab/nodes.ts";
import { loadAuthority } from "#hack/lab/pki.ts";
import { LabError, type LabState, readState, StateFile } from "#hack/lab/state.ts";
import { planeDirectory } from "#hack/lab/up.ts";

/** The lab's state; a LabError when it is not up. */
export async function requireUp(layout: Layout): Promise<LabState> {
  const state = await readState(layout);
  if (state?.phase !== "up") {
    throw new LabError(`lab ${layout.instance} is not up: npm run lab -- --instance ${layout.instance} up`);
  }
  return state;
}

/** Opens the carrier of the lab's nodes for one piece of work. */
export async function withCarrier<T>(
  layout: Layout,
  work: (carrier: Carrier, state: LabState) => Promise<T>,
) {
  const state = await requireUp(layout);
  if (state.isControlPlaneOnly) throw new LabError(`lab ${layout.instance} has a control plane only`);
  const carrier = state.carrier === "host" ? hostCarrier(layout) : await findGuest(layout);
  if (carrier === undefined) throw new LabError(`the guest of lab ${layout.instance} does not answer`);
  try {
    return await work(carrier, state);
  } finally {
    carrier.release();
  }
}

/** The same for work that changes what the lab consists of: one at a time. */
function change<T>(
  layout: Layout,
  tell: Say,
  work: (carrier: Carrier, state: LabState) => Promise<T>,
): Promise<T> {
  return locked(lockOf(layout), tell, () => withCarrier(layout, work));
}

/** Path of the administrator's kubeconfig. */
export function kubeconfigOf(layout: Layout): string {
  return join(planeDirectory(layout), "kubeconfig");
}

/** Runs a command on a node, the router, the client or this machine; resolves to its exit code. */
export async function execute(layout: Layout, place: string, argv: readonly string[]): Promise<number> {
  if (place === "host") return hostCarrier(layout).interactive(argv);
  if (place === "router" || place === "client") {
    await requireUp(layout);
    return hostCarrier(layout).interactive(argv, netnsOf(layout, place));
  }
  const node = nodeOf(layout, place);
  return withCarrier(layout, (carrier, state) => {
    requireNode(state, place);
    return carrier.interactive(argv, node.netns);
  });
}

/** Imports archives that are named into every node, wherever they lie. */
export function loadArchives(layout: Layout, archives: readonly string[], tell: Say): Promise<void> {
  return change(layout, tell, async (carrier, state) => {
    const nodes = state.nodes.map((name) => nodeOf(layout, name));
    await loadImages({ layout, carrier, nodes }, { archives, tell });
  });
}

/** Imports every archive of .lab/images that the nodes do not have. */
export function loadIntoNodes(layout: Layout, tell: Say): Promise<void> {
  return change(layout, tell, async (carrier, state) => {
    const nodes = state.nodes.map((name) => nodeOf(layout, name));
    const current = await currentArchives();
    const archives = [...current.keys()].filter((path) => !state.loaded.includes(current.get(path) ?? ""));
    await loadImages({ layout, carrier, nodes }, { archives, tell });
    await new StateFile(layout, state).update({ loaded: [...current.values()] });
    const names = archives.map((path) => basename(path)).join(", ");
    tell(names === "" ? "every node has every image of .lab/images" : `loaded into every node: ${names}`);
  });
}

/**
 * Takes the bridge's side of a node's link down or up. Resolves to when it was done: milliseconds since 1970 by the clock
 * of the machine that carries the nodes, which programs in them and in the client see, too.
 */
export function setLink(layout: Layout, name: string, direction: "down" | "up"): Promise<number> {
  return withCarrier(layout, async (carrier, state) => {
    requireNode(state, name);
    const link = nodeOf(layout, name).link;
    return Number(await carrier.script(`date +%s%3N\nip link set ${link} ${direction}`));
  });
}

export function addNode(layout: Layout, name: string, tell: Say): Promise<void> {
  const node = nodeOf(layout, name);
  return change(layout, tell, async (carrier, state) => {
    if (state.nodes.includes(name)) throw new LabError(`${name} is there already`);
    const file = new StateFile(layout, state);
    const plane = planeDirectory(layout);
    const context: NodeContext = {
      layout,
      carrier,
      kubeconfig: kubeconfigOf(layout),
      server: serverOf(layout),
      authority: await loadAuthority((part) => readFileSync(join(plane, "pki", part), "utf8")),
    };
    await file.update({ nodes: [...state.nodes, name] });
    tell(`starting ${name}`);
    const first = await startNode(context, node);
    if (first !== undefined) await file.addProcess(first);
    const all = file.value.nodes.map((other) => nodeOf(layout, other));
    await routeBetween(carrier, all);
    await routePods(layout, all);
    const current = await currentArchives();
    const archives = [...current.keys()].filter((path) => !state.seeded.includes(current.get(path) ?? ""));
    await loadImages({ layout, carrier, nodes: [node] }, { archives, tell });
    await waitForNodes(context, [node], { deadlineMs: 300_000, tell });
    tell(`${name} is Ready`);
  });
}

/** The node's programs are killed as by a power cut, then its object is deleted. */
export function removeNode(layout: Layout, name: string, tell: Say): Promise<void> {
  const node = nodeOf(layout, name);
  return change(layout, tell, async (carrier, state) => {
    requireNode(state, name);
    const rest = state.nodes.filter((other) => other !== name);
    await stopNode(carrier, node);
    await unrouteBetween(
      carrier,
      node,
      rest.map((other) => nodeOf(layout, other)),
    );
    await unroutePods(layout, node);
    await new StateFile(layout, state).update({
      nodes: rest,
      processes: state.processes.filter((record) => record.name !== name),
    });
    await kubectl(layout, ["delete", "node", name, "--ignore-not-found"]);
    tell(`${name} is gone`);
  });
}

/** A power cut; the node starts again after `offMs`, with its disk and nothing else. */
export function reboot(layout: Layout, name: string, offMs: number, tell: Say): Promise<void> {
  const node = nodeOf(layout, name);
  return change(layout, tell, async (carrier, state) => {
    requireNode(state, name);
    await powerOff(carrier, node);
    tell(`${name} is off`);
    await sleep(offMs);
    const file = new StateFile(layout, state);
    await file.update({ processes: state.processes.filter((record) => record.name !== name) });
    const first = await rebootNode(layout, carrier, node);
    if (first !== undefined) await file.addProcess(first);
    await routeBetween(
      carrier,
      state.nodes.map((other) => nodeOf(layout, other)),
    );
    tell(`${name} starts`);
  });
}

export function kubectl(layout: Layout, argv: readonly string[]): Promise<string> {
  return run([join(BIN_DIRECTORY, "kube"), "kubectl", "--kubeconfig", kubeconfigOf(layout), ...argv]);
}

function serverOf(layout: Layout): string {
  const path = kubeconfigOf(layout);
  if (!existsSync(path)) throw new LabError(`lab ${layout.instance} has no ${path}`);
  return /server: "?([^"\s]+)/.exec(readFileSync(path, "utf8"))?.[1] ?? "";
}

function requireNode(state: LabState, name: string): void {
  if (state.nodes.includes(name)) return;
  throw new LayoutError(`no node "${name}" here: there are ${state.nodes.join(", ")}`);
}
