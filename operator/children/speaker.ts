/** The speakers' DaemonSet. Pure. */
import { PORT, SPEAKER_NAME } from "#api/names.ts";
import { daemonSets } from "#common/kube/resource.ts";
import { type Child, child, type Site, selectorLabels } from "#operator/children/child.ts";
import { METRICS_MOUNT, METRICS_PORT_NAME, METRICS_VOLUME } from "#operator/children/metrics.ts";
import {
  type Container,
  confinement,
  httpProbes,
  type PodTemplate,
  podEnvironment,
  pullSecrets,
} from "#operator/children/pod.ts";
import type { Settings } from "#operator/settings.ts";

/** The node's /proc/sys, mounted aside: a container's own is read-only unless it is privileged. */
const SYSCTL_ROOT = "/host/proc/sys";

export function speakerChildren(site: Site, settings: Settings): Child[] {
  const identity = { site, name: SPEAKER_NAME, component: "speaker" } as const;
  return [
    child(daemonSets, identity, {
      spec: {
        selector: { matchLabels: selectorLabels("speaker") },
        // One after the other: the others take over what the stopping one hands to them. No surge, because two
        // speakers on one node would share its network and its port.
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        // A new speaker must hold for a moment before the next one may go.
        minReadySeconds: 2,
        revisionHistoryLimit: 3,
        template: template(site, settings),
      },
    }),
  ];
}

function template(site: Site, settings: Settings): PodTemplate {
  const { nodeSelector, tolerations, pod } = settings.speaker;
  return {
    metadata: { labels: selectorLabels("speaker"), annotations: { ...pod.annotations } },
    spec: {
      serviceAccountName: SPEAKER_NAME,
      ...pullSecrets(settings),
      priorityClassName: pod.priorityClassName,
      ...(pod.runtimeClassName === undefined ? {} : { runtimeClassName: pod.runtimeClassName }),
      nodeSelector: { ...nodeSelector },
      tolerations: [...tolerations],
      ...(pod.affinity === undefined ? {} : { affinity: pod.affinity }),
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
      // Handing over takes a second or two; taking thousands of services out of the kernel, longer.
      terminationGracePeriodSeconds: 60,
      securityContext: confinement(pod),
      containers: [container(site, settings)],
      volumes: [
        { name: "sysctl-net", hostPath: { path: "/proc/sys/net", type: "Directory" } },
        METRICS_VOLUME,
      ],
    },
  };
}

function container(site: Site, settings: Settings): Container {
  return {
    name: SPEAKER_NAME,
    image: site.images.speaker,
    imagePullPolicy: site.pullPolicy,
    env: [...podEnvironment(settings), { name: "SYSCTL_ROOT", value: SYSCTL_ROOT }],
    ports: [
      { name: METRICS_PORT_NAME, containerPort: PORT.speaker, hostPort: PORT.speaker, protocol: "TCP" },
    ],
    ...httpProbes(PORT.speaker, "127.0.0.1"),
    resources: { ...settings.speaker.pod.resources },
    securityContext: {
      // Capabilities reach the process only as root; those below are all that this root may do.
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"], add: [...settings.speakerCapabilities] },
    },
    volumeMounts: [{ name: "sysctl-net", mountPath: `${SYSCTL_ROOT}/net` }, METRICS_MOUNT],
  };
}
