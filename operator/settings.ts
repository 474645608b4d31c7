/** What a LoadBalancer asks of the pods, with every default filled in. Pure. */
import type { V1Affinity, V1ResourceRequirements, V1Toleration } from "@kubernetes/client-node";
import type { Wire } from "#common/kube/wire.ts";
import type { MetricsAccess } from "#common/metrics-server.ts";
import type { PeeringView } from "#operator/view.ts";

export type Toleration = Wire<V1Toleration>;
export type Affinity = Wire<V1Affinity>;
export type Resources = Wire<V1ResourceRequirements>;

/** `Loopback`: controllers serve it at their pods' loopback; they may then read what it shows. */
export type ConsoleAccess = "Off" | "Loopback";

/** What `spec.controllerConfig` and `spec.speakerConfig` say about a role's pods. */
export interface PodSettings {
  readonly priorityClassName: string;
  readonly runtimeClassName?: string;
  /** Both are on the nodes by these names; unset: those of the runtime. */
  readonly seccompProfile?: string;
  readonly appArmorProfile?: string;
  readonly affinity?: Affinity;
  readonly annotations: Readonly<Record<string, string>>;
  readonly resources: Resources;
}

export interface RoleSettings {
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  readonly pod: PodSettings;
}

export interface Settings {
  readonly metricsAccess: MetricsAccess;
  readonly consoleAccess: ConsoleAccess;
  readonly controllerReplicas: number;
  readonly imagePullSecrets: readonly { readonly name: string }[];
  readonly controller: RoleSettings;
  readonly speaker: RoleSettings;
  /** What the speakers' root may do. */
  readonly speakerCapabilities: readonly string[];
  /** Secrets of the install namespace that speakers may read. */
  readonly namedSecrets: readonly string[];
}

const NO_PEERING: PeeringView = { hasPeers: false, hasFastProfile: false, passwordSecrets: [] };

/** The part of LoadBalancer.spec that decides about pods; the rest is read by the processes themselves. */
export interface PodSpecFields {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly speakerTolerations?: readonly Toleration[];
  readonly controllerNodeSelector?: Readonly<Record<string, string>>;
  readonly controllerTolerations?: readonly Toleration[];
  readonly controllerReplicas?: number;
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly metricsAccess?: MetricsAccess;
  readonly consoleAccess?: ConsoleAccess;
  readonly layer2?: { readonly ownerChangedSecret?: string };
  readonly controllerConfig?: PodConfig;
  readonly speakerConfig?: PodConfig;
}

interface PodConfig {
  readonly priorityClassName?: string;
  readonly runtimeClassName?: string;
  readonly seccompProfile?: string;
  readonly appArmorProfile?: string;
  readonly affinity?: Affinity;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Quantities may be written as numbers. */
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string | number>>;
    readonly limits?: Readonly<Record<string, string | number>>;
  };
}

const LINUX = { "kubernetes.io/os": "linux" } as const;

/** Speakers belong on control plane nodes too: a small cluster has no others to attract traffic. */
const CONTROL_PLANE: Toleration = {
  key: "node-role.kubernetes.io/control-plane",
  operator: "Exists",
  effect: "NoSchedule",
};

/** Requests only: a limit would throttle a speaker just when it has to be quick. */
const DEFAULT_RESOURCES: Readonly<Record<"controller" | "speaker", Resources>> = {
  controller: { requests: { cpu: "20m", memory: "96Mi" } },
  speaker: { requests: { cpu: "50m", memory: "96Mi" } },
};

/** Rights that every speaker needs, and those that only BGP and BFD do. */
function capabilitiesFor({ hasPeers, hasFastProfile }: PeeringView): string[] {
  return [
    "NET_ADMIN",
    "NET_RAW",
    ...(hasPeers ? ["NET_BIND_SERVICE"] : []),
    ...(hasPeers && hasFastProfile ? ["SYS_NICE"] : []),
  ];
}

export function settingsOf(spec: PodSpecFields, peering: PeeringView = NO_PEERING): Settings {
  return {
    speakerCapabilities: capabilitiesFor(peering),
    namedSecrets: secretsOf(spec, peering),
    metricsAccess: spec.metricsAccess ?? "Token",
    consoleAccess: spec.consoleAccess ?? "Off",
    controllerReplicas: spec.controllerReplicas ?? 2,
    imagePullSecrets: spec.imagePullSecrets ?? [],
    controller: {
      nodeSelector: { ...LINUX, ...spec.controllerNodeSelector },
      tolerations: spec.controllerTolerations ?? [],
      pod: podSettings("controller", spec.controllerConfig),
    },
    speaker: {
      nodeSelector: { ...LINUX, ...spec.nodeSelector },
      tolerations: [CONTROL_PLANE, ...(spec.speakerTolerations ?? [])],
      pod: podSettings("speaker", spec.speakerConfig),
    },
  };
}

function secretsOf({ layer2 }: PodSpecFields, { passwordSecrets }: PeeringView): string[] {
  const { ownerChangedSecret: named = "" } = layer2 ?? {};
  return [...new Set([...passwordSecrets, named])].filter((name) => name !== "").sort();
}

function podSettings(role: "controller" | "speaker", config: PodConfig = {}): PodSettings {
  const standard = role === "speaker" ? "system-node-critical" : "system-cluster-critical";
  return {
    priorityClassName: config.priorityClassName ?? standard,
    ...(config.runtimeClassName === undefined ? {} : { runtimeClassName: config.runtimeClassName }),
    ...(config.seccompProfile === undefined ? {} : { seccompProfile: config.seccompProfile }),
    ...(config.appArmorProfile === undefined ? {} : { appArmorProfile: config.appArmorProfile }),
    ...(config.affinity === undefined ? {} : { affinity: config.affinity }),
    annotations: config.annotations ?? {},
    resources: resourcesOf(config.resources) ?? DEFAULT_RESOURCES[role],
  };
}

function resourcesOf(given: PodConfig["resources"]): Resources | undefined {
  if (given === undefined) return undefined;
  const texts = (quantities: Readonly<Record<string, string | number>>): Record<string, string> =>
    Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, String(quantity)]));
  return {
    ...(given.requests === undefined ? {} : { requests: texts(given.requests) }),
    ...(given.limits === undefined ? {} : { limits: texts(given.limits) }),
  };
}
