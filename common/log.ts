/**
 * Logs: winston behind a small interface. JSON lines to standard output, one readable line each on a terminal.
 * The level is looked at before a record is built, so a suppressed call costs a comparison. It may change while the
 * process runs, for all loggers that were made of the first one.
 * One record for each happening; never one for each packet. Of one cause there are so many in a minute, and then a count
 * of what was left out (loglimit.ts); at level debug everything is said.
 */
import winston from "winston";
import type { LogLevel } from "#api/log-level.ts";
import { describeError } from "#common/error.ts";
import { causeOf, LOG_LIMITS, LogLimiter, type LogLimits } from "#common/loglimit.ts";

export type Fields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A logger that adds `fields` to every record. */
  child(fields: Fields): Logger;
}

/** The first one of a process. */
export interface RootLogger extends Logger {
  /** From the next record on. */
  setLevel(level: LogLevel): void;
}

type Severity = "debug" | "info" | "warn" | "error";
const WEIGHT: Readonly<Record<Severity, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const THRESHOLD: Readonly<Record<LogLevel, number>> = {
  all: 0,
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  none: Number.POSITIVE_INFINITY,
};

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Default: "text" if standard output is a terminal, else "json". */
  readonly format?: "json" | "text";
  /** In every record, for example { role: "speaker", node: "node1" }. */
  readonly fields?: Fields;
  /** Default: standard output. Tests give their own. */
  readonly stream?: NodeJS.WritableStream;
  /** Default: LOG_LIMITS. */
  readonly limits?: LogLimits;
  /** Milliseconds that never go back; default: the process' own. Tests give their own. */
  readonly now?: () => number;
}

export function createLogger(options: LoggerOptions): RootLogger {
  const format = options.format ?? (process.stdout.isTTY ? "text" : "json");
  const stream = options.stream;
  const sink = winston.createLogger({
    // Our own comparison decides; winston would look the level up once more for nothing.
    level: "debug",
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    format: format === "json" ? jsonLine() : textLine(),
    transports: [
      stream === undefined
        ? new winston.transports.Console({ forceConsole: false })
        : new winston.transports.Stream({ stream }),
    ],
  });
  const level = { threshold: THRESHOLD[options.level] };
  const write = (severity: Severity, message: string, fields: Fields): void => {
    sink.log({ level: severity, message, fields: plainFields(fields) });
  };
  const bounded = limited(write, options);
  // Whoever asks for everything gets everything.
  const choose: Write = (...record) => (level.threshold <= WEIGHT.debug ? write : bounded)(...record);
  return {
    ...loggerFor(choose, level, options.fields ?? {}),
    setLevel: (name) => {
      level.threshold = THRESHOLD[name];
    },
  };
}

type Write = (severity: Severity, message: string, fields: Fields) => void;

/** The next record of any cause brings what was left out until then: no timer keeps the process alive for it. */
function limited(write: Write, { limits = LOG_LIMITS, now = () => performance.now() }: LoggerOptions): Write {
  const limiter = new LogLimiter<Parameters<Write>>(limits);
  return (...record) => {
    const at = now();
    for (const { example, count } of limiter.over(at)) {
      const [severity, message, fields] = example;
      write(severity, "records of one cause were left out", { of: message, leftOut: count, example: fields });
    }
    if (limiter.admit(causeOf(...record), record, at)) write(...record);
  };
}

/** Drops everything: for tests and for code that must have a Logger. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

function loggerFor(write: Write, level: { readonly threshold: number }, fixed: Fields): Logger {
  const at = (severity: Severity) => (message: string, fields?: Fields) => {
    if (WEIGHT[severity] >= level.threshold) write(severity, message, { ...fixed, ...fields });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerFor(write, level, { ...fixed, ...fields }),
  };
}

/** Errors print as {} and bigints throw in JSON; both become plain values here. */
function plainFields(fields: Fields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    plain[name] = plainValue(value);
  }
  return plain;
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return describeError(value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}

/** `{"time":"...","level":"info","msg":"...", ...fields}`; time and level first, whatever fields are called. */
function jsonLine(): winston.Logform.Format {
  return winston.format.printf((info) => {
    const fields = fieldsOf(info);
    // The event comes first: people search lines that begin with {"event":"ipAllocated".
    const event = fields.event === undefined ? {} : { event: fields.event };
    return JSON.stringify(
      { ...event, time: new Date().toISOString(), level: info.level, msg: info.message, ...fields },
      (_key, value: unknown) => plainValue(value),
    );
  });
}

/** `01:02:03.456 INFO  message key=value`. */
function textLine(): winston.Logform.Format {
  return winston.format.printf((info) => {
    const time = new Date().toISOString().slice(11, 23);
    const rest = Object.entries(fieldsOf(info)).map(([name, value]) => ` ${name}=${readable(value)}`);
    return `${time} ${info.level.toUpperCase().padEnd(5)} ${String(info.message)}${rest.join("")}`;
  });
}

function fieldsOf(info: winston.Logform.TransformableInfo): Record<string, unknown> {
  return (info.fields ?? {}) as Record<string, unknown>;
}

function readable(value: unknown): string {
  if (typeof value === "string") return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value, (_key, inner: unknown) => plainValue(inner));
}
