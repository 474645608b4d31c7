/** Cilium: its pools of addresses, and who announces them by ARP or BGP. Pure. */

import type { Found } from "#cli/documents.ts";
import { bgpOf, isBgpKind } from "#cli/migrate/origins/cilium-bgp.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import {
  deep,
  inText,
  isMap,
  listOf,
  mapsOf,
  metadataOf,
  NOWHERE,
  type Notes,
  ofKind,
  partOf,
  type Source,
  type Spec,
  specOf,
  textOf,
} from "#cli/migrate/source.ts";

const POOL = "CiliumLoadBalancerIPPool";
const LAYER2 = "CiliumL2AnnouncementPolicy";
/** Cilium's words for what is no label. */
const NAMESPACE = "io.kubernetes.service.namespace";
const NAME = "io.kubernetes.service.name";

export const cilium: Origin = {
  reads: ({ object: { apiVersion, kind } }) =>
    /^cilium\.io\//.test(apiVersion) && (kind === POOL || kind === LAYER2 || isBgpKind(kind)),
  convert: (founds, notes) => {
    const policies = ofKind(founds, LAYER2);
    const bgp = bgpOf(
      founds.filter(({ object }) => isBgpKind(object.kind)),
      notes,
    );
    const isBgp = bgp.peers.length > 0;
    const announced = isBgp ? bgp.announced : layer2Of(policies, notes);
    if (isBgp) {
      for (const policy of policies) {
        notes.addFound(policy, "is not carried over: ours announces a pool in one way, and there is BGP");
      }
    }
    return {
      sources: [...bgp.peers, ...ofKind(founds, POOL).flatMap((pool) => poolOf(pool, announced, notes))],
      installs: [],
    };
  },
};

function poolOf(found: Found, announced: Spec | undefined, notes: Notes): Source[] {
  const { name = "" } = metadataOf(found.object);
  const spec = specOf(found);
  const { blocks: _blocks, cidrs: _cidrs, disabled, serviceSelector, allowFirstLastIPs, ...rest } = spec;
  const entries = [...mapsOf(spec, "blocks"), ...mapsOf(spec, "cidrs")];
  const addresses = entries.map(({ cidr, start, stop }) => {
    if (cidr !== undefined) return inText(cidr);
    return `${inText(start)}-${inText(stop ?? start)}`;
  });
  if (allowFirstLastIPs === "No") {
    notes.addFound(
      found,
      'spec.allowFirstLastIPs: "No" is not carried over: avoidBuggyIPs leaves out what ends in 0 or 255',
    );
  }
  notes.unmatched(found, "spec.", rest);
  if (announced === undefined) {
    notes.addFound(
      found,
      "nothing announces its addresses: they are given and never announced, which ours does by node selectors that match no node",
    );
  }
  const allocation = allocationOf(found, serviceSelector, notes);
  if (disabled === true) notes.addFound(found, "spec.disabled: true becomes autoAssign: false");
  return [
    partOf(found, "AddressPool", {
      name,
      part: "",
      spec: {
        ...(announced ?? { protocol: "layer2", nodeSelectors: NOWHERE }),
        addresses,
        ...(disabled === true ? { autoAssign: false } : {}),
        ...(allowFirstLastIPs === "No" ? { avoidBuggyIPs: true } : {}),
        ...(allocation === undefined ? {} : { serviceAllocation: allocation }),
      },
    }),
  ];
}

/** Its selector sees the Service's namespace and name as if they were labels. */
function allocationOf(found: Found, selector: unknown, notes: Notes): Spec | undefined {
  if (!isMap(selector)) return undefined;
  const labels = isMap(selector.matchLabels) ? { ...selector.matchLabels } : {};
  const expressions = mapsOf(selector, "matchExpressions");
  const namespaces = [
    ...(NAMESPACE in labels ? [inText(labels[NAMESPACE])] : []),
    ...expressions
      .filter(({ key, operator }) => key === NAMESPACE && operator === "In")
      .flatMap((each) => listOf<string>(each, "values")),
  ];
  delete labels[NAMESPACE];
  const rest = expressions.filter(({ key, operator }) => !(key === NAMESPACE && operator === "In"));
  const isUnknown = NAME in labels || rest.some(({ key }) => key === NAME || key === NAMESPACE);
  if (isUnknown) {
    notes.growsFound(
      found,
      `spec.serviceSelector: ${JSON.stringify(selector)} is not carried over as it is: ours knows Services by labels and namespaces; without it any Service may have addresses of this pool, so it gets autoAssign`,
    );
    delete labels[NAME];
  }
  const kept = rest.filter(({ key }) => key !== NAME && key !== NAMESPACE);
  const services =
    Object.keys(labels).length + kept.length === 0
      ? []
      : [
          {
            ...(Object.keys(labels).length > 0 ? { matchLabels: labels } : {}),
            ...(kept.length > 0 ? { matchExpressions: kept } : {}),
          },
        ];
  const allocation: Spec = {
    ...(namespaces.length > 0 ? { namespaces } : {}),
    ...(services.length > 0 ? { serviceSelectors: services } : {}),
  };
  return Object.keys(allocation).length === 0 ? undefined : allocation;
}

/** All policies act on all pools: together they say where addresses are announced. */
function layer2Of(policies: readonly Found[], notes: Notes): Spec | undefined {
  const active = policies.filter((policy) => {
    const { loadBalancerIPs } = specOf(policy);
    if (loadBalancerIPs !== true)
      notes.addFound(policy, "is not carried over: spec.loadBalancerIPs is not true");
    return loadBalancerIPs === true;
  });
  const [first] = active;
  if (first === undefined) return undefined;
  const specs = active.map(specOf);
  for (const policy of active) {
    const selector = deep(policy.object.spec, "serviceSelector");
    if (isMap(selector) && Object.keys(selector).length > 0) {
      notes.growsFound(
        policy,
        `it was for Services with ${JSON.stringify(selector)} alone; now all Services of the pools are announced`,
      );
    }
    if (deep(policy.object.spec, "externalIPs") === true) {
      notes.addFound(policy, "spec.externalIPs is not carried over: only addresses of pools are announced");
    }
  }
  const selectors = specs.map(({ nodeSelector }) => nodeSelector);
  const nodes = selectors.every((each) => isMap(each) && Object.keys(each).length > 0) ? selectors : [];
  const links = specs.map((spec) => listOf<unknown>(spec, "interfaces").map((each) => textOf(each) ?? ""));
  const names = links.flat().flatMap((pattern) => {
    const [, plain] = /^\^?([\w-][\w.-]{0,14})\$?$/.exec(pattern) ?? [];
    if (plain === undefined) {
      notes.addFound(
        first,
        `spec.interfaces: "${pattern}" is not carried over: ours has names, not patterns; links are found by the pool's addresses`,
      );
    }
    return plain === undefined ? [] : [plain];
  });
  const isEverywhere = links.some((each) => each.length === 0) || names.length < links.flat().length;
  return {
    protocol: "layer2",
    ...(nodes.length > 0 ? { nodeSelectors: nodes } : {}),
    ...(isEverywhere ? {} : { interfaces: [...new Set(names)] }),
  };
}
