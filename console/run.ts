/** The console of one controller: its own client, its own port; what fails here never ends the process. */

import type { Clock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import { createKubeClient } from "#common/kube/client.ts";
import type { Connection } from "#common/kube/connection.ts";
import type { Logger } from "#common/log.ts";
import type { Metrics } from "#common/metrics.ts";
import { keepServed } from "#common/served.ts";
import { FactsKeeper } from "#console/facts.ts";
import { readerOf } from "#console/reader.ts";
import { serveConsole } from "#console/serve.ts";
import { Visitors } from "#console/visitors.ts";

export interface ConsoleOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly connection: Connection;
  readonly userAgent: string;
  readonly namespace: string;
  readonly port: number;
  readonly directory: string;
}

/** Lists and reviews at once. */
const MAX_SOCKETS = 4;
const RETRY_MS = 10_000;

/** Answers until `signal` aborts; never rejects. While it cannot be served, it is tried again. */
export async function runConsole(options: ConsoleOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, connection, userAgent, namespace } = options;
  const client = createKubeClient(connection, { userAgent, maxSockets: MAX_SOCKETS, keptSockets: 1 });
  const facts = new FactsKeeper({ reader: readerOf(client, clock), namespace, clock });
  const visitors = new Visitors({ clock, log, client, namespace });
  const serve = async () => {
    const server = await serveConsole({ ...options, facts, visitors }, signal);
    log.info("the console is served", { port: server.port });
    return server;
  };
  const onFailure = (error: unknown): void =>
    log.error("the console is not served yet", { error: errorText(error) });
  await keepServed({ clock, retryMs: RETRY_MS, serve, onFailure }, signal);
  facts.close();
  client.close();
}
