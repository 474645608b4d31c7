/** `genkan bgp` and `genkan bfd`: the sessions of all nodes, as their speakers report them. Pure. */
import { type Answer, EXIT } from "#cli/answer.ts";
import type { Snapshot } from "#cli/read.ts";
import { type Speakers, speakersOf } from "#cli/speakers.ts";
import { ago, table } from "#cli/table.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";

type Status = NonNullable<SpeakerStatus["status"]>;
type SessionSnapshot = Snapshot<"speakers" | "leases">;

/** A dead speaker's report is not taken back: what it says was so once. */
interface Told {
  readonly node: string;
  readonly isSpeakerSilent: boolean;
}

export function listBgp(snapshot: SessionSnapshot): Answer {
  const rows = sessionsOf(snapshot, ({ bgpSessions = [] }) => bgpSessions);
  const lines = rows.map((row) => [
    row.node,
    row.peer,
    row.address,
    stateOf(row),
    ago(row.since, snapshot.at),
    row.remoteASN,
    row.advertised,
    row.received,
    row.losses,
    row.state === "Established" ? row.warning : row.lastError,
  ]);
  const heads = [
    ...["NODE", "PEER", "ADDRESS", "STATE", "FOR", "ASN", "ADVERTISED", "RECEIVED", "LOSSES", "MESSAGE"],
  ];
  const isUp = rows.every(({ state, isSpeakerSilent }) => state === "Established" && !isSpeakerSilent);
  return { text: table(heads, lines), value: { sessions: rows }, exitCode: isUp ? EXIT.well : EXIT.notWell };
}

export function listBfd(snapshot: SessionSnapshot): Answer {
  const rows = sessionsOf(snapshot, ({ bfdSessions = [] }) => bfdSessions);
  const lines = rows.map((row) => [
    row.node,
    row.peer,
    row.address,
    stateOf(row),
    ago(row.since, snapshot.at),
    row.detectionTime === undefined ? undefined : `${row.detectionTime} ms`,
    row.losses,
    row.diagnostic,
  ]);
  const heads = ["NODE", "PEER", "ADDRESS", "STATE", "FOR", "DETECTION", "LOSSES", "DIAGNOSTIC"];
  const isUp = rows.every(({ state, isSpeakerSilent }) => state === "Up" && !isSpeakerSilent);
  return { text: table(heads, lines), value: { sessions: rows }, exitCode: isUp ? EXIT.well : EXIT.notWell };
}

function sessionsOf<T extends { readonly peer: string }>(
  { speakers, leases, at }: SessionSnapshot,
  of: (status: Status) => readonly T[],
): (T & Told)[] {
  const known = speakersOf(leases, at);
  return speakers
    .flatMap(({ metadata: { name: node }, status = {} }) =>
      of(status).map((session) => ({ ...session, node, isSpeakerSilent: isSilent(node, known) })),
    )
    .sort((a, b) => (`${a.node} ${a.peer}` < `${b.node} ${b.peer}` ? -1 : 1));
}

const isSilent = (node: string, { live }: Speakers): boolean => !live.includes(node);

const stateOf = ({ state, isSpeakerSilent }: Told & { readonly state: string }): string =>
  isSpeakerSilent ? `${state} (speaker silent)` : state;
