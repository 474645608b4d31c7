/**
 * The status of BGPPeers and BFDProfiles: whether they are valid, and what the speakers say about them. Only the leader
 * writes, and it alone reads every SpeakerStatus.
 */
import { isDeepStrictEqual } from "node:util";
import { FIELD_MANAGER } from "#api/names.ts";
import { faultsOf } from "#api/v1beta1/admission/judge.ts";
import { LastValid } from "#api/v1beta1/admission/last-valid.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type { Condition } from "#api/v1beta1/conditions.ts";
import type { Fault } from "#api/v1beta1/fault.ts";
import { setJudgement } from "#api/v1beta1/valid-condition.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { isConflict, isNotFound } from "#common/kube/error.ts";
import { Reflector } from "#common/kube/reflector.ts";
import {
  apiVersionOf,
  type BFDProfile,
  type BGPPeer,
  bfdProfiles,
  bgpPeers,
  type Resource,
  type SpeakerStatus,
  speakerStatuses,
} from "#common/kube/resource.ts";
import type { OnSetback } from "#common/kube/setbacks.ts";
import { Store } from "#common/kube/store.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import type { Logger } from "#common/log.ts";
import { createLoop } from "#common/loop.ts";
import type { Random } from "#common/random.ts";
import { peerStatusOf, sessionsWith } from "#controller/status/peer-status.ts";

export interface BgpStatusOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly onSetback?: OnSetback;
  readonly namespace: string;
}

const MIN_INTERVAL_MS = 500;

/** Runs until `signal` aborts. */
export async function runBgpStatus(options: BgpStatusOptions, signal: AbortSignal): Promise<void> {
  const peers = new Store<BGPPeer>();
  const profiles = new Store<BFDProfile>();
  const speakers = new Store<SpeakerStatus>();
  const view = emptyView(options.namespace);
  const judgePeers = new LastValid<Typed<BGPPeer>>((peer, others) =>
    faultsOf(peer, { ...view, peers: others }),
  );
  const loop = createLoop({
    ...options,
    name: "bgp-status",
    minIntervalMs: MIN_INTERVAL_MS,
    pass: async () => {
      for (const { object: peer, faults } of judgePeers.judge(peers.list().map(typed(bgpPeers)))) {
        const conditions = judgedConditions(peer, faults, options);
        const sessions = sessionsWith(peer.metadata.name, speakers.list());
        const before = { conditions, generation: peer.metadata.generation };
        const status = { ...observed(peer), ...peerStatusOf(sessions, before, options.clock.date()) };
        await write(bgpPeers, peer, { status, options, signal });
      }
      for (const profile of profiles.list()) {
        const faults = faultsOf(typed(bfdProfiles)(profile), view);
        const conditions = [...judgedConditions(profile, faults, options)];
        const users = peers.list().filter(({ spec }) => spec.bfdProfile === profile.metadata.name);
        const status = { ...observed(profile), peers: users.length, conditions };
        await write(bfdProfiles, profile, { status, options, signal });
      }
    },
  });
  const stores = [peers, profiles, speakers];
  const cancels = stores.map((store) => store.subscribe(() => loop.trigger()));
  await Promise.all([
    new Reflector({ ...options, resource: bgpPeers, store: peers }).start(signal),
    new Reflector({ ...options, resource: bfdProfiles, store: profiles }).start(signal),
    new Reflector({ ...options, resource: speakerStatuses, store: speakers }).start(signal),
    loop.run(signal),
  ]);
  for (const cancel of cancels) cancel();
}

interface Judgeable extends KubeObject {
  status?: { conditions?: Condition[] };
}

/** With the kind, which items of a list leave out. */
type Typed<T> = T & { readonly apiVersion: string; readonly kind: string };

const typed =
  <T extends Judgeable>(resource: Resource<T>) =>
  (object: T): Typed<T> => ({ ...object, apiVersion: apiVersionOf(resource), kind: resource.kind });

const observed = ({ metadata: { generation } }: KubeObject): { readonly observedGeneration?: number } =>
  generation === undefined ? {} : { observedGeneration: generation };

function judgedConditions(
  { metadata, status }: Judgeable,
  faults: readonly Fault[],
  { clock }: BgpStatusOptions,
): readonly Condition[] {
  const { generation } = metadata;
  return setJudgement(status?.conditions ?? [], { faults, generation }, clock.date());
}

async function write<T extends Judgeable>(
  resource: Resource<T>,
  object: T,
  to: { readonly status: object; readonly options: BgpStatusOptions; readonly signal: AbortSignal },
): Promise<void> {
  const { client, namespace } = to.options;
  if (isDeepStrictEqual({ ...object.status, ...to.status }, object.status)) return;
  const { name, resourceVersion } = object.metadata;
  try {
    await client.patch(resource, {
      name,
      namespace: object.metadata.namespace ?? namespace,
      subresource: "status",
      type: "merge",
      body: { metadata: { resourceVersion }, status: to.status },
      fieldManager: FIELD_MANAGER.controller,
      signal: to.signal,
    });
  } catch (error) {
    // Somebody wrote first, or it is gone: the watch shows that, and asks for another pass.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
