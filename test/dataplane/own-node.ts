/** This namespace as the node of whose pods and addresses ports.ts speaks. */
import { ip } from "#test/network/namespace.ts";

/** Its link has an address, and the way to all pods. */
export function becomeNode(): void {
  ip(`link set lo up
    link add eth0 type dummy
    addr add 192.168.50.11/24 dev eth0
    link set eth0 up
    route add 10.244.0.0/16 via 192.168.50.1`);
}
