/** The rules of the LoadBalancer, one function each. */

import { sharesByDefault } from "#api/connection-sync.ts";
import {
  GOSSIP_SECRET_NAME,
  LOADBALANCER_NAME,
  METRICS_SECRET_NAME,
  PORT,
  WEBHOOK_SECRET_NAME,
} from "#api/names.ts";
import { whyNoReceiver } from "#api/receiver.ts";
import { DEFAULT_SCHEDULER } from "#api/scheduler.ts";
import { isQualifiedName, labelsValid } from "#api/v1beta1/admission/selectors.ts";
import type { Unsupported } from "#api/v1beta1/admission/unsupported.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { LoadBalancer } from "#api/v1beta1/generated/types.ts";

function theOneName({ metadata }: LoadBalancer): Fault[] {
  const { name = "" } = metadata;
  return name === LOADBALANCER_NAME
    ? []
    : [fault("metadata.name", `"${name}": the only LoadBalancer is named "${LOADBALANCER_NAME}"`)];
}

/** Fields about our own forwarding, and what they are in mode KubeProxy. */
const OURS_ALONE = {
  scheduler: DEFAULT_SCHEDULER,
  tunnel: "ipip",
  returnPath: "Direct",
  connectionSync: false,
  preferLocal: false,
} as const;

function onlyWithOurForwarding({ spec }: LoadBalancer): Fault[] {
  const forwarding = spec.forwarding;
  if (forwarding?.mode !== "KubeProxy") return [];
  return (Object.keys(OURS_ALONE) as (keyof typeof OURS_ALONE)[]).flatMap((name) => {
    const value = forwarding[name];
    if (value === undefined || value === OURS_ALONE[name]) return [];
    return [
      fault(
        `spec.forwarding.${name}`,
        `${JSON.stringify(value)} has no effect with spec.forwarding.mode KubeProxy`,
      ),
    ];
  });
}

/** With its own pods before all others each node chooses otherwise, as with another scheduler than mh. */
function onlyWithSharedConnections({ spec }: LoadBalancer): Fault[] {
  const { mode = "IPVS", preferLocal = false, tunnel, connectionSync } = spec.forwarding ?? {};
  const isShared = connectionSync ?? sharesByDefault(tunnel);
  return mode !== "IPVS" || !preferLocal || isShared
    ? []
    : [
        fault(
          "spec.forwarding.preferLocal",
          "needs connectionSync: each node would choose other pods, and open connections break when their address moves",
        ),
      ];
}

const TOLERATIONS = ["speakerTolerations", "controllerTolerations"] as const;

function tolerationsValid({ spec }: LoadBalancer): Fault[] {
  return TOLERATIONS.flatMap((name) =>
    (spec[name] ?? []).flatMap(
      ({ key = "", operator = "Equal", value = "", effect, tolerationSeconds }, at) => {
        const field = `spec.${name}[${at}]`;
        const faults: Fault[] = [];
        if (tolerationSeconds !== undefined && effect !== "NoExecute") {
          faults.push(fault(`${field}.tolerationSeconds`, `${tolerationSeconds} needs effect NoExecute`));
        }
        if (operator === "Exists" && value !== "") {
          faults.push(fault(`${field}.value`, `"${value}": operator Exists takes none`));
        }
        if (key === "" && operator !== "Exists") {
          faults.push(
            fault(`${field}.operator`, `${operator} without a key: only Exists matches every taint`),
          );
        }
        if (key !== "" && !isQualifiedName(key))
          faults.push(fault(`${field}.key`, `"${key}" is not a taint's key`));
        return faults;
      },
    ),
  );
}

function nodeLabelsValid({ spec }: LoadBalancer): Fault[] {
  return [
    ...labelsValid("spec.nodeSelector", spec.nodeSelector),
    ...labelsValid("spec.controllerNodeSelector", spec.controllerNodeSelector),
  ];
}

const CONFIGS = ["controllerConfig", "speakerConfig"] as const;
/** Kubernetes' quantity: a decimal number with a suffix or an exponent. */
const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

function quantitiesValid({ spec }: LoadBalancer): Fault[] {
  return CONFIGS.flatMap((name) =>
    (["requests", "limits"] as const).flatMap((part) =>
      Object.entries(spec[name]?.resources?.[part] ?? {}).flatMap(([resource, quantity]) =>
        QUANTITY.test(String(quantity))
          ? []
          : [
              fault(
                `spec.${name}.resources.${part}.${resource}`,
                `"${quantity}" is not a quantity such as 100m or 64Mi`,
              ),
            ],
      ),
    ),
  );
}

function annotationKeysValid({ spec }: LoadBalancer): Fault[] {
  return CONFIGS.flatMap((name) =>
    Object.keys(spec[name]?.annotations ?? {}).flatMap((key) =>
      isQualifiedName(key) ? [] : [fault(`spec.${name}.annotations`, `"${key}" is not an annotation's key`)],
    ),
  );
}

/** Both listen on the node's own network. */
export function gossipPortIsFree({ spec }: LoadBalancer): Fault[] {
  const port = spec.membership?.port;
  const taken = new Map<number | undefined, string>([
    [PORT.speaker, "is where speakers serve health and metrics"],
    [PORT.probe, "is what probes of the firewall are sent to"],
    [PORT.tunnel, "is where nodes take what others send by gue"],
    [PORT.bgp, "is where BGP sessions come in"],
  ]).get(port);
  return taken === undefined ? [] : [fault("spec.membership.port", `${port} ${taken}`)];
}

/** Secrets that are somebody else's: no receiver gets to know what was signed with them. */
const OWN_SECRETS: readonly string[] = [WEBHOOK_SECRET_NAME, GOSSIP_SECRET_NAME, METRICS_SECRET_NAME];

function receiverValid({ spec }: LoadBalancer): Fault[] {
  const { ownerChangedURL: url, ownerChangedSecret: secret } = spec.layer2 ?? {};
  const faults: Fault[] = [];
  const why = url === undefined ? undefined : whyNoReceiver(url);
  if (why !== undefined) faults.push(fault("spec.layer2.ownerChangedURL", why));
  if (url !== undefined && secret === undefined)
    faults.push(fault("spec.layer2.ownerChangedSecret", "is missing: calls to ownerChangedURL are signed"));
  if (url === undefined && secret !== undefined)
    faults.push(fault("spec.layer2.ownerChangedSecret", "has no effect without ownerChangedURL"));
  if (secret !== undefined && OWN_SECRETS.includes(secret))
    faults.push(fault("spec.layer2.ownerChangedSecret", `"${secret}" is a Secret of Genkan itself`));
  return faults;
}

export const LOADBALANCER_RULES: readonly ((balancer: LoadBalancer) => Fault[])[] = [
  theOneName,
  onlyWithOurForwarding,
  onlyWithSharedConnections,
  tolerationsValid,
  nodeLabelsValid,
  quantitiesValid,
  annotationKeysValid,
  gossipPortIsFree,
  receiverValid,
];

export function loadBalancerWarnings(balancer: LoadBalancer): string[] {
  const {
    scheduler = DEFAULT_SCHEDULER,
    returnPath = "Direct",
    tunnel,
    connectionSync,
  } = balancer.spec.forwarding ?? {};
  const warnings: string[] = [];
  if (scheduler !== DEFAULT_SCHEDULER)
    warnings.push(
      `spec.forwarding.scheduler: with ${scheduler} nodes pick different pods: open connections break when their address moves`,
    );
  if (returnPath !== "Direct")
    warnings.push(
      `spec.forwarding.returnPath: with ${returnPath} pods of other nodes do not see the client's address, and open connections to them break when their address moves`,
    );
  if (tunnel === "none" && connectionSync === true)
    warnings.push(
      "spec.forwarding.connectionSync: with tunnel none a node is not told which of its pods was chosen: connections that it would give to another one end after a few seconds",
    );
  return warnings;
}

export const LOADBALANCER_UNSUPPORTED: readonly Unsupported[] = [
  { path: ["spec", "layer2", "failureDetection"], feature: "failure detection by probes" },
  { path: ["spec", "membership", "interface"], feature: "gossip over another link" },
];
