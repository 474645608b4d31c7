/** By which scrapers find every process: a Service for a ServiceMonitor, and what the pods need to serve metrics. Pure. */
import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import {
  APP_NAME,
  LABEL_NAME,
  METRICS_CERTIFICATE_DIRECTORY,
  METRICS_SECRET_NAME,
  METRICS_SERVICE_NAME,
  PORT,
} from "#api/names.ts";
import { services } from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, child, type Site } from "#operator/children/child.ts";
import type { Settings } from "#operator/settings.ts";

/** Of the port in every pod: the speakers' has another number. */
export const METRICS_PORT_NAME = "metrics";

/**
 * Of all pods, the operator's too; without an address of its own, since each of them is asked. Pods that are not ready
 * are those whose metrics are wanted most. With access over loopback nobody could ask: no Service.
 */
export function metricsChildren(site: Site, { metricsAccess }: Settings): Child[] {
  if (metricsAccess === "Loopback") return [];
  return [
    child(
      services,
      { site, name: METRICS_SERVICE_NAME, component: "metrics" },
      {
        spec: {
          type: "ClusterIP",
          clusterIP: "None",
          publishNotReadyAddresses: true,
          selector: { [LABEL_NAME]: APP_NAME },
          ports: [
            { name: METRICS_PORT_NAME, port: PORT.metrics, targetPort: METRICS_PORT_NAME, protocol: "TCP" },
          ],
        },
      },
    ),
  ];
}

/** A certificate that somebody else makes (cert-manager, for example); where it is not, each process makes its own. */
export const METRICS_VOLUME: Wire<V1Volume> = {
  name: "metrics-certificate",
  secret: { secretName: METRICS_SECRET_NAME, defaultMode: 0o440, optional: true },
};
export const METRICS_MOUNT: Wire<V1VolumeMount> = {
  name: METRICS_VOLUME.name,
  mountPath: METRICS_CERTIFICATE_DIRECTORY,
  readOnly: true,
};
