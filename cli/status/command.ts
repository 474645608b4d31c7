/** `genkan status`: is all well, and if not, what is not and what to do. Pure. */
import { firstLines } from "#api/and-more.ts";
import { printable } from "#api/printable.ts";
import { type Answer, EXIT } from "#cli/answer.ts";
import { balancerOf, isOurs } from "#cli/ours.ts";
import { type Finding, findingsOf, type StatusSnapshot } from "#cli/status/findings.ts";

/** Thousands of Services may wait for one pool: so many lines of a kind are shown, the rest is counted. */
const MAX_SHOWN = 20;

export function status(snapshot: StatusSnapshot): Answer {
  const findings = findingsOf(snapshot);
  const counts = countsOf(snapshot);
  const isWell = findings.length === 0;
  const verdict = isWell
    ? "all is well"
    : `${findings.length} ${findings.length === 1 ? "thing is" : "things are"} not well:`;
  return {
    text: [...linesOf(counts), verdict, ...shown(findings)].map((line) => `${line}\n`).join(""),
    value: { isWell, ...counts, findings },
    exitCode: isWell ? EXIT.well : EXIT.notWell,
  };
}

export interface Counts {
  readonly namespace: string;
  /** What goes on, in the words of the condition Progressing; absent if nothing does. */
  readonly progress?: string;
  readonly controllers: { readonly desired: number; readonly ready: number };
  readonly speakers: { readonly desired: number; readonly ready: number };
  readonly pools: number;
  readonly peers: number;
  readonly sessions: { readonly configured: number; readonly established: number };
  readonly services: { readonly ours: number; readonly withAddress: number };
}

export function countsOf(snapshot: StatusSnapshot): Counts {
  const { namespace, pools, peers } = snapshot;
  const balancer = balancerOf(snapshot.loadBalancers);
  const services = snapshot.services.filter(
    (service) => balancer !== undefined && isOurs(service, balancer.spec?.loadBalancerClass),
  );
  const progress = balancer?.status?.conditions?.find(
    ({ type, status }) => type === "Progressing" && status === "True",
  );
  const sum = (of: (peer: (typeof peers)[number]) => number | undefined): number =>
    peers.reduce((total, peer) => total + (of(peer) ?? 0), 0);
  return {
    namespace,
    ...(progress !== undefined && { progress: `${progress.reason}: ${progress.message}` }),
    controllers: { desired: 0, ready: 0, ...balancer?.status?.controllers },
    speakers: { desired: 0, ready: 0, ...balancer?.status?.speakers },
    pools: pools.length,
    peers: peers.length,
    sessions: {
      configured: sum(({ status }) => status?.configuredSessions),
      established: sum(({ status }) => status?.establishedSessions),
    },
    services: {
      ours: services.length,
      withAddress: services.filter(({ status }) => (status?.loadBalancer?.ingress ?? []).length > 0).length,
    },
  };
}

function linesOf({
  namespace,
  progress,
  controllers,
  speakers,
  pools,
  peers,
  sessions,
  services,
}: Counts): string[] {
  return [
    `namespace ${namespace}: ${controllers.ready} of ${controllers.desired} controllers and ${speakers.ready} of ${speakers.desired} speakers are ready`,
    `${services.withAddress} of ${services.ours} Services have an address; ${count(pools, "AddressPool")}, ${count(peers, "BGPPeer")} with ${sessions.established} of ${sessions.configured} sessions established`,
    ...(progress === undefined ? [] : [printable(`a change is on its way: ${progress}`)]),
  ];
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;

function shown(findings: readonly Finding[]): string[] {
  return [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, ofKind]) =>
    firstLines(ofKind.map(lineOf), MAX_SHOWN, ` of kind ${kind} (-o json has all)`),
  );
}

function lineOf({ kind, name, condition, reason, message, advice }: Finding): string {
  const what = condition === undefined ? reason : `${condition}, ${reason}`;
  return printable(`${kind} ${name}: ${what}: ${message}${message.endsWith(".") ? "" : "."} ${advice}`);
}
