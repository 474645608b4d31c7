/** The only reader of the environment in this role. */
import { DEFAULT_NAMESPACE, PORT } from "#api/names.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "#common/log.ts";

export interface Options {
  readonly node: string;
  readonly namespace: string;
  /** Of this process, for Leases and events. */
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** Where /proc/sys can be written: a container's own is read-only. */
  readonly sysctlRoot: string;
  readonly httpPort: number;
}

/** The environment asks for something impossible. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  readonly code = "BadOption";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** NODE_NAME is required. OptionsError names the variable, its value and the rule. */
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
  const port = env.HTTP_PORT ?? String(PORT.speaker);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new OptionsError(`HTTP_PORT is ${JSON.stringify(port)}: it has to be a port from 0 to 65535`);
  }
  return {
    node,
    namespace: env.POD_NAMESPACE ?? DEFAULT_NAMESPACE,
    identity: env.POD_NAME ?? node,
    logLevel,
    sysctlRoot: env.SYSCTL_ROOT ?? "/proc/sys",
    httpPort: Number(port),
  };
}
