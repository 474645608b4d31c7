/**
 * Network namespaces for a device under test and routers: one segment for all, and a gateway that forwards between the
 * networks behind them, so that a multihop session really crosses it.
 */

import { bridgeLines, cableLines, namespaceLines, routeLines, sysctlLines } from "#hack/common/networks.ts";
import { build, ip, removeNamespaces } from "#test/network/namespace.ts";
import {
  GATEWAY,
  LINK,
  mainAddress,
  numberOf,
  ROUTERS,
  type RouterKind,
  type Session,
} from "../interop/session.ts";

/** Number of the device under test, as routers have theirs. */
const DEVICE = 0;
const VIA_GATEWAY = [GATEWAY.IPv4, GATEWAY.IPv6];
/** A gateway between two networks behind one link must not tell hosts of a shorter way. */
const FORWARDING = [
  "net.ipv4.ip_forward=1",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv4.conf.all.send_redirects=0",
  "net.ipv4.conf.br0.send_redirects=0",
];

const mainAddresses = (number: number): string[] => [mainAddress.IPv4(number), mainAddress.IPv6(number)];

export class Topology implements Disposable {
  readonly #prefix: string;
  readonly #made: string[] = [];

  /** @param prefix of namespaces' names, at most 6 characters */
  constructor(prefix: string) {
    this.#prefix = prefix;
    // Left over from a run that was killed.
    removeNamespaces(["gateway", "device", ...ROUTERS].map((name) => this.#name(name)));
    const { gateway } = this;
    const addresses = [`${GATEWAY.IPv4}/16`, `${GATEWAY.IPv6}/64`];
    build(
      this.#namespace("gateway"),
      bridgeLines({ namespace: gateway, link: "br0", addresses }),
      sysctlLines(gateway, FORWARDING),
    );
    this.#host("device", DEVICE);
    build(
      routeLines(this.device, ["10.9.0.0/16", "fd00:9::/64"], VIA_GATEWAY),
      routeLines(gateway, ["10.8.0.0/16", "fd00:8::/64"], mainAddresses(DEVICE)),
    );
  }

  get gateway(): string {
    return this.#name("gateway");
  }

  get device(): string {
    return this.#name("device");
  }

  namespaceOf(router: RouterKind): string {
    return this.#name(router);
  }

  /** A namespace for the router, with the addresses of both ends of its sessions. */
  addRouter(router: RouterKind, sessions: readonly Session[]): string {
    const number = numberOf(router);
    const namespace = this.#host(router, number);
    build(
      routeLines(namespace, ["10.8.0.0/16", "fd00:8::/64"], VIA_GATEWAY),
      routeLines(this.gateway, [`10.9.${number}.0/24`, `fd00:9::${number}:0/112`], mainAddresses(number)),
    );
    for (const session of sessions) {
      addAddress(this.device, session, session.device.address);
      addAddress(namespace, session, session.peer.address);
    }
    return namespace;
  }

  [Symbol.dispose](): void {
    removeNamespaces(this.#made.splice(0));
  }

  #name(part: string): string {
    return `${this.#prefix}-${part}`;
  }

  /** Of a namespace that is removed in the end. */
  #namespace(part: string): string[] {
    this.#made.push(this.#name(part));
    return namespaceLines(this.#name(part));
  }

  #host(part: string, number: number): string {
    const namespace = this.#name(part);
    const addresses = [`${mainAddress.IPv4(number)}/16`, `${mainAddress.IPv6(number)}/64`];
    build(
      this.#namespace(part),
      cableLines(
        { namespace: this.gateway, link: `port${number}`, bridge: "br0" },
        { namespace, link: LINK, addresses },
      ),
    );
    return namespace;
  }
}

function addAddress(namespace: string, session: Session, address: string): void {
  const isMultihop = session.transport === "multihop";
  const link = isMultihop ? "lo" : LINK;
  if (session.family === "IPv4")
    ip(`-n ${namespace} addr add ${address}/${isMultihop ? 32 : 16} dev ${link}`);
  else ip(`-n ${namespace} addr add ${address}/${isMultihop ? 128 : 64} dev ${link} nodad`);
}
