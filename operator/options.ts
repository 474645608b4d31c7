/** The operator's settings: the only reader of its environment. */
import { DEFAULT_NAMESPACE, PORT } from "#api/names.ts";
import { type LogLevel, parseLogLevel } from "#common/log.ts";
import type { Site } from "#operator/children/child.ts";

export interface OperatorOptions {
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** 0 takes a free one. */
  readonly httpPort: number;
  readonly site: Site;
}

/** A variable of the environment is missing or says something that it may not say. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  readonly code = "OPTION";
}

type Environment = Readonly<Record<string, string | undefined>>;
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"] as const;

function required(env: Environment, name: string): string {
  const value = env[name] ?? "";
  if (value === "") throw new OptionError(`${name} is not set`);
  return value;
}

/** OptionError names the variable. */
export function readOptions(env: Environment): OperatorOptions {
  const logLevel = parseLogLevel(env.LOG_LEVEL ?? "info");
  if (logLevel === undefined) throw new OptionError(`LOG_LEVEL is "${env.LOG_LEVEL}", which is no log level`);
  const policy = env.IMAGE_PULL_POLICY ?? "IfNotPresent";
  const pullPolicy = PULL_POLICIES.find((name) => name === policy);
  if (pullPolicy === undefined)
    throw new OptionError(`IMAGE_PULL_POLICY is "${policy}"; it may be ${PULL_POLICIES.join(", ")}`);
  const httpPort = Number(env.HTTP_PORT ?? PORT.operator);
  if (!Number.isInteger(httpPort) || httpPort < 0 || httpPort > 65_535) {
    throw new OptionError(`HTTP_PORT is "${env.HTTP_PORT}", which is no port`);
  }
  return {
    identity: env.POD_NAME ?? env.HOSTNAME ?? "operator",
    logLevel,
    httpPort,
    site: {
      namespace: env.POD_NAMESPACE ?? DEFAULT_NAMESPACE,
      images: { controller: required(env, "CONTROLLER_IMAGE"), speaker: required(env, "SPEAKER_IMAGE") },
      pullPolicy,
    },
  };
}
