/** `genkan bgp` and `genkan bfd`: the sessions of all nodes, as their speakers report them. Pure. */
import { type Answer, EXIT } from "#cli/answer.ts";
import type { Snapshot } from "#cli/read.ts";
import { speakersOf } from "#cli/speakers.ts";
import { ago, table } from "#cli/table.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";

type Status = NonNullable<SpeakerStatus["status"]>;
type SessionSnapshot = Snapshot<"speakers" | "leases">;

/** A dead speaker's report is not taken back: what it says was so once. */
interface Told {
  readonly node: string;
  readonly isSpeakerSilent: boolean;
}

interface Session {
  readonly peer: string;
  readonly address?: string;
  readonly state: string;
  readonly since?: string;
}

/** What is told of one protocol's sessions. */
interface Protocol<T extends Session> {
  readonly up: string;
  /** Beside those that both have. */
  readonly columns: Readonly<Record<string, (session: T) => string | number | undefined>>;
}

type BgpSession = NonNullable<Status["bgpSessions"]>[number];
type BfdSession = NonNullable<Status["bfdSessions"]>[number];

/** Sorted by node and peer. */
export const bgpSessionsOf = (snapshot: SessionSnapshot): readonly (BgpSession & Told)[] =>
  sessionsOf(snapshot, ({ bgpSessions = [] }) => bgpSessions);
/** Sorted by node and peer. */
export const bfdSessionsOf = (snapshot: SessionSnapshot): readonly (BfdSession & Told)[] =>
  sessionsOf(snapshot, ({ bfdSessions = [] }) => bfdSessions);

export const listBgp = (snapshot: SessionSnapshot): Answer =>
  list(snapshot, bgpSessionsOf(snapshot), {
    up: "Established",
    columns: {
      ASN: ({ remoteASN }) => remoteASN,
      ADVERTISED: ({ advertised }) => advertised,
      RECEIVED: ({ received }) => received,
      LOSSES: ({ losses }) => losses,
      MESSAGE: ({ state, warning, lastError }) => (state === "Established" ? warning : lastError),
    },
  });

export const listBfd = (snapshot: SessionSnapshot): Answer =>
  list(snapshot, bfdSessionsOf(snapshot), {
    up: "Up",
    columns: {
      DETECTION: ({ detectionTime }) => (detectionTime === undefined ? undefined : `${detectionTime} ms`),
      LOSSES: ({ losses }) => losses,
      DIAGNOSTIC: ({ diagnostic }) => diagnostic,
    },
  });

function list<T extends Session>(
  { at }: SessionSnapshot,
  rows: readonly (T & Told)[],
  { up, columns }: Protocol<T>,
): Answer {
  const lines = rows.map((row) => [
    row.node,
    row.peer,
    row.address,
    stateOf(row),
    ago(row.since, at),
    ...Object.values(columns).map((cell) => cell(row)),
  ]);
  const heads = ["NODE", "PEER", "ADDRESS", "STATE", "FOR", ...Object.keys(columns)];
  const isUp = rows.every(({ state, isSpeakerSilent }) => state === up && !isSpeakerSilent);
  return { text: table(heads, lines), value: { sessions: rows }, exitCode: isUp ? EXIT.well : EXIT.notWell };
}

function sessionsOf<T extends { readonly peer: string }>(
  { speakers, leases, at }: SessionSnapshot,
  of: (status: Status) => readonly T[],
): (T & Told)[] {
  const { live } = speakersOf(leases, at);
  return speakers
    .flatMap(({ metadata: { name: node }, status = {} }) =>
      of(status).map((session) => ({ ...session, node, isSpeakerSilent: !live.includes(node) })),
    )
    .sort((a, b) => (`${a.node} ${a.peer}` < `${b.node} ${b.peer}` ? -1 : 1));
}

const stateOf = ({ state, isSpeakerSilent }: Told & { readonly state: string }): string =>
  isSpeakerSilent ? `${state} (speaker silent)` : state;
