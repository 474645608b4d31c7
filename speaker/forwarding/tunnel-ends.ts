/**
 * Where tunnels other than ipip end on this node: links for gre, UDP ports for gue. They are made when they are asked for,
 * and go a minute after nobody asks any more, because other nodes may hear of it later. Nothing here loads a module of the
 * kernel for a tunnel that was never asked for.
 */
import { FAMILIES, type Family, familyOf } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { type Encapsulation, GRE_LINKS, type Tunnel } from "#speaker/forwarding/encapsulation.ts";
import { noTunnel } from "#speaker/forwarding/fault.ts";
import type { SysctlFiles } from "#speaker/forwarding/sysctl.ts";
import { lowerLinks, raiseLink, TUNNELS, type TunnelLink } from "#speaker/forwarding/tunnels.ts";
import type { Change, TunnelTrouble } from "#speaker/forwarding/types.ts";
import { NetlinkError, NoFamilyError } from "#speaker/netlink/error.ts";
import type { GueListener, GueListeners } from "#speaker/netlink/fou.ts";
import { listLinks } from "#speaker/netlink/link.ts";
import type { NetlinkSocket } from "#speaker/netlink/socket.ts";

const LINGER_MS = 60_000;

/** The outer addresses are those of ipip: one rule keeps all others from them. */
const GRE_ENDS: Readonly<Record<Family, TunnelLink>> = {
  // The reverse path filter asks each link for an address of its own.
  IPv4: { ...TUNNELS.IPv4, name: GRE_LINKS.IPv4, kind: "gre" },
  IPv6: { name: GRE_LINKS.IPv6, kind: "ip6gre", local: TUNNELS.IPv6.local },
};
const GUE_ENDS: readonly GueListener[] = FAMILIES.map((family) => ({
  address: TUNNELS[family].local,
  port: PORT.tunnel,
}));

export interface TunnelEndParts {
  readonly route: NetlinkSocket;
  readonly sysctls: SysctlFiles;
  readonly gue: Pick<GueListeners, "list" | "listIfLoaded" | "add" | "remove">;
}

/** One kind of them. */
interface End {
  readonly kind: Encapsulation;
  /** Whether something of it is there, without a module being loaded for the question. */
  has(): boolean;
  raise(): Change[];
  lower(): Change[];
}

export class TunnelEnds {
  readonly #ends: readonly End[];
  /** Since when nobody asks for what is there. */
  readonly #unwanted = new Map<Encapsulation, number>();
  /** Kinds that are known not to be there: only this process makes them. */
  readonly #absent = new Set<Encapsulation>();
  #taken: readonly Encapsulation[] = ["ipip"];
  #offered: readonly Encapsulation[] = [];
  #trouble: TunnelTrouble | undefined;

  constructor(parts: TunnelEndParts) {
    this.#ends = [greEnd(parts), gueEnd(parts)];
  }

  /** What comes in, ipip too, as of the last `ensure`. */
  get taken(): readonly Encapsulation[] {
    return this.#taken;
  }

  /** What others may send beside ipip. */
  get offered(): readonly Encapsulation[] {
    return this.#offered;
  }

  /** The kernel has no such tunnel as is asked for. */
  get trouble(): TunnelTrouble | undefined {
    return this.#trouble;
  }

  /** `now`: milliseconds, monotonic. Throws ForwardingError without the right to change links. */
  ensure(wanted: Tunnel, now: number): Change[] {
    const changes: Change[] = [];
    const taken: Encapsulation[] = ["ipip"];
    this.#offered = [];
    this.#trouble = undefined;
    for (const end of this.#ends) {
      if (end.kind === wanted) {
        this.#unwanted.delete(end.kind);
        this.#absent.delete(end.kind);
        if (!this.#raise(end, changes)) continue;
        this.#offered = [end.kind];
      } else if (!this.#lingers(end, now, changes)) continue;
      taken.push(end.kind);
    }
    this.#taken = taken;
    return changes;
  }

  /** Takes away all of them. Throws NetlinkError. */
  remove(): void {
    for (const end of this.#ends) if (end.has()) end.lower();
    this.#unwanted.clear();
    this.#absent.clear();
    this.#taken = ["ipip"];
    this.#offered = [];
  }

  #raise(end: End, changes: Change[]): boolean {
    try {
      changes.push(...end.raise());
      return true;
    } catch (error) {
      if (!(error instanceof NetlinkError || error instanceof NoFamilyError)) throw error;
      const { code, message } = noTunnel(error);
      if (code === "NoNetAdmin") throw error;
      this.#trouble = { code: "NoTunnelEnd", message };
      return false;
    }
  }

  #lingers(end: End, now: number, changes: Change[]): boolean {
    const { kind } = end;
    if (this.#absent.has(kind)) return false;
    if (!end.has()) {
      this.#absent.add(kind);
      return false;
    }
    const since = this.#unwanted.get(kind) ?? now;
    this.#unwanted.set(kind, since);
    if (now - since < LINGER_MS) return true;
    changes.push(...end.lower());
    this.#unwanted.delete(kind);
    this.#absent.add(kind);
    return false;
  }
}

function greEnd({ route, sysctls }: TunnelEndParts): End {
  const names = Object.values(GRE_LINKS);
  return {
    kind: "gre",
    has: () => listLinks(route).some(({ name }) => names.includes(name)),
    raise: () => FAMILIES.flatMap((family) => raiseLink(route, sysctls, GRE_ENDS[family])),
    lower: () => lowerLinks(route, names),
  };
}

function gueEnd({ gue, sysctls }: TunnelEndParts): End {
  const isOurs = (one: GueListener): boolean => GUE_ENDS.some((end) => isSame(one, end));
  const nameOf = ({ address, port }: GueListener): string => `GUE port ${port} of ${address}`;
  return {
    kind: "gue",
    has: () => gue.listIfLoaded().some(isOurs),
    raise() {
      const present = gue.list();
      // Where IPv6 is off, its link has no address that a port could be of.
      const isOff = (end: GueListener): boolean => familyOf(end.address) === "IPv6" && isWithoutIPv6(sysctls);
      const missing = GUE_ENDS.filter((end) => !isOff(end) && !present.some((one) => isSame(one, end)));
      for (const end of missing) gue.add(end);
      return missing.map((end) => ({ action: "create", kind: "link", name: nameOf(end) }));
    },
    lower() {
      const present = gue.list().filter(isOurs);
      for (const end of present) gue.remove(end);
      return present.map((end) => ({ action: "remove", kind: "link", name: nameOf(end) }));
    },
  };
}

const isWithoutIPv6 = (sysctls: SysctlFiles): boolean =>
  sysctls.read(`net.ipv6.conf.${TUNNELS.IPv6.name}.disable_ipv6`) === "1";

const isSame = (a: GueListener, b: GueListener): boolean => a.address === b.address && a.port === b.port;
