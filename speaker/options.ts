/** The only reader of the environment in this role. */

import { LOG_LEVELS, type LogLevel, parseLogLevel } from "#api/log-level.ts";
import { DEFAULT_NAMESPACE, METRICS_CERTIFICATE_DIRECTORY, PORT } from "#api/names.ts";
import { type MetricsAccess, parseMetricsAccess } from "#common/metrics-server.ts";

export interface Options {
  readonly node: string;
  readonly namespace: string;
  /** The name of this process, for Leases and events. */
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** Where /proc/sys can be written. A container's own /proc/sys is read-only. */
  readonly sysctlRoot: string;
  readonly httpPort: number;
  /** The node's address at which other machines read metrics. Undefined: nowhere. */
  readonly address: string | undefined;
  readonly metricsAccess: MetricsAccess;
  /** A folder that may hold the certificate of metrics. */
  readonly metricsCertificateDirectory: string;
  /** The port that BGP peers connect to. Undefined: this node connects to its peers, and they cannot connect to it. */
  readonly bgpPort: number | undefined;
}

/** A variable of the environment is missing, or has a value that it may not have. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  readonly code = "BadOption";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** NODE_NAME is required. An OptionsError names the variable, its value and the rule. */
export function readOptions(env: Environment): Options {
  const node = env.NODE_NAME;
  if (node === undefined || node === "")
    throw new OptionsError("NODE_NAME is not set: it has to name this node");
  const level = env.LOG_LEVEL ?? "info";
  const logLevel = parseLogLevel(level);
  if (logLevel === undefined) {
    throw new OptionsError(
      `LOG_LEVEL is ${JSON.stringify(level)}: it has to be one of ${LOG_LEVELS.join(", ")}`,
    );
  }
  return {
    node,
    namespace: env.POD_NAMESPACE ?? DEFAULT_NAMESPACE,
    identity: env.POD_NAME ?? node,
    logLevel,
    sysctlRoot: env.SYSCTL_ROOT ?? "/proc/sys",
    httpPort: portOf("HTTP_PORT", env.HTTP_PORT) ?? PORT.speaker,
    address: env.POD_IP === "" ? undefined : env.POD_IP,
    metricsAccess: metricsAccessOf(env.METRICS_ACCESS),
    metricsCertificateDirectory: env.METRICS_CERTIFICATE_DIRECTORY ?? METRICS_CERTIFICATE_DIRECTORY,
    bgpPort: env.BGP_PORT === "none" ? undefined : (portOf("BGP_PORT", env.BGP_PORT) ?? PORT.bgp),
  };
}

function metricsAccessOf(text: string | undefined): MetricsAccess {
  const access = parseMetricsAccess(text);
  if (access !== undefined) return access;
  throw new OptionsError(`METRICS_ACCESS is ${JSON.stringify(text)}: it has to be Token or Loopback`);
}

function portOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new OptionsError(`${name} is ${JSON.stringify(text)}: it has to be a port from 0 to 65535`);
}
