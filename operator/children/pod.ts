/** What the pods of both roles have in common. Pure. */
import type { V1Container, V1EnvVar, V1PodSpec, V1PodTemplateSpec } from "@kubernetes/client-node";
import type { Wire } from "#common/kube/wire.ts";
import type { PodSettings, Settings } from "#operator/settings.ts";

export type Container = Wire<V1Container>;
export type PodTemplate = Wire<V1PodTemplateSpec>;
type PodSpec = Wire<V1PodSpec>;
type SecurityContext = NonNullable<PodSpec["securityContext"]>;
type EnvironmentVariable = Wire<V1EnvVar>;

/** None where none are asked for: then the ServiceAccount's own count, which the platform may have put there. */
export function pullSecrets({ imagePullSecrets }: Settings): Pick<PodSpec, "imagePullSecrets"> {
  return imagePullSecrets.length === 0
    ? {}
    : { imagePullSecrets: imagePullSecrets.map(({ name }) => ({ name })) };
}

/**
 * The environment that a role's options.ts reads. Not spec.logLevel: a change of it would restart the pods, which read it
 * in the LoadBalancer themselves.
 */
export function podEnvironment({ metricsAccess }: Settings): EnvironmentVariable[] {
  return [
    fromField("POD_NAME", "metadata.name"),
    fromField("POD_NAMESPACE", "metadata.namespace"),
    fromField("POD_IP", "status.podIP"),
    fromField("NODE_NAME", "spec.nodeName"),
    { name: "METRICS_ACCESS", value: metricsAccess },
  ];
}

/** The runtime's profiles, or those that the nodes have by these names. */
export function confinement({ seccompProfile, appArmorProfile }: PodSettings): SecurityContext {
  return {
    seccompProfile:
      seccompProfile === undefined
        ? { type: "RuntimeDefault" }
        : { type: "Localhost", localhostProfile: seccompProfile },
    ...(appArmorProfile === undefined
      ? {}
      : { appArmorProfile: { type: "Localhost", localhostProfile: appArmorProfile } }),
  };
}

function fromField(name: string, fieldPath: string): EnvironmentVariable {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

/**
 * Readiness by /readyz, liveness by /healthz, both once the process has come up, which may take its time on a busy
 * node. Liveness is patient, two minutes: a restart interrupts what a slow answer does not, and others take over at once
 * from who does not renew its Lease.
 *
 * `host`: where the kubelet asks, if not at the pod's address. On the node's network loopback is the kubelet's own, so
 * that nobody else needs to reach the port.
 */
export function httpProbes(
  port: number,
  host?: string,
): Pick<Container, "startupProbe" | "readinessProbe" | "livenessProbe"> {
  const get = (path: string) => ({ path, port, scheme: "HTTP", ...(host !== undefined && { host }) });
  return {
    startupProbe: {
      httpGet: get("/healthz"),
      periodSeconds: 1,
      timeoutSeconds: 5,
      successThreshold: 1,
      failureThreshold: 180,
    },
    readinessProbe: {
      httpGet: get("/readyz"),
      periodSeconds: 2,
      timeoutSeconds: 2,
      successThreshold: 1,
      failureThreshold: 3,
    },
    livenessProbe: {
      httpGet: get("/healthz"),
      periodSeconds: 10,
      timeoutSeconds: 5,
      successThreshold: 1,
      failureThreshold: 12,
    },
  };
}
