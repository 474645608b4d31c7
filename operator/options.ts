/** The operator's settings: the only reader of its environment. */

import { type LogLevel, parseLogLevel } from "#api/log-level.ts";
import { DEFAULT_NAMESPACE, METRICS_CERTIFICATE_DIRECTORY, PORT } from "#api/names.ts";
import { type MetricsAccess, parseMetricsAccess } from "#common/metrics-server.ts";
import type { Site } from "#operator/children/child.ts";

export interface OperatorOptions {
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** 0 takes a free one. */
  readonly httpPort: number;
  readonly metricsAccess: MetricsAccess;
  /** Metrics for who has a token; 0 takes a free one. */
  readonly metricsPort: number;
  /** May hold the certificate of metrics. */
  readonly metricsCertificateDirectory: string;
  readonly site: Site;
}

/** A variable of the environment is missing or says something that it may not say. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  readonly code = "OPTION";
}

type Environment = Readonly<Record<string, string | undefined>>;
const SWITCH = ["Enabled", "Disabled"] as const;
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"] as const;

function required(env: Environment, name: string): string {
  const value = env[name] ?? "";
  if (value === "") throw new OptionError(`${name} is not set`);
  return value;
}

function portOf(env: Environment, name: string, otherwise: number): number {
  const port = Number(env[name] ?? otherwise);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new OptionError(`${name} is "${env[name]}", which is no port`);
}

/** OptionError names the variable. */
export function readOptions(env: Environment): OperatorOptions {
  const logLevel = parseLogLevel(env.LOG_LEVEL ?? "info");
  if (logLevel === undefined) throw new OptionError(`LOG_LEVEL is "${env.LOG_LEVEL}", which is no log level`);
  const policy = env.IMAGE_PULL_POLICY ?? "IfNotPresent";
  const pullPolicy = PULL_POLICIES.find((name) => name === policy);
  if (pullPolicy === undefined)
    throw new OptionError(`IMAGE_PULL_POLICY is "${policy}"; it may be ${PULL_POLICIES.join(", ")}`);
  const metricsAccess = parseMetricsAccess(env.METRICS_ACCESS);
  if (metricsAccess === undefined) {
    throw new OptionError(`METRICS_ACCESS is "${env.METRICS_ACCESS}"; it may be Token or Loopback`);
  }
  const networkPolicy = SWITCH.find((name) => name === (env.NETWORK_POLICY ?? "Enabled"));
  if (networkPolicy === undefined)
    throw new OptionError(`NETWORK_POLICY is "${env.NETWORK_POLICY}"; it may be ${SWITCH.join(", ")}`);
  return {
    identity: env.POD_NAME ?? env.HOSTNAME ?? "operator",
    logLevel,
    httpPort: portOf(env, "HTTP_PORT", PORT.operator),
    metricsAccess,
    metricsPort: portOf(env, "METRICS_PORT", PORT.metrics),
    metricsCertificateDirectory: env.METRICS_CERTIFICATE_DIRECTORY ?? METRICS_CERTIFICATE_DIRECTORY,
    site: {
      namespace: env.POD_NAMESPACE ?? DEFAULT_NAMESPACE,
      images: { controller: required(env, "CONTROLLER_IMAGE"), speaker: required(env, "SPEAKER_IMAGE") },
      pullPolicy,
      networkPolicy,
    },
  };
}
