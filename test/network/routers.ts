/**
 * Network namespaces for a device under test and routers: one segment for all, and a gateway that forwards between the
 * networks behind them, so that a multihop session really crosses it.
 */
import { spawnSync } from "node:child_process";
import { ip, run } from "#test/network/namespace.ts";
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

export class Topology implements Disposable {
  readonly #prefix: string;
  readonly #made: string[] = [];

  /** @param prefix of namespaces' names, at most 6 characters */
  constructor(prefix: string) {
    this.#prefix = prefix;
    // Left over from a run that was killed.
    for (const name of ["gateway", "device", ...ROUTERS]) this.#delete(this.#name(name));
    this.#add("gateway");
    ip(`-n ${this.gateway} link add br0 type bridge
      -n ${this.gateway} link set br0 up
      -n ${this.gateway} addr add ${GATEWAY.IPv4}/16 dev br0
      -n ${this.gateway} addr add ${GATEWAY.IPv6}/64 dev br0 nodad`);
    for (const setting of [
      "ipv4.ip_forward=1",
      "ipv6.conf.all.forwarding=1",
      "ipv4.conf.all.send_redirects=0",
      "ipv4.conf.br0.send_redirects=0",
    ]) {
      run("ip", "netns", "exec", this.gateway, "sysctl", "-qw", `net.${setting}`);
    }
    this.#host("device", DEVICE);
    for (const network of ["10.9.0.0/16", "fd00:9::/64"]) this.#route(this.device, network);
    ip(`-n ${this.gateway} route add 10.8.0.0/16 via ${mainAddress.IPv4(DEVICE)}
      -n ${this.gateway} route add fd00:8::/64 via ${mainAddress.IPv6(DEVICE)}`);
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
    for (const network of ["10.8.0.0/16", "fd00:8::/64"]) this.#route(namespace, network);
    ip(`-n ${this.gateway} route add 10.9.${number}.0/24 via ${mainAddress.IPv4(number)}
      -n ${this.gateway} route add fd00:9::${number}:0/112 via ${mainAddress.IPv6(number)}`);
    for (const session of sessions) {
      addAddress(this.device, session, session.device.address);
      addAddress(namespace, session, session.peer.address);
    }
    return namespace;
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#made.splice(0)) this.#delete(namespace);
  }

  #name(part: string): string {
    return `${this.#prefix}-${part}`;
  }

  #delete(namespace: string): void {
    spawnSync("ip", ["netns", "del", namespace], { stdio: "ignore" });
  }

  #add(part: string): string {
    const namespace = this.#name(part);
    ip(`netns add ${namespace}
      -n ${namespace} link set lo up`);
    this.#made.push(namespace);
    return namespace;
  }

  #host(part: string, number: number): string {
    const namespace = this.#add(part);
    const port = `port${number}`;
    ip(`-n ${this.gateway} link add ${port} type veth peer name ${LINK} netns ${namespace}
      -n ${this.gateway} link set ${port} master br0 up
      -n ${namespace} link set ${LINK} up
      -n ${namespace} addr add ${mainAddress.IPv4(number)}/16 dev ${LINK}
      -n ${namespace} addr add ${mainAddress.IPv6(number)}/64 dev ${LINK} nodad`);
    return namespace;
  }

  #route(namespace: string, network: string): void {
    const gateway = network.includes(":") ? GATEWAY.IPv6 : GATEWAY.IPv4;
    ip(`-n ${namespace} route add ${network} via ${gateway}`);
  }
}

function addAddress(namespace: string, session: Session, address: string): void {
  const isMultihop = session.transport === "multihop";
  const link = isMultihop ? "lo" : LINK;
  if (session.family === "IPv4")
    ip(`-n ${namespace} addr add ${address}/${isMultihop ? 32 : 16} dev ${link}`);
  else ip(`-n ${namespace} addr add ${address}/${isMultihop ? 128 : 64} dev ${link} nodad`);
}
