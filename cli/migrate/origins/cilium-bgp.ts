/** Cilium's BGP control plane, version 2 and the policy before it -> peers, and how pools are advertised. Pure. */
import type { Found } from "#cli/documents.ts";
import {
  deep,
  inText,
  isMap,
  listOf,
  mapsOf,
  metadataOf,
  type Notes,
  ofKind,
  partOf,
  type Source,
  type Spec,
  specOf,
  textOf,
} from "#cli/migrate/source.ts";

const CLUSTER = "CiliumBGPClusterConfig";
const PEER = "CiliumBGPPeerConfig";
const ADVERTISEMENT = "CiliumBGPAdvertisement";
const POLICY = "CiliumBGPPeeringPolicy";
const OVERRIDE = "CiliumBGPNodeConfigOverride";

/** Where Cilium reads passwords, unless it is told otherwise. */
const SECRETS = "kube-system";

export const isBgpKind = (kind: string): boolean =>
  [CLUSTER, PEER, ADVERTISEMENT, POLICY, OVERRIDE].includes(kind);

export interface CiliumBgp {
  readonly peers: readonly Source[];
  /** Fields of an AddressPool; undefined: no Service is advertised to them. */
  readonly announced: Spec | undefined;
}

export function bgpOf(founds: readonly Found[], notes: Notes): CiliumBgp {
  const of = (kind: string): readonly Found[] => ofKind(founds, kind);
  const configs = new Map(of(PEER).map((found) => [metadataOf(found.object).name ?? "", found]));
  for (const found of of(OVERRIDE)) {
    notes.addFound(
      found,
      "is not carried over: what a node has of its own needs a BGPPeer with nodeSelectors for it",
    );
  }
  const peers = [
    ...of(CLUSTER).flatMap((cluster) => clusterPeers(cluster, configs, notes)),
    ...of(POLICY).flatMap((policy) => policyPeers(policy, notes)),
  ];
  const entries = of(ADVERTISEMENT).flatMap((found) => entriesOf(found, notes));
  const routers = of(POLICY).flatMap((policy) => mapsOf(specOf(policy), "virtualRouters"));
  const isAnnounced = entries.length > 0 || routers.some((router) => isMap(deep(router, "serviceSelector")));
  if (!isAnnounced) return { peers, announced: undefined };
  return {
    peers,
    announced: { protocol: "bgp", ...(entries.length === 0 ? {} : { bgpAdvertisements: entries }) },
  };
}

const selectorsOf = (spec: unknown): Spec => {
  const selector = deep(spec, "nodeSelector");
  return isMap(selector) && Object.keys(selector).length > 0 ? { nodeSelectors: [selector] } : {};
};

const seconds = (name: string, value: unknown): Spec =>
  typeof value === "number" ? { [name]: `${value}s` } : {};

function clusterPeers(cluster: Found, configs: ReadonlyMap<string, Found>, notes: Notes): Source[] {
  return mapsOf(specOf(cluster), "bgpInstances").flatMap((instance) =>
    mapsOf(instance, "peers").map((peer) => {
      const reference = textOf(deep(peer, "peerConfigRef", "name"));
      const config = reference === undefined ? undefined : configs.get(reference);
      const name = inText(peer.name ?? "peer");
      const label = `peer "${name}"`;
      if (reference !== undefined && config === undefined) {
        notes.addFound(cluster, `${label}: there is no ${PEER} "${reference}"`);
      }
      return partOf(cluster, "BGPPeer", {
        name,
        part: label,
        spec: {
          myASN: instance.localASN,
          peerASN: peer.peerASN,
          ...placeOf(peer),
          ...selectorsOf(cluster.object.spec),
          ...(config === undefined ? {} : configured(config, notes)),
        },
      });
    }),
  );
}

const GATEWAYS: Readonly<Record<string, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

/** The router's address, or that it is the default gateway; what is neither is refused by our rules, with their words. */
function placeOf(peer: Spec): Spec {
  const family = deep(peer, "autoDiscovery", "defaultGateway", "addressFamily");
  const gateway = GATEWAYS[inText(family ?? "")];
  const isFound = deep(peer, "autoDiscovery", "mode") === "DefaultGateway" && gateway !== undefined;
  return isFound ? { defaultGateway: gateway } : { peerAddress: peer.peerAddress };
}

/** What a CiliumBGPPeerConfig says. */
function configured(config: Found, notes: Notes): Spec {
  const { timers, authSecretRef, gracefulRestart, ebgpMultihop, transport, families, ...rest } =
    specOf(config);
  notes.unmatched(config, "spec.", rest);
  if (typeof authSecretRef === "string") {
    notes.addFound(
      config,
      `spec.authSecretRef: Secret "${authSecretRef}" has to be of type kubernetes.io/basic-auth here`,
    );
  }
  const afis = new Set((Array.isArray(families) ? families : []).map((each: unknown) => deep(each, "afi")));
  return {
    ...seconds("holdTime", deep(timers, "holdTimeSeconds")),
    ...seconds("keepaliveTime", deep(timers, "keepAliveTimeSeconds")),
    ...seconds("connectTime", deep(timers, "connectRetryTimeSeconds")),
    ...(typeof authSecretRef === "string"
      ? { passwordSecret: { name: authSecretRef, namespace: SECRETS } }
      : {}),
    ...(deep(gracefulRestart, "enabled") === true ? { enableGracefulRestart: true } : {}),
    ...(deep(gracefulRestart, "enabled") === true
      ? seconds("gracefulRestartTime", deep(gracefulRestart, "restartTimeSeconds"))
      : {}),
    ...(typeof ebgpMultihop === "number" && ebgpMultihop > 1 ? { ebgpMultiHop: true } : {}),
    ...(typeof deep(transport, "peerPort") === "number" ? { peerPort: deep(transport, "peerPort") } : {}),
    ...(afis.size > 1 ? { dualStackAddressFamily: true } : {}),
  };
}

function policyPeers(policy: Found, notes: Notes): Source[] {
  return mapsOf(specOf(policy), "virtualRouters").flatMap((router) => {
    if (router.exportPodCIDR === true)
      notes.addFound(policy, "exportPodCIDR is not carried over: routes to pods are the network plugin's");
    return mapsOf(router, "neighbors").map((neighbor) => {
      const address = inText(neighbor.peerAddress ?? "").replace(/\/\d+$/, "");
      const name = `peer-${address.replaceAll(/[^0-9a-z]+/g, "-").replaceAll(/^-|-$/g, "")}`;
      return partOf(policy, "BGPPeer", {
        name,
        part: `neighbor ${address}`,
        spec: {
          myASN: router.localASN,
          peerASN: neighbor.peerASN,
          peerAddress: address,
          ...(typeof neighbor.peerPort === "number" ? { peerPort: neighbor.peerPort } : {}),
          ...seconds("holdTime", neighbor.holdTimeSeconds),
          ...seconds("keepaliveTime", neighbor.keepAliveTimeSeconds),
          ...seconds("connectTime", neighbor.connectRetryTimeSeconds),
          ...(typeof neighbor.eBGPMultihopTTL === "number" && neighbor.eBGPMultihopTTL > 1
            ? { ebgpMultiHop: true }
            : {}),
          ...(deep(neighbor, "gracefulRestart", "enabled") === true ? { enableGracefulRestart: true } : {}),
          ...selectorsOf(policy.object.spec),
        },
      });
    });
  });
}

/** Keys by which Cilium's selectors know a Service's name and namespace, which are no labels of its own. */
const NO_LABEL = '"io.kubernetes.service.';

/** Entries of bgpAdvertisements: of Services' load balancer addresses alone. */
function entriesOf(found: Found, notes: Notes): Spec[] {
  return mapsOf(specOf(found), "advertisements").flatMap((each) => {
    const type = inText(each.advertisementType);
    const addresses = deep(each, "service", "addresses");
    if (type !== "Service" || !Array.isArray(addresses) || !addresses.includes("LoadBalancerIP")) {
      notes.addFound(
        found,
        `${type} is not carried over: ours advertises addresses of Services of type LoadBalancer`,
      );
      return [];
    }
    const { selector = {} } = each;
    const text = JSON.stringify(selector);
    // Cilium matches all with an expression that holds for each label that nobody has.
    const isForAll = text === "{}" || text.includes('"NotIn"');
    const isOfLabels = isMap(selector) && !text.includes(NO_LABEL);
    if (!isForAll && !isOfLabels) {
      notes.growsFound(
        found,
        `it was for Services with ${text} alone; now all Services of the pools are advertised`,
      );
    }
    const said = deep(each, "attributes", "communities");
    const communities = ["standard", "large", "wellKnown"].flatMap((kind) =>
      listOf<string>(isMap(said) ? said : {}, kind).map((text) =>
        kind === "large" ? `large:${text}` : inText(text),
      ),
    );
    const localPref = deep(each, "attributes", "localPreference");
    return [
      {
        ...(communities.length > 0 ? { communities } : {}),
        ...(typeof localPref === "number" ? { localPref } : {}),
        ...(!isForAll && isOfLabels ? { serviceSelectors: [selector] } : {}),
      },
    ];
  });
}
