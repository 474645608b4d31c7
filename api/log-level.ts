/** The names that `spec.logLevel` and LOG_LEVEL take, most talkative first. */
export const LOG_LEVELS = ["all", "debug", "info", "warn", "error", "none"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `text` as a level; undefined if it is none of LOG_LEVELS. */
export function parseLogLevel(text: string): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === text);
}
