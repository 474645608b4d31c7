/**
 * kube-vip: the ConfigMap `kubevip` of its cloud provider has the addresses, the environment of its pods how they are
 * announced. Pure.
 */
import type { Found } from "#cli/documents.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import { deep, inText, isMap, mapsOf, type Notes, partOf, type Source } from "#cli/migrate/source.ts";

const RANGES = /^(cidr|range)-(.+)$/;
const INTERFACE = /^interface-(.+)$/;
/** Every node asks DHCP: nothing of ours does. */
const DHCP = /^0\.0\.0\.0(\/32)?$/;

type Environment = Readonly<Record<string, string>>;

const isAddresses = ({ object }: Found): boolean =>
  object.kind === "ConfigMap" &&
  isMap(object.data) &&
  Object.keys(object.data).some((key) => RANGES.test(key));

/** A pod that stands alone, on control plane nodes, has its spec one level higher. */
const podOf = ({ object }: Found): unknown => deep(object, "spec", "template", "spec") ?? object.spec;

function environmentOf(found: Found): Environment | undefined {
  const pod = podOf(found);
  const container = mapsOf(pod, "containers").find(({ image }) =>
    /(^|\/)kube-vip(-iptables)?(:|@|$)/.test(inText(image)),
  );
  if (container === undefined) return undefined;
  const entries = mapsOf(container, "env");
  return Object.fromEntries(entries.map(({ name, value }) => [inText(name), inText(value ?? "")]));
}

export const kubeVip: Origin = {
  reads: (found) =>
    isAddresses(found) ||
    (["DaemonSet", "Deployment", "Pod"].includes(found.object.kind) && environmentOf(found) !== undefined),
  convert: (founds, notes) => {
    const sources: Source[] = [];
    const installs: Source[] = [];
    let environment: Environment = {};
    for (const found of founds.filter((each) => !isAddresses(each))) {
      environment = { ...environmentOf(found), ...environment };
      noteControlPlane(found, environment, notes);
      sources.push(...peersOf(found, environment));
      const spec = environment.lb_class_name ? { loadBalancerClass: environment.lb_class_name } : {};
      if (installs.length === 0)
        installs.push(partOf(found, "MetalLB", { name: "kube-vip", part: "", spec }));
    }
    for (const found of founds.filter(isAddresses)) sources.push(...poolsOf(found, environment, notes));
    return { sources, installs };
  },
};

function noteControlPlane(
  found: Found,
  { cp_enable, address, vip_address }: Environment,
  notes: Notes,
): void {
  if (cp_enable !== "true") return;
  const vip = address ?? vip_address ?? "";
  notes.addFound(
    found,
    `the control plane's address ${vip} is not carried over: leave kube-vip there for it, with svc_enable "false"`,
  );
}

function poolsOf(found: Found, environment: Environment, notes: Notes): Source[] {
  const data = isMap(found.object.data) ? found.object.data : {};
  const isBgp = environment.bgp_enable === "true";
  const pools = new Map<string, { addresses: string[]; interfaces: string[] }>();
  const poolFor = (name: string) => {
    const pool = pools.get(name) ?? { addresses: [], interfaces: [] };
    pools.set(name, pool);
    return pool;
  };
  for (const [key, value] of Object.entries(data)) {
    const [, , ofRange] = RANGES.exec(key) ?? [];
    const [, ofInterface] = INTERFACE.exec(key) ?? [];
    if (ofRange !== undefined) {
      const texts = inText(value)
        .split(",")
        .map((text) => text.trim());
      poolFor(ofRange).addresses.push(...texts.filter((text) => text !== "" && !DHCP.test(text)));
      if (texts.some((text) => DHCP.test(text))) {
        notes.addFound(
          found,
          `${key}: ${inText(value)} is not carried over: we ask no DHCP server for addresses`,
        );
      }
    } else if (ofInterface !== undefined) poolFor(ofInterface).interfaces.push(inText(value));
    else notes.unmatched(found, "", { [key]: value });
  }
  const common = environment.vip_servicesinterface || environment.vip_interface;
  return [...pools]
    .filter(([, { addresses }]) => addresses.length > 0)
    .map(([name, { addresses, interfaces }]) => {
      const links = interfaces.length > 0 ? interfaces : common === undefined ? [] : [common];
      return partOf(found, "AddressPool", {
        name,
        part: `pool "${name}"`,
        // Its own object's namespace is kube-system, which says nothing.
        namespace: "",
        spec: {
          protocol: isBgp ? "bgp" : "layer2",
          addresses,
          ...(isBgp || links.length === 0 ? {} : { interfaces: links }),
          // The pool of a namespace is asked before that of all.
          ...(name === "global" ? {} : { serviceAllocation: { namespaces: [name], priority: 1 } }),
        },
      });
    });
}

function peersOf(found: Found, environment: Environment): Source[] {
  const {
    bgp_enable,
    bgp_as,
    bgp_routerid,
    bgp_peers = "",
    bgp_peeraddress,
    bgp_peeras,
    bgp_peerpass,
    bgp_multihop,
  } = environment;
  if (bgp_enable !== "true") return [];
  // address:as:password:multihop, with IPv6 in brackets.
  const listed = bgp_peers
    .split(",")
    .map((text) => /^(?:\[([^\]]+)\]|([^:]+)):(\d+)(?::([^:]*))?(?::(true|false))?$/.exec(text.trim()))
    .filter((match) => match !== null)
    .map(([, v6, v4, asn, password, multihop]) => ({ address: v6 ?? v4, asn, password, multihop }));
  const single =
    bgp_peeraddress === undefined || bgp_peeraddress === ""
      ? []
      : [{ address: bgp_peeraddress, asn: bgp_peeras, password: bgp_peerpass, multihop: bgp_multihop }];
  return [...single, ...listed].map(({ address, asn, password, multihop }, at) =>
    partOf(found, "BGPPeer", {
      name: `peer${at + 1}`,
      part: `peer ${address}`,
      namespace: "",
      spec: {
        myASN: Number(bgp_as),
        peerASN: Number(asn),
        peerAddress: address,
        ...(bgp_routerid ? { routerID: bgp_routerid } : {}),
        ...(password ? { password } : {}),
        ...(multihop === "true" ? { ebgpMultiHop: true } : {}),
      },
    }),
  );
}
