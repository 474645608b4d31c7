/**
 * A reporter for Node's runner: how a file's process ended, where that was no end of its own. The others say only that it
 * failed, and a process that crashed has told nothing itself.
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

/** The runner looks for a default export. */
// biome-ignore lint/style/noDefaultExport: see above
export default async function* endings(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) yield endingOf(event);
}

/** A line; "" for what is no failed file. Pure. */
export function endingOf({ type, data }: TestEvent): string {
  const { exitCode, signal } = data?.details?.error ?? {};
  if (type !== "test:fail" || (exitCode === undefined && signal === undefined)) return "";
  const how = signal === undefined || signal === null ? `with exit code ${exitCode}` : `by ${signal}`;
  return `${data?.name} ended ${how}\n`;
}
