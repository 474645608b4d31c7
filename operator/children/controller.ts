/** The controller's Deployment, its disruption budget and who may talk to its pods. Pure. */
import { CONTROLLER_NAME, PORT, WEBHOOK_CLIENTS_NAME, WEBHOOK_SECRET_NAME } from "#api/names.ts";
import { deployments, podDisruptionBudgets } from "#common/kube/resource.ts";
import { type Child, child, type Site, selectorLabels } from "#operator/children/child.ts";
import { METRICS_MOUNT, METRICS_PORT_NAME, METRICS_VOLUME } from "#operator/children/metrics.ts";
import { networkPolicy } from "#operator/children/network.ts";
import {
  type Container,
  confinement,
  httpProbes,
  type PodTemplate,
  podEnvironment,
  pullSecrets,
} from "#operator/children/pod.ts";
import type { Affinity, Settings } from "#operator/settings.ts";

/** Where the controller finds its serving certificate. */
export const CERTIFICATE_DIRECTORY = "/etc/genkan/tls";
/** ... and whose client certificates the webhook wants, if anybody says so. */
const CLIENTS_DIRECTORY = "/etc/genkan/webhook-clients";
/** User and group of the image: not root, not anybody of the node. */
const NON_ROOT = 65532;

export function controllerChildren(site: Site, settings: Settings): Child[] {
  const identity = { site, name: CONTROLLER_NAME, component: "controller" } as const;
  const selector = { matchLabels: selectorLabels("controller") };
  const pod = template(site, settings);
  const children = [
    child(deployments, identity, {
      spec: {
        replicas: settings.controllerReplicas,
        selector,
        // Never fewer than wanted during an update: the webhooks are served by these pods.
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        progressDeadlineSeconds: 300,
        revisionHistoryLimit: 3,
        template: pod,
      },
    }),
  ];
  // With one replica a budget would only stop drains.
  if (settings.controllerReplicas > 1) {
    children.push(child(podDisruptionBudgets, identity, { spec: { maxUnavailable: 1, selector } }));
  }
  if (site.networkPolicy === "Enabled") children.push(networkPolicy(identity, pod));
  return children;
}

function template(site: Site, settings: Settings): PodTemplate {
  const { nodeSelector, tolerations, pod } = settings.controller;
  return {
    metadata: { labels: selectorLabels("controller"), annotations: { ...pod.annotations } },
    spec: {
      serviceAccountName: CONTROLLER_NAME,
      ...pullSecrets(settings),
      priorityClassName: pod.priorityClassName,
      ...(pod.runtimeClassName === undefined ? {} : { runtimeClassName: pod.runtimeClassName }),
      nodeSelector: { ...nodeSelector },
      tolerations: [...tolerations],
      affinity: pod.affinity ?? apart(),
      terminationGracePeriodSeconds: 15,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: NON_ROOT,
        runAsGroup: NON_ROOT,
        fsGroup: NON_ROOT,
        ...confinement(pod),
      },
      containers: [container(site, settings)],
      volumes: [
        { name: "certificate", secret: { secretName: WEBHOOK_SECRET_NAME, defaultMode: 0o440 } },
        { name: "clients", configMap: { name: WEBHOOK_CLIENTS_NAME, defaultMode: 0o444, optional: true } },
        METRICS_VOLUME,
      ],
    },
  };
}

/** None where it is off: then a controller's pod is what it was before there was a console. */
const consoleEnvironment = ({ consoleAccess }: Settings): { name: string; value: string }[] =>
  consoleAccess === "Off" ? [] : [{ name: "CONSOLE_ACCESS", value: consoleAccess }];

function container(site: Site, settings: Settings): Container {
  return {
    name: CONTROLLER_NAME,
    image: site.images.controller,
    imagePullPolicy: site.pullPolicy,
    env: [...podEnvironment(settings), ...consoleEnvironment(settings)],
    ports: [
      { name: "webhook", containerPort: PORT.webhook, protocol: "TCP" },
      { name: "http", containerPort: PORT.controller, protocol: "TCP" },
      { name: METRICS_PORT_NAME, containerPort: PORT.metrics, protocol: "TCP" },
    ],
    ...httpProbes(PORT.controller),
    resources: { ...settings.controller.pod.resources },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [
      { name: "certificate", mountPath: CERTIFICATE_DIRECTORY, readOnly: true },
      { name: "clients", mountPath: CLIENTS_DIRECTORY, readOnly: true },
      METRICS_MOUNT,
    ],
  };
}

/** Replicas on different nodes where there are enough; preferred, so that one node can still run both. */
function apart(): Affinity {
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          podAffinityTerm: {
            topologyKey: "kubernetes.io/hostname",
            labelSelector: { matchLabels: selectorLabels("controller") },
          },
        },
      ],
    },
  };
}
