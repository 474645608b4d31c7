/** OpenELB: Eip -> AddressPool, BgpPeer with BgpConf -> BGPPeer. Pure. */
import type { Found } from "#cli/documents.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import {
  deep,
  inText,
  isMap,
  listOf,
  metadataOf,
  type Notes,
  ofKind,
  partOf,
  type Source,
  type Spec,
  specOf,
  textOf,
} from "#cli/migrate/source.ts";

const GROUP = /^network\.kubesphere\.io\//;
const IS_DEFAULT = "eip.openelb.kubesphere.io/is-default-eip";

export const openElb: Origin = {
  reads: ({ object }) => GROUP.test(object.apiVersion),
  convert: (founds, notes) => {
    const of = (kind: string): readonly Found[] => ofKind(founds, kind);
    const [conf] = of("BgpConf");
    for (const found of founds) {
      if (["Eip", "BgpPeer", "BgpConf"].includes(found.object.kind)) continue;
      notes.addFound(found, "is not carried over: nothing of ours corresponds to it");
    }
    const peers = of("BgpPeer").map((peer) => peerOf(peer, conf, notes));
    return { sources: [...peers, ...of("Eip").flatMap((eip) => poolOf(eip, notes))], installs: [] };
  },
};

function poolOf(eip: Found, notes: Notes): Source[] {
  const { name = "", annotations = {} } = metadataOf(eip.object);
  const {
    address,
    protocol,
    interface: written,
    disable,
    priority,
    namespaces,
    namespaceSelector,
    usingKnownIPs: _known,
    ...rest
  } = specOf(eip);
  notes.unmatched(eip, "spec.", rest);
  if (disable === true) {
    notes.addFound(eip, "is not carried over: spec.disable is true");
    return [];
  }
  const isBgp = protocol === "bgp" || protocol === undefined;
  if (protocol === "vip") notes.addFound(eip, 'spec.protocol: "vip" (keepalived) becomes layer2');
  const link = textOf(written);
  const isName = link !== undefined && /^[\w.-]{1,15}$/.test(link);
  if (link !== undefined && !isName) {
    notes.addFound(
      eip,
      `spec.interface: "${link}" is not carried over: links are found by the pool's addresses`,
    );
  }
  const allocation = {
    ...(Array.isArray(namespaces) && namespaces.length > 0 ? { namespaces } : {}),
    ...(isMap(namespaceSelector) && Object.keys(namespaceSelector).length > 0
      ? { namespaceSelectors: [{ matchLabels: namespaceSelector }] }
      : {}),
    ...(typeof priority === "number" && priority > 0 ? { priority } : {}),
  };
  const spec: Spec = {
    protocol: isBgp ? "bgp" : "layer2",
    addresses: inText(address ?? "")
      .split(",")
      .map((text) => text.trim()),
    // Services that name no Eip get one of the default Eip alone.
    ...(annotations[IS_DEFAULT] === "true" ? {} : { autoAssign: false }),
    ...(isName && !isBgp ? { interfaces: [link] } : {}),
    ...(Object.keys(allocation).length > 0 ? { serviceAllocation: allocation } : {}),
  };
  return [partOf(eip, "AddressPool", { name, part: "", namespace: "", spec })];
}

function peerOf(peer: Found, conf: Found | undefined, notes: Notes): Source {
  const { name = "" } = metadataOf(peer.object);
  const spec = specOf(peer);
  const {
    conf: _conf,
    transport: _transport,
    timers: _timers,
    ebgpMultihop: _multihop,
    nodeSelector: _nodes,
    afiSafis: _families,
    ...rest
  } = spec;
  notes.unmatched(peer, "spec.", rest);
  const seconds = (field: string): string | undefined => {
    const value = deep(spec, "timers", "config", field);
    return typeof value === "number" || typeof value === "string"
      ? `${inText(value).replace(/s$/, "")}s`
      : undefined;
  };
  const families = listOf<unknown>(spec, "afiSafis").map((each) =>
    inText(deep(each, "config", "family", "afi")),
  );
  const made: Spec = {
    myASN: deep(conf?.object, "spec", "as"),
    peerASN: deep(spec, "conf", "peerAs"),
    peerAddress: deep(spec, "conf", "neighborAddress"),
    routerID: deep(conf?.object, "spec", "routerId"),
    password: deep(spec, "conf", "authPassword"),
    peerPort: deep(spec, "transport", "remotePort"),
    holdTime: seconds("holdTime"),
    keepaliveTime: seconds("keepaliveInterval"),
    ebgpMultiHop: deep(spec, "ebgpMultihop", "enabled") === true ? true : undefined,
    nodeSelectors: isMap(spec.nodeSelector) ? [spec.nodeSelector] : undefined,
    dualStackAddressFamily: new Set(families).size > 1 ? true : undefined,
  };
  const said = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
  if (conf === undefined) notes.addFound(peer, "there is no BgpConf, which has the AS number of the nodes");
  return partOf(peer, "BGPPeer", { name, part: "", namespace: "", spec: said });
}
