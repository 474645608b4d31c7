/**
 * `genkan history SERVICE`: which node answered for its addresses when, for how long, and why it came to. Each speaker keeps
 * the record of its own node in its report (speaker/report/former-addresses.ts); put together they are the history. Pure.
 */
import { type Answer, EXIT } from "#cli/answer.ts";
import { NoServiceError } from "#cli/explain/command.ts";
import { vipsOf } from "#cli/ours.ts";
import type { Snapshot } from "#cli/read.ts";
import { speakersOf } from "#cli/speakers.ts";
import { spoken, table } from "#cli/table.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import { keyOf } from "#common/kube/wire.ts";

export interface Stay {
  readonly address: string;
  readonly node: string;
  readonly since: string;
  /** Absent: it has it now. */
  readonly until?: string;
  /** Seconds from since to until, or to now. */
  readonly lasted: number;
  /** Seconds in which no node had it before; absent for the first that is known. */
  readonly without?: number;
  /** Why the node came to own it. */
  readonly reason: string;
}

export type HistorySnapshot = Snapshot<"services" | "speakers" | "leases">;

/** The latest of each address. */
const MOST = 100;

/** `key`: namespace/name. NoServiceError. */
export function history(snapshot: HistorySnapshot, key: string): Answer {
  const stays = staysOfService(snapshot, key);
  const lines = stays.map(({ address, node, since, lasted, without, reason, until }) => [
    address,
    node,
    since,
    until === undefined ? `${spoken(lasted)}, until now` : spoken(lasted),
    without === undefined ? undefined : spoken(without),
    reason,
  ]);
  const note =
    stays.length > 0 ? "" : "No node has answered for its addresses by layer 2, as far as speakers know.\n";
  return {
    text: table(["ADDRESS", "NODE", "SINCE", "FOR", "WITHOUT OWNER BEFORE", "WHY"], lines) + note,
    value: { service: key, stays },
    exitCode: EXIT.well,
  };
}

/** Of all addresses that the Service has now. NoServiceError. */
export function staysOfService(snapshot: HistorySnapshot, key: string): readonly Stay[] {
  const service = snapshot.services.find((one) => keyOf(one) === key);
  if (service === undefined) throw new NoServiceError(key);
  return vipsOf(service).flatMap((address) => staysOf(snapshot, address));
}

interface Record {
  readonly node: string;
  readonly since: string;
  readonly until: string | undefined;
  readonly reason: string;
}

/** In the order of time. */
export function staysOf({ speakers, leases, at }: HistorySnapshot, address: string): readonly Stay[] {
  const { live } = speakersOf(leases, at);
  const records = speakers
    .flatMap((status) => recordsOf(status, address))
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  const stays = records.map((record, index): Stay => {
    const { node, since, reason } = record;
    const next = records[index + 1];
    const before = records[index - 1];
    // A dead speaker never says that it is over: it was, when the next node had the address.
    const isPresent = record.until === undefined && (live.includes(node) || next === undefined);
    // Who was killed finds out when it starts again: then it was over long since.
    const until = isPresent ? undefined : earlier(record.until, next?.since);
    const over = before === undefined ? undefined : (before.until ?? since);
    return {
      ...{ address, node, since, reason },
      ...(until !== undefined && { until }),
      lasted: seconds(since, until ?? at.toISOString()),
      ...(over !== undefined && { without: seconds(over, since) }),
    };
  });
  return stays.slice(-MOST);
}

/** Of two times that may be missing. */
const earlier = (one: string | undefined, other: string | undefined): string | undefined =>
  one === undefined || other === undefined || Date.parse(one) < Date.parse(other) ? (one ?? other) : other;

function recordsOf({ metadata: { name: node }, status }: SpeakerStatus, address: string): Record[] {
  const { addresses = [], formerAddresses = [] } = status ?? {};
  const own = (one: { readonly address: string }): boolean => one.address === address;
  return [
    ...formerAddresses.filter(own).map(({ since, until, reason = "" }) => ({ since, until, reason })),
    ...addresses.filter(own).map(({ since, reason = "" }) => ({ since, until: undefined, reason })),
  ].flatMap(({ since, ...rest }) => (since === undefined ? [] : [{ node, since, ...rest }]));
}

/** Clocks of nodes differ a little: nothing lasts less than nothing. */
const seconds = (from: string, to: string): number =>
  Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1_000));
