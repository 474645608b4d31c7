/** The life of a speaker's process: learn, work, hand over, end. */
import { BUILD } from "#common/version.ts";
import { type Assembled, assemble, type World } from "./assemble.ts";
import { formerSessionsOf } from "./former-sessions.ts";
import { serveSpeaker } from "./http.ts";
import type { Status } from "./report/status.ts";
import { shutDown } from "./shutdown.ts";

/** Runs until `signal` aborts and all is handed over. Throws HttpListenError, and the errors of a shutdown. */
export async function live(world: World, signal: AbortSignal): Promise<void> {
  const { options, log } = world;
  const parts = assemble(world);
  const { sources, membership, reporter, probe, paths, host, traffic } = parts;
  const background = new AbortController();
  let isKnown = false;
  const missing = (): string[] => sources.missing();
  const http = await serveSpeaker(
    {
      ...world,
      ...{ port: options.httpPort, address: options.address, namespace: options.namespace },
      access: options.metricsAccess,
      certificateDirectory: options.metricsCertificateDirectory,
      metrics: parts.metrics,
      unready: () => (isKnown ? parts.speaker.unsettled : `waiting for ${missing().join(", ")}`),
      plan: () => (isKnown ? parts.speaker.describe() : { waitingFor: missing() }),
    },
    background.signal,
  );
  const { namespace, sysctlRoot } = options;
  log.info("speaker started", { build: BUILD, namespace, http: http.port, sysctlRoot });
  const running = [sources, membership, reporter, probe, paths, host, traffic].map((part) =>
    part.run(background.signal),
  );
  await Promise.race([Promise.all([sources.synced(), membership.reflector.synced()]), aborted(signal)]);
  if (!signal.aborted) {
    const present = await inheritedStatus(world, parts);
    parts.events.inherit((present?.addresses ?? []).map(({ address }) => address));
    parts.speaker.inheritSessions(formerSessionsOf(present));
    isKnown = true;
    await parts.loop.run(signal);
    await handOver(world, parts);
  }
  background.abort();
  await Promise.all(running);
  await http.close();
  await parts.close();
}

async function handOver(world: World, { client, speaker, membership, reporter }: Assembled): Promise<void> {
  const { node, namespace } = world.options;
  await shutDown({
    ...world,
    ...{ client, node, namespace },
    role: speaker.role,
    release: () => membership.release(),
    withdraw: () => speaker.pause(),
    leave: (role) => speaker.leaveAs(role),
  });
  await reporter.write().catch((error: unknown) => world.log.warn("last status not written", { error }));
}

async function inheritedStatus({ log }: World, { reporter }: Assembled): Promise<Status | undefined> {
  try {
    return await reporter.readPresent();
  } catch (error) {
    log.warn("what an earlier speaker of this node did is not known", { error });
    return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
