/**
 * How a file's process ended, where that was no end of its own. Node's reporters say only that it failed, and a process
 * that crashed has told nothing itself. Pure.
 */

export interface TestEvent {
  readonly type: string;
  readonly data?: {
    readonly name?: string;
    readonly details?: {
      readonly error?: { readonly exitCode?: number | null; readonly signal?: string | null };
    };
  };
}

/** A line; "" for what is no failed file. */
export function endingOf({ type, data }: TestEvent): string {
  const { exitCode, signal } = data?.details?.error ?? {};
  if (type !== "test:fail" || (exitCode === undefined && signal === undefined)) return "";
  const how = signal === undefined || signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
  return `${data?.name} ended ${how}\n`;
}
