/** The rules of the LoadBalancer, one function each. */
import { LOADBALANCER_NAME, PORT } from "#api/names.ts";
import { isQualifiedName, labelsValid } from "#api/v1beta1/admission/selectors.ts";
import type { LoadBalancer } from "#api/v1beta1/generated/types.ts";
import { type Refusal, refusal } from "#api/v1beta1/refusal.ts";

function theOneName({ metadata }: LoadBalancer): Refusal[] {
  const { name = "" } = metadata;
  return name === LOADBALANCER_NAME
    ? []
    : [refusal("metadata.name", `"${name}": the only LoadBalancer is named "${LOADBALANCER_NAME}"`)];
}

/** Fields about our own forwarding, and what they are when nothing is said. */
const OURS_ALONE = { scheduler: "mh", tunnel: "ipip", returnPath: "Direct", connectionSync: false } as const;

function onlyWithOurForwarding({ spec }: LoadBalancer): Refusal[] {
  const forwarding = spec.forwarding;
  if (forwarding?.mode !== "KubeProxy") return [];
  return (Object.keys(OURS_ALONE) as (keyof typeof OURS_ALONE)[]).flatMap((name) => {
    const value = forwarding[name];
    if (value === undefined || value === OURS_ALONE[name]) return [];
    return [
      refusal(
        `spec.forwarding.${name}`,
        `${JSON.stringify(value)} has no effect with spec.forwarding.mode KubeProxy`,
      ),
    ];
  });
}

const TOLERATIONS = ["speakerTolerations", "controllerTolerations"] as const;

function tolerationsValid({ spec }: LoadBalancer): Refusal[] {
  return TOLERATIONS.flatMap((name) =>
    (spec[name] ?? []).flatMap(
      ({ key = "", operator = "Equal", value = "", effect, tolerationSeconds }, at) => {
        const field = `spec.${name}[${at}]`;
        const faults: Refusal[] = [];
        if (tolerationSeconds !== undefined && effect !== "NoExecute") {
          faults.push(refusal(`${field}.tolerationSeconds`, `${tolerationSeconds} needs effect NoExecute`));
        }
        if (operator === "Exists" && value !== "") {
          faults.push(refusal(`${field}.value`, `"${value}": operator Exists takes none`));
        }
        if (key === "" && operator !== "Exists") {
          faults.push(
            refusal(`${field}.operator`, `${operator} without a key: only Exists matches every taint`),
          );
        }
        if (key !== "" && !isQualifiedName(key))
          faults.push(refusal(`${field}.key`, `"${key}" is not a taint's key`));
        return faults;
      },
    ),
  );
}

function nodeLabelsValid({ spec }: LoadBalancer): Refusal[] {
  return [
    ...labelsValid("spec.nodeSelector", spec.nodeSelector),
    ...labelsValid("spec.controllerNodeSelector", spec.controllerNodeSelector),
  ];
}

const CONFIGS = ["controllerConfig", "speakerConfig"] as const;
/** Kubernetes' quantity: a decimal number with a suffix or an exponent. */
const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

function quantitiesValid({ spec }: LoadBalancer): Refusal[] {
  return CONFIGS.flatMap((name) =>
    (["requests", "limits"] as const).flatMap((part) =>
      Object.entries(spec[name]?.resources?.[part] ?? {}).flatMap(([resource, quantity]) =>
        QUANTITY.test(String(quantity))
          ? []
          : [
              refusal(
                `spec.${name}.resources.${part}.${resource}`,
                `"${quantity}" is not a quantity such as 100m or 64Mi`,
              ),
            ],
      ),
    ),
  );
}

function annotationKeysValid({ spec }: LoadBalancer): Refusal[] {
  return CONFIGS.flatMap((name) =>
    Object.keys(spec[name]?.annotations ?? {}).flatMap((key) =>
      isQualifiedName(key)
        ? []
        : [refusal(`spec.${name}.annotations`, `"${key}" is not an annotation's key`)],
    ),
  );
}

/** Both listen on the node's own network. */
export function gossipPortIsFree({ spec }: LoadBalancer): Refusal[] {
  return spec.membership?.port === PORT.speaker
    ? [refusal("spec.membership.port", `${PORT.speaker} is where speakers serve health and metrics`)]
    : [];
}

export const LOADBALANCER_RULES: readonly ((balancer: LoadBalancer) => Refusal[])[] = [
  theOneName,
  onlyWithOurForwarding,
  tolerationsValid,
  nodeLabelsValid,
  quantitiesValid,
  annotationKeysValid,
  gossipPortIsFree,
];

export function loadBalancerWarnings(balancer: LoadBalancer): string[] {
  const scheduler = balancer.spec.forwarding?.scheduler ?? "mh";
  return scheduler === "mh"
    ? []
    : [
        `spec.forwarding.scheduler: with ${scheduler} nodes pick different pods: open connections break when their address moves`,
      ];
}
