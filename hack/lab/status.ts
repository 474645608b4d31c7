/** What `status` says of one instance. */
import { isRunning } from "#hack/lab/daemon.ts";
import type { Layout } from "#hack/lab/layout.ts";
import { loadLines } from "#hack/lab/load.ts";
import { kubeconfigOf, kubectl } from "#hack/lab/members.ts";
import { readState } from "#hack/lab/state.ts";
import { describe } from "#hack/lab/up.ts";

/** Lines for people; undefined when there is nothing of this instance. */
export async function statusText(layout: Layout): Promise<string | undefined> {
  const state = await readState(layout);
  if (state === undefined) return undefined;
  const dead = state.processes.filter((record) => !isRunning(record));
  const lines = [
    `lab ${layout.instance}: ${state.phase === "up" ? "up" : "not completely up"}, ${describe(state)}`,
    `  KUBECONFIG=${kubeconfigOf(layout)}`,
    `  programs: ${state.processes
      .filter(isRunning)
      .map(({ name, pid }) => `${name} (${pid})`)
      .join(", ")}`,
    ...dead.map(({ name, log }) => `  ended: ${name}, see ${log}`),
  ];
  if (!state.isControlPlaneOnly) {
    const { client, router, host } = layout;
    lines.push(
      `  host ${host.v4} ${host.v6}, router ${router.v4} ${router.v6}, client ${client.v4} ${client.v6}`,
      ...(await nodeLines(layout)),
      ...(await loadLines(state.processes)).map((line) => `  ${line}`),
    );
  }
  return lines.join("\n");
}

async function nodeLines(layout: Layout): Promise<string[]> {
  try {
    const text = await kubectl(layout, ["get", "nodes", "-o", "wide", "--request-timeout=5s"]);
    return text
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`);
  } catch (error) {
    return [`  nodes: ${error instanceof Error ? error.message : String(error)}`];
  }
}
