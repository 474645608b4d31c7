/** Pictures of the command line: its own functions answer about a small cluster in which one thing is wrong. Pure. */
import { explain } from "#cli/explain/command.ts";
import { status } from "#cli/status/command.ts";
import { service, slice, snapshot } from "#cli/testing/snapshot.ts";
import { conntrackTrouble } from "#speaker/host/conntrack.ts";
import { FOLDER } from "./pictures.ts";
import { type Terminal, terminalSvg } from "./terminal.ts";

const condition = (type: string, state: string, reason: string, message = "") => ({
  type,
  status: state,
  reason,
  message,
  lastTransitionTime: "2026-01-01T00:00:00Z",
});

/** Three nodes, of which one cannot track connections any more, and a Service with a pod on each. */
function cluster(): ReturnType<typeof snapshot> {
  const full = conntrackTrouble({ count: 262_144, max: 262_144 }, { isDropping: true, wasFull: false });
  const report = (number: number): object => ({
    metadata: { name: `n${number}` },
    status: {
      conditions: [
        condition("ForwardingReady", "True", "Programmed"),
        condition("FirewallOpen", "True", "NoDropSeen"),
        condition("PathsClear", "True", "NoLossSeen"),
        number === 2 && full !== undefined
          ? condition("HostSound", "False", full.reason, full.message)
          : condition("HostSound", "True", "Sound"),
      ],
    },
  });
  const valid = {
    observedGeneration: 1,
    conditions: [{ ...condition("Valid", "True", "Valid"), observedGeneration: 1 }],
  };
  const counts = { controllers: { desired: 2, ready: 2 }, speakers: { desired: 3, ready: 3 } };
  const made = snapshot();
  return snapshot({
    loadBalancers: made.loadBalancers.map((one) => ({ ...one, status: { ...valid, ...counts } })),
    pools: made.pools.map((one) => ({ ...one, status: valid })),
    services: [service("web", "172.30.0.100", 7)],
    slices: [slice("web", { "10.244.1.1": "n1", "10.244.2.1": "n2", "10.244.3.1": "n3" }, ["10.244.3.1"])],
    speakers: [1, 2, 3].map(report),
  });
}

function terminals(): Terminal[] {
  const world = cluster();
  return [
    {
      name: "cli-explain",
      title:
        "genkan explain names the first step that is broken: the table of tracked connections of a node is full",
      command: "genkan explain web",
      text: explain(world, "default/web").text,
    },
    {
      name: "cli-status",
      title: "genkan status says what is not well and what to do about it",
      command: "genkan status",
      text: status(world).text,
    },
  ];
}

/** File to write -> its text. */
export const drawTerminals = (): [string, string][] =>
  terminals().map((terminal) => [`${FOLDER}/${terminal.name}.svg`, terminalSvg(terminal)]);
