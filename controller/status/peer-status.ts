/** What all speakers say about one BGPPeer, as that object's status. Pure. */
import { firstLines } from "#api/and-more.ts";
import { type Condition, ConditionType, type NewCondition, setCondition } from "#api/v1beta1/conditions.ts";
import type { BGPPeer, SpeakerStatus } from "#common/kube/resource.ts";

export type PeerStatus = NonNullable<BGPPeer["status"]>;
type Session = NonNullable<NonNullable<SpeakerStatus["status"]>["bgpSessions"]>[number];

interface NodeSession {
  readonly node: string;
  readonly session: Session;
}

/** The schema's limit for lastLoss. */
const MAX_LOSS = 1_024;
/** Nodes that a message names; the rest is counted. */
const MAX_NAMED = 5;

/** Sessions with `peer`, by node. */
export function sessionsWith(peer: string, statuses: readonly SpeakerStatus[]): NodeSession[] {
  return statuses
    .flatMap(({ metadata, status }) =>
      (status?.bgpSessions ?? [])
        .filter((session) => session.peer === peer)
        .map((session) => ({ node: metadata.name, session })),
    )
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** Counts, the last loss, and the condition Established beside those that there were. */
export function peerStatusOf(
  sessions: readonly NodeSession[],
  before: { readonly conditions: readonly Condition[]; readonly generation: number | undefined },
  now: Date,
): PeerStatus {
  const down = sessions.filter(({ session }) => session.state !== "Established");
  const established = establishedCondition(sessions, down);
  const observed = before.generation === undefined ? {} : { observedGeneration: before.generation };
  const lastLoss = lastLossOf(sessions);
  return {
    configuredSessions: sessions.length,
    establishedSessions: sessions.length - down.length,
    ...(lastLoss === undefined ? {} : { lastLoss }),
    conditions: [
      ...[established, advertisedCondition(sessions)].reduce<readonly Condition[]>(
        (conditions, next) => setCondition(conditions, { ...next, ...observed }, now),
        before.conditions,
      ),
    ],
  };
}

function establishedCondition(sessions: readonly NodeSession[], down: readonly NodeSession[]): NewCondition {
  const type = ConditionType.Established;
  if (sessions.length === 0) {
    return { type, status: "False", reason: "NoSessions", message: "no speaker's node is selected" };
  }
  if (down.length === 0) return { type, status: "True", reason: "AllEstablished", message: "" };
  const message = namedNodes(down, ({ state, lastError }) => [state, lastError].filter(Boolean).join(", "));
  const reason = down.every(({ session }) => session.state === "Withheld") ? "Withheld" : "SessionsDown";
  return { type, status: "False", reason, message };
}

function keptBackBy({ keptBack = 0, withoutNextHop = 0 }: Session): string[] {
  return [
    ...(withoutNextHop > 0 ? [`${withoutNextHop} prefixes have no next hop towards this router`] : []),
    ...(keptBack > 0
      ? [`${keptBack} prefixes have more communities than a message to this router can hold`]
      : []),
  ];
}

/** What nodes keep back, of sessions that are established. */
function advertisedCondition(sessions: readonly NodeSession[]): NewCondition {
  const type = ConditionType.AllAdvertised;
  const keeping = sessions.filter(({ session }) => keptBackBy(session).length > 0);
  if (keeping.length === 0) return { type, status: "True", reason: "Advertised", message: "" };
  const message = namedNodes(keeping, (session) => keptBackBy(session).join(", "));
  const isOfHops = keeping.some(({ session }) => (session.withoutNextHop ?? 0) > 0);
  return { type, status: "False", reason: isOfHops ? "NoNextHop" : "AttributesTooLong", message };
}

/** The first nodes with their words, and how many more there are. */
function namedNodes(sessions: readonly NodeSession[], words: (session: Session) => string): string {
  const named = sessions.map(({ node, session }) => `${node}: ${words(session)}`);
  return firstLines(named, MAX_NAMED).join("; ");
}

function lastLossOf(sessions: readonly NodeSession[]): string | undefined {
  const losses = sessions.flatMap(({ node, session: { lastErrorTime: time, lastError: error } }) =>
    time === undefined || error === undefined ? [] : [{ node, time, error }],
  );
  const [last] = losses.sort((a, b) => (a.time > b.time ? -1 : 1));
  return last && `${last.node} at ${last.time}: ${last.error}`.slice(0, MAX_LOSS);
}
