/** What routers hear of a Service's addresses, and what nodes' kernels do with what arrives. Pure. */
import { familyOf } from "#api/address.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import { type Step, step } from "#cli/explain/step.ts";
import { advertisedBy } from "#cli/prefixes.ts";
import type { World } from "#cli/world.ts";
import type { SpeakerStatus } from "#common/kube/resource.ts";
import type { ServiceView } from "#speaker/known/view.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";

/** undefined where no address is of a pool that is advertised. */
export function sessionsStep(
  addresses: readonly AddressPlan[],
  world: World,
  statuses: readonly SpeakerStatus[],
): Step | undefined {
  const advertised = addresses.filter(({ pool }) => world.pools.get(pool)?.protocol === "bgp");
  const nodes = [...new Set(advertised.flatMap(({ candidates }) => candidates))].sort();
  if (advertised.length === 0) return undefined;
  const details: string[] = [];
  let hasEstablished = false;
  let firstDown: string | undefined;
  for (const node of nodes) {
    const told = advertisedBy(world, node, advertised);
    if (told.length === 0) details.push(`${node} has no BGPPeer that is to hear of it`);
    for (const { peer, prefixes } of told) {
      const own = statuses.find(({ metadata }) => metadata.name === node)?.status?.bgpSessions ?? [];
      // Of a range of routers there may be several: one of them is enough for the packets to come.
      const sessions = own.filter((one) => one.peer === peer);
      const session = sessions.find(({ state }) => state === "Established") ?? sessions[0];
      const state = session?.state ?? "no session";
      const error =
        session?.lastError === undefined || state === "Established" ? "" : `: ${session.lastError}`;
      details.push(`${node} to peer ${peer}: ${state}${error}; ${prefixes.join(", ")}`);
      if (state === "Established") hasEstablished = true;
      else firstDown ??= `the session of ${node} with peer ${peer} is not established (${state}${error})`;
    }
  }
  if (!hasEstablished) {
    const why = firstDown ?? "no BGPPeer is told of it, so no router sends anything here";
    return step("sessions", false, why, details);
  }
  return step(
    "sessions",
    true,
    firstDown === undefined ? "all sessions are established" : `some sessions are: ${firstDown}`,
    details,
  );
}

const FORWARDING = ["ForwardingReady", "FirewallOpen", "PathsClear", "HostSound"] as const;

/** Of nodes that attract an address or have an endpoint: what their speakers say of the kernel, and of what is around. */
export function forwardingStep(
  nodes: readonly string[],
  {
    service,
    vips,
    speakers,
  }: Pick<ServiceView, "vips"> & { readonly service: string; readonly speakers: World["speakers"] },
  statuses: readonly SpeakerStatus[],
): Step {
  const details: string[] = [];
  let broken: string | undefined;
  for (const node of nodes) {
    const status = statuses.find(({ metadata }) => metadata.name === node)?.status;
    if (!speakers.live.includes(node)) {
      details.push(`${node}: its speaker does not run; the kernel goes on with what it was given`);
      continue;
    }
    const inKernel = entriesOf(status?.forwarding);
    if (inKernel !== undefined) details.push(`${node}: ${inKernel}`);
    const found = conditionsOf(status?.conditions ?? [], service);
    if (status === undefined) details.push(`${node}: its speaker has reported nothing yet`);
    for (const { type, status: is, reason, message } of found) {
      details.push(`${node}: ${type} is ${is} (${reason})${message === "" ? "" : `: ${message}`}`);
      if (is === "False" && !isHint(reason, vips)) broken ??= `${node}: ${reason}: ${message}`;
    }
  }
  if (broken !== undefined) return step("forwarding", false, broken, details);
  return step("forwarding", true, `no node reports a fault: ${nodes.join(", ")}`, details);
}

/** Of all Services at a node: speakers read back what they have written before they say that it is there. */
function entriesOf(forwarding: NonNullable<SpeakerStatus["status"]>["forwarding"]): string | undefined {
  if (forwarding === undefined || forwarding.mode !== "IPVS") return undefined;
  const { virtualServers = 0, realServers = 0, programmed = false } = forwarding;
  const state = programmed ? "read back as planned" : "not all of them read back yet";
  return `${virtualServers} virtual servers with ${realServers} real ones in IPVS, ${state}`;
}

/** What is worth knowing, and breaks no connection to these addresses. */
const isHint = (reason: string, vips: readonly string[]): boolean =>
  reason === "ClockJumped" || (reason === "MulticastLost" && vips.every((vip) => familyOf(vip) === "IPv4"));

/** AllServed is about all Services of a node: it counts where its message names this one. */
function conditionsOf(conditions: readonly Condition[], service: string): Condition[] {
  return conditions.filter(
    ({ type, status, message }) =>
      FORWARDING.some((name) => name === type) ||
      (type === "AllServed" && status === "False" && words(message).includes(service)),
  );
}

const words = (message: string): string[] => message.split(/[\s,;:]+/);
