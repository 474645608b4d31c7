/** Paths between the device under test and a router: both families, on the segment, by link-local, and across a gateway. */
import type { BfdPeer } from "#speaker/bfd/types.ts";
import { LINK, type RouterKind, type Session, sessionsOf } from "#test/interop/session.ts";
import { run } from "#test/network/namespace.ts";
import type { Topology } from "#test/network/routers.ts";
import { until } from "#test/until.ts";
import { PROFILE } from "./profile.ts";

export interface Path {
  readonly key: string;
  readonly device: string;
  readonly peer: string;
  readonly isMultihop: boolean;
  readonly link?: string;
}

/** Addresses of one session of each kind. */
const wanted = (session: Session): boolean => session.relation === "iBGP" && session.transport !== "md5";

/** Makes the router's namespace; five paths, by name. */
export async function addPaths(
  topology: Topology,
  router: RouterKind,
): Promise<Readonly<Record<string, Path>>> {
  const sessions = sessionsOf(router).filter(wanted);
  topology.addRouter(router, sessions);
  const paths = sessions.map(({ family, transport, device, peer }): Path => {
    const isMultihop = transport === "multihop";
    return {
      key: `${isMultihop ? "multi" : "single"}${family}`,
      device: device.address,
      peer: peer.address,
      isMultihop,
    };
  });
  const [device, peer] = await Promise.all([
    linkLocal(topology.device),
    linkLocal(topology.namespaceOf(router)),
  ]);
  paths.push({ key: "linkLocal", device, peer, isMultihop: false, link: LINK });
  return Object.fromEntries(paths.map((path) => [path.key, path]));
}

/** As soon as nobody else was found to have it. */
function linkLocal(namespace: string): Promise<string> {
  return until("a link-local address", () => {
    const text = run("ip", "-n", namespace, "-6", "-o", "addr", "show", "dev", LINK, "scope", "link");
    return text.includes("tentative") ? undefined : /inet6 (\S+)\//.exec(text)?.[1];
  });
}

export const bfdPeer = (path: Path, profile: Partial<BfdPeer["profile"]> = {}): BfdPeer => ({
  key: path.key,
  address: path.peer,
  multihop: path.isMultihop,
  ...(path.link === undefined ? { sourceAddress: path.device } : { link: path.link }),
  profile: { ...PROFILE, ...profile },
});
