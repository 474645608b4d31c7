/** A reporter for Node's runner, beside its own: how files ended that crashed, and at the end which took longest. */
import { endingOf, type TestEvent } from "#hack/suites/endings.ts";
import { lineOf } from "#hack/suites/slowest.ts";

type Event = TestEvent & {
  readonly data?: { readonly file?: string; readonly duration_ms?: number };
};

/** The runner looks for a default export. */
// biome-ignore lint/style/noDefaultExport: see above
export default async function* report(events: AsyncIterable<Event>): AsyncGenerator<string> {
  const took = new Map<string, number>();
  for await (const event of events) {
    const ending = endingOf(event);
    if (ending !== "") yield ending;
    const { type, data } = event;
    // There is one summary for each file, and one of all without a file.
    if (type === "test:summary" && data?.file !== undefined) took.set(data.file, data.duration_ms ?? 0);
  }
  if (took.size > 1) yield lineOf(took, process.cwd());
}
