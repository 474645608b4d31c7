/** The lab's layer 2 and what stands around the nodes: this machine, a router, and a client behind the router. */
import { readFile } from "node:fs/promises";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { runScript } from "#hack/common/command.ts";
import { bridgeLines, cableLines, routeLines, sysctlLines } from "#hack/common/networks.ts";
import { type Layout, type NodeLayout, netnsOf } from "#hack/lab/layout.ts";
import { namespaceScript } from "#hack/lab/node-script.ts";

/** Makes the bridge, the router and the client. Nothing of the instance may be there. */
export async function makeNetwork(layout: Layout): Promise<void> {
  const { bridge, host } = layout;
  const lines = [
    ...bridgeLines({ link: bridge }, "mcast_snooping 0"),
    `ip link set ${bridge} alias ${CHECKOUT}`,
    `sysctl -qw net.ipv6.conf.${bridge}.disable_ipv6=0`,
    `ip addr add ${host.v4}/24 dev ${bridge}`,
    `ip addr add ${host.v6}/64 dev ${bridge} nodad`,
    ...routerLines(layout),
  ];
  await runScript(lines.join("\n"));
}

/** The checkout that made the network which is there now; undefined if there is none. */
export async function checkoutOf(layout: Layout): Promise<string | undefined> {
  const alias = await readFile(`/sys/class/net/${layout.bridge}/ifalias`, "utf8").catch(() => "");
  return alias.trim() === "" ? undefined : alias.trim();
}

function routerLines(layout: Layout): string[] {
  const { bridge, routerLink, router, gateway, client, clientRange } = layout;
  const [routerSpace, clientSpace] = [netnsOf(layout, "router"), netnsOf(layout, "client")];
  const of = ({ v4, v6 }: { v4: string; v6: string }): string[] => [`${v4}/24`, `${v6}/64`];
  return [
    namespaceScript(routerSpace),
    namespaceScript(clientSpace),
    ...sysctlLines(clientSpace, [
      "net.ipv4.ip_forward=0",
      "net.ipv6.conf.all.forwarding=0",
      "net.ipv6.conf.default.forwarding=0",
    ]),
    ...cableLines(
      { link: routerLink, bridge },
      { namespace: routerSpace, link: "eth0", addresses: of(router) },
    ),
    ...cableLines(
      { namespace: clientSpace, link: "eth0", addresses: of(client) },
      { namespace: routerSpace, link: "eth1", addresses: of(gateway) },
    ),
    ...routeLines(clientSpace, ["0.0.0.0/0", "::/0"], [gateway.v4, gateway.v6]),
    `ip route replace ${clientRange.v4} via ${router.v4}`,
    `ip route replace ${clientRange.v6} via ${router.v6}`,
  ];
}

/** This machine and the router know every node's pods. */
export async function routePods(layout: Layout, nodes: readonly NodeLayout[]): Promise<void> {
  const lines = podRoutes(nodes);
  await runScript(`ip -batch - <<END
${lines}END
ip -n ${netnsOf(layout, "router")} -batch - <<END
${lines}END
`);
}

/** They forget a node's pods. */
export async function unroutePods(layout: Layout, node: NodeLayout): Promise<void> {
  const router = netnsOf(layout, "router");
  await runScript(
    [node.podRange.v4, node.podRange.v6]
      .map((range) => `ip route del ${range} || true\nip -n ${router} route del ${range} || true\n`)
      .join(""),
  );
}

/** `ip -batch` lines that make nodes' pods reachable: one route a family and node. Pure. */
export function podRoutes(nodes: readonly NodeLayout[]): string {
  return nodes
    .map(
      ({ podRange, address }) =>
        `route replace ${podRange.v4} via ${address.v4}\nroute replace ${podRange.v6} via ${address.v6}\n`,
    )
    .join("");
}

/** Removes every link and namespace of the instance that there is; never fails. Routes go with the links. */
export async function removeNetwork(layout: Layout): Promise<void> {
  const prefix = `gk${layout.instance}`;
  await runScript(`for l in /sys/class/net/${prefix}br /sys/class/net/${prefix}tap /sys/class/net/${prefix}router /sys/class/net/${prefix}n*; do
  [ -e $l ] && ip link del "$(basename $l)" 2>/dev/null || true
done
for n in /run/netns/${prefix}-*; do
  [ -e $n ] && ip netns del "$(basename $n)" 2>/dev/null || true
done`);
}
