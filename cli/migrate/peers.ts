/** BGPPeer of v1beta1 and v1beta2 -> BGPPeer. */
import { parseDuration } from "#api/duration.ts";
import type { Selector } from "#api/v1beta1/admission/selectors.ts";
import { uniqueSelectors } from "#cli/migrate/advertisements.ts";
import type { Converted } from "#cli/migrate/pools.ts";
import { dropUnset, inText, isMap, listOf, type Notes, type Source, type Spec } from "#cli/migrate/source.ts";

/** What v1beta1 writes where nothing is set. */
const UNSET = [
  ...[
    "peerASN",
    "localASN",
    "dynamicASN",
    "peerAddress",
    "interface",
    "sourceAddress",
    "peerPort",
    "routerID",
  ],
  ...[
    "password",
    "passwordSecret",
    "bfdProfile",
    "vrf",
    "disableMP",
    "ebgpMultiHop",
    "enableGracefulRestart",
  ],
  "dualStackAddressFamily",
];
const SHORTEST_HOLD_MS = 3_000;
const LONGEST_MS = 65_535_000;

interface Around {
  /** Ours, that Genkan is installed in. */
  readonly namespace: string;
  /** Peers of other installations, with which these have to agree. */
  readonly earlier: readonly Converted[];
}

export function convertPeers(
  sources: readonly Source[],
  { namespace, earlier }: Around,
  notes: Notes,
): Converted[] {
  const converted: Converted[] = [];
  for (const source of sources) {
    const { spec } = source;
    dropUnset(spec, UNSET);
    convertVrf(source, notes);
    convertTimers(source, notes);
    convertMultihop(source, notes);
    convertPassword(source, namespace, notes);
    convertNodes(source, notes);
    const first = (earlier[0] ?? converted[0])?.spec;
    if (first !== undefined) agreeWith(first, source, notes);
    converted.push({ source, spec });
  }
  agreeOnRouterId([...earlier, ...converted], notes);
  return converted;
}

function convertVrf(source: Source, notes: Notes): void {
  const { spec } = source;
  if (spec.vrf === undefined) return;
  const vrf = `spec.vrf: ${JSON.stringify(spec.vrf)}`;
  notes.add(source, `${vrf}: the session alone is in the VRF; how packets get in and out of it is not ours`);
  if (spec.bfdProfile === undefined) return;
  notes.add(source, `spec.bfdProfile: ${inText(spec.bfdProfile)} is not carried over: no BFD in a VRF`);
  delete spec.bfdProfile;
}

const milliseconds = (spec: Spec, name: string): number | undefined =>
  typeof spec[name] === "string" ? parseDuration(spec[name]) : undefined;

function convertTimers(source: Source, notes: Notes): void {
  const { spec } = source;
  for (const name of ["holdTime", "keepaliveTime", "connectTime"]) {
    if (spec[name] === undefined) continue;
    const value = milliseconds(spec, name);
    if (value !== undefined && value > 0) continue;
    const text = JSON.stringify(spec[name]);
    delete spec[name];
    notes.add(
      source,
      value === 0
        ? `spec.${name}: ${text} is read as unset, which is what v1beta1 meant by it`
        : `spec.${name}: ${text} is not carried over: it is not a duration`,
    );
  }
  convertHold(source, notes);
  const connect = milliseconds(spec, "connectTime");
  if (connect !== undefined && (connect < 1_000 || connect > LONGEST_MS || connect % 1_000 !== 0)) {
    notes.add(
      source,
      `spec.connectTime: ${spec.connectTime} is not carried over: 1s to 65535s in whole seconds`,
    );
    delete spec.connectTime;
  }
}

/** Upstream derives the one from the other; ours wants both, and the keepalive below the hold time. */
function convertHold(source: Source, notes: Notes): void {
  const { spec } = source;
  const keepalive = milliseconds(spec, "keepaliveTime");
  if (spec.holdTime === undefined && keepalive !== undefined) {
    spec.holdTime = `${(3 * keepalive) / 1_000}s`;
    notes.add(
      source,
      `spec.holdTime: set to ${spec.holdTime}, three times spec.keepaliveTime ${spec.keepaliveTime}`,
    );
  }
  const hold = milliseconds(spec, "holdTime");
  if (hold !== undefined && (hold < SHORTEST_HOLD_MS || hold > LONGEST_MS)) {
    const what = spec.keepaliveTime === undefined ? "is" : `and spec.keepaliveTime ${spec.keepaliveTime} are`;
    notes.add(
      source,
      `spec.holdTime: ${spec.holdTime} ${what} not carried over: at least 3s, at most 65535s`,
    );
    delete spec.holdTime;
    delete spec.keepaliveTime;
  } else if (hold !== undefined && keepalive !== undefined && keepalive >= hold) {
    const { keepaliveTime, holdTime } = spec;
    notes.add(
      source,
      `spec.keepaliveTime: ${keepaliveTime} is not carried over: not below spec.holdTime ${holdTime}`,
    );
    delete spec.keepaliveTime;
  }
}

function convertMultihop(source: Source, notes: Notes): void {
  const { spec } = source;
  const isInternal = spec.dynamicASN === "internal" || spec.peerASN === (spec.localASN ?? spec.myASN);
  if (spec.ebgpMultiHop !== true || !isInternal) return;
  delete spec.ebgpMultiHop;
  notes.add(source, "spec.ebgpMultiHop: true is not carried over: with iBGP it has no meaning");
}

function convertPassword(source: Source, namespace: string, notes: Notes): void {
  const { spec } = source;
  const secret = spec.passwordSecret;
  if (!isMap(secret)) return;
  if (spec.password !== undefined) {
    delete spec.password;
    notes.add(source, "spec.password is not carried over: spec.passwordSecret is there too");
  }
  const from = source.found.object.metadata;
  const where = secret.namespace ?? (isMap(from) ? from.namespace : undefined) ?? "metallb-system";
  spec.passwordSecret = { name: secret.name };
  if (where === namespace) return;
  notes.add(
    source,
    `spec.passwordSecret: copy Secret "${inText(secret.name)}" from "${inText(where)}" to "${namespace}"`,
  );
}

function convertNodes(source: Source, notes: Notes): void {
  const { spec } = source;
  const selectors = listOf<Selector>(spec, "nodeSelectors").filter(isMap) as unknown as Selector[];
  delete spec.nodeSelectors;
  if (selectors.length === 0) return;
  const tidy = selectors.map((selector) => ({
    ...selector,
    ...(selector.matchExpressions === undefined
      ? {}
      : {
          matchExpressions: selector.matchExpressions.map((each) => withoutIdleValues(each, source, notes)),
        }),
  }));
  spec.nodeSelectors = uniqueSelectors(tidy);
}

/** v1beta1 asks for a value where none can be. */
function withoutIdleValues(
  expression: NonNullable<Selector["matchExpressions"]>[number],
  source: Source,
  notes: Notes,
): object {
  const { key, operator, values = [] } = expression;
  if (operator === "In" || operator === "NotIn" || values.length === 0) return expression;
  notes.add(
    source,
    `spec.nodeSelectors: ${JSON.stringify(values)} of "${key}" is not carried over: ${operator} takes none`,
  );
  return { key, operator };
}

/** All of ours have one myASN; what the peer is shown stays. */
function agreeWith(first: Spec, source: Source, notes: Notes): void {
  const { spec } = source;
  if (first.myASN === spec.myASN) return;
  spec.localASN ??= spec.myASN;
  notes.add(
    source,
    `spec.myASN: ${inText(spec.myASN)} becomes ${inText(first.myASN)}, which all have; spec.localASN ${inText(spec.localASN)} is what this peer sees`,
  );
  spec.myASN = first.myASN;
}

/**
 * All of ours have one. Where they differ, each was for a node of its own: two nodes that bear the same one would end each
 * other's sessions, so none is kept, and each node shows its own address.
 */
function agreeOnRouterId(converted: readonly Converted[], notes: Notes): void {
  const ids = new Set(converted.map(({ spec }) => spec.routerID).filter((id) => id !== undefined));
  if (ids.size < 2) return;
  for (const { source, spec } of converted) {
    if (spec.routerID === undefined) continue;
    notes.add(
      source,
      `spec.routerID: ${inText(spec.routerID)} is not carried over: the peers have different ones, and ours are all the same; each node shows its own IPv4 address`,
    );
    delete spec.routerID;
  }
}
