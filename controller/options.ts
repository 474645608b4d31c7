/** The controller's settings: the only reader of its environment. */

import { type LogLevel, parseLogLevel } from "#api/log-level.ts";
import { DEFAULT_NAMESPACE, METRICS_CERTIFICATE_DIRECTORY, PORT } from "#api/names.ts";
import { type MetricsAccess, parseMetricsAccess } from "#common/metrics-server.ts";

export interface ControllerOptions {
  /** The pod's name: who holds the Lease. */
  readonly identity: string;
  /** Where our own kinds and the Lease are. */
  readonly namespace: string;
  readonly logLevel: LogLevel;
  /** Health and the plan; 0 takes a free port. */
  readonly httpPort: number;
  readonly webhookPort: number;
  readonly metricsAccess: MetricsAccess;
  /** Metrics, for callers with a token; 0 takes a free port. */
  readonly metricsPort: number;
  /** `Loopback`: the console is served at this process's loopback. */
  readonly consoleAccess: ConsoleAccess;
  /** 0 takes a free port. */
  readonly consolePort: number;
  /** Holds the files of its page. */
  readonly consoleDirectory: string;
  /** May hold the certificate of metrics. */
  readonly metricsCertificateDirectory: string;
  /** Holds tls.crt and tls.key; they may come later. */
  readonly certificateDirectory: string;
  /** May hold ca.crt and allowed-names, which say whose client certificates the webhook accepts. */
  readonly clientsDirectory: string;
}

type ConsoleAccess = "Off" | "Loopback";

/** A variable of the environment has a value that it may not have. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  readonly code = "OPTION";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** OptionError names the variable and its value. */
export function readOptions(env: Environment): ControllerOptions {
  const level = parseLogLevel(env.LOG_LEVEL ?? "info");
  if (level === undefined) throw new OptionError(`LOG_LEVEL is "${env.LOG_LEVEL}", which is no log level`);
  return {
    identity: env.POD_NAME ?? env.HOSTNAME ?? "controller",
    namespace: env.POD_NAMESPACE ?? DEFAULT_NAMESPACE,
    logLevel: level,
    httpPort: readPort(env, "HTTP_PORT", PORT.controller),
    webhookPort: readPort(env, "WEBHOOK_PORT", PORT.webhook),
    metricsAccess: readMetricsAccess(env),
    metricsPort: readPort(env, "METRICS_PORT", PORT.metrics),
    consoleAccess: readConsoleAccess(env),
    consolePort: readPort(env, "CONSOLE_PORT", PORT.console),
    consoleDirectory: env.CONSOLE_DIRECTORY ?? "/app/console",
    metricsCertificateDirectory: env.METRICS_CERTIFICATE_DIRECTORY ?? METRICS_CERTIFICATE_DIRECTORY,
    certificateDirectory: env.CERTIFICATE_DIRECTORY ?? "/etc/genkan/tls",
    clientsDirectory: env.WEBHOOK_CLIENTS_DIRECTORY ?? "/etc/genkan/webhook-clients",
  };
}

function readMetricsAccess({ METRICS_ACCESS: text }: Environment): MetricsAccess {
  const access = parseMetricsAccess(text);
  if (access === undefined) throw new OptionError(`METRICS_ACCESS is "${text}"; it may be Token or Loopback`);
  return access;
}

function readConsoleAccess({ CONSOLE_ACCESS: text = "" }: Environment): ConsoleAccess {
  if (text === "") return "Off";
  if (text !== "Off" && text !== "Loopback")
    throw new OptionError(`CONSOLE_ACCESS is "${text}"; it may be Off or Loopback`);
  return text;
}

function readPort(env: Environment, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === "") return otherwise;
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535)
    throw new OptionError(`${name} is "${text}", which is no port`);
  return port;
}
