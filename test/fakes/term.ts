/** A term for tests, over stores that the test fills, and a server that takes every write and shows it at once. */
import { CLEANUP_FINALIZER, LOADBALANCER_NAME } from "#api/names.ts";
import { NOTHING_RESERVED } from "#api/reserved.ts";
import type { KubeClient, PatchRequest } from "#common/kube/client.ts";
import type { EventContent } from "#common/kube/events.ts";
import type { AddressPool, Service } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { silentLogger } from "#common/log.ts";
import { NO_SPANS } from "#common/trace/exporter.ts";
import type { ServiceRecord } from "#controller/allocation/service.ts";
import type { SpeakerRecord } from "#controller/status/handover.ts";
import type { ServicePatch } from "#controller/status/plan.ts";
import type { LoadBalancerRecord } from "#controller/stores.ts";
import { Term } from "#controller/term.ts";
import { addressesOf } from "#controller/testing/records.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { fixedRandom } from "#test/fakes/random.ts";

const SYSTEM = "genkan-system";
/** Nodes that are to have a speaker. */
const SPEAKERS = ["n1", "n2"] as const;

export interface TermWorld {
  readonly clock: FakeClock;
  readonly term: Term;
  readonly services: Store<ServiceRecord>;
  /** Patches of status.loadBalancer or conditions, in order. */
  readonly patches: { readonly key: string; readonly at: number; readonly patch: ServicePatch }[];
  readonly events: EventContent[];
  /** What settling everything takes. */
  rebuildMs: number;
  /** Called after each write of ours that the store shows. */
  onWrite: (key: string) => void;
  addPool(name: string, addresses: string): void;
  removePool(name: string): void;
  /** The spec of the LoadBalancer; undefined deletes it. */
  configure(spec: LoadBalancerRecord["spec"] | undefined): void;
  /** What the speaker of a node says of itself; of the present LoadBalancer, if no generation is named. */
  say(node: (typeof SPEAKERS)[number], record: Partial<SpeakerRecord>): void;
  /** As somebody else's write would, at the next version. */
  overwrite(key: string, more: Partial<ServiceRecord>): void;
  rebuilds(): number;
  addressesOf(key: string): readonly string[];
  end(): Promise<void>;
}

export function termWorld(): TermWorld {
  const clock = new FakeClock();
  const services = new Store<ServiceRecord>();
  const stores = {
    services,
    servicesIn: services.addIndex((service) => [service.namespace]),
    pools: new Store<AddressPool>(),
    loadBalancers: new Store<LoadBalancerRecord>(),
    speakers: new Store<SpeakerRecord>(),
    namespaces: new Store<Readonly<Record<string, string>>>(),
    reserved: { reserved: NOTHING_RESERVED, onChange: () => () => undefined },
  };
  let generation = 0;
  const configure = (spec: LoadBalancerRecord["spec"] | undefined): void => {
    const key = `${SYSTEM}/${LOADBALANCER_NAME}`;
    if (spec === undefined) stores.loadBalancers.delete(key);
    else {
      generation += 1;
      const metadata = { name: LOADBALANCER_NAME, generation };
      stores.loadBalancers.set(key, { metadata, spec, speakers: SPEAKERS.length });
    }
  };
  configure({});
  let version = 1;
  const overwrite = (key: string, more: Partial<ServiceRecord>): void => {
    const before = services.get(key);
    version += 1;
    if (before !== undefined) services.set(key, { ...before, ...more, resourceVersion: String(version) });
  };
  const patch = async (_resource: unknown, { name, namespace, body }: PatchRequest): Promise<Service> => {
    const key = `${namespace}/${name}`;
    const wanted = body as ServicePatch;
    const { loadBalancer, conditions } = wanted.status ?? {};
    const { finalizers } = wanted.metadata;
    world.patches.push({ key, at: clock.now(), patch: wanted });
    overwrite(key, {
      ...(loadBalancer === undefined ? {} : { ingress: loadBalancer.ingress ?? [] }),
      ...(conditions === undefined ? {} : { conditions }),
      ...(finalizers === undefined
        ? {}
        : { finalizers, hasOurFinalizer: finalizers.includes(CLEANUP_FINALIZER) }),
    });
    const { uid, resourceVersion } = services.get(key) ?? { uid: "", resourceVersion: "" };
    const after = services.get(key);
    if (after?.isTerminating === true && after.finalizers.length === 0) services.delete(key);
    world.onWrite(key);
    return {
      metadata: { name, namespace: namespace ?? "", uid, resourceVersion },
      spec: { type: "LoadBalancer" },
    } as unknown as Service;
  };
  const events: EventContent[] = [];
  const term = new Term(
    {
      client: { patch: patch as unknown } as KubeClient,
      clock,
      random: fixedRandom(),
      log: silentLogger,
      events: { emit: (_target, content) => void events.push(content) },
      namespace: SYSTEM,
      spans: NO_SPANS,
    },
    stores,
  );
  let rebuilds = 0;
  const rebuild = term.allocator.rebuild.bind(term.allocator);
  term.allocator.rebuild = (...given) => {
    rebuilds += 1;
    clock.advanceSync(world.rebuildMs);
    return rebuild(...given);
  };
  const stop = new AbortController();
  const running = term.run(stop.signal);
  const world: TermWorld = {
    clock,
    term,
    services,
    patches: [],
    events,
    onWrite: () => undefined,
    rebuildMs: 0,
    addPool: (name, addresses) =>
      stores.pools.set(`${SYSTEM}/${name}`, {
        metadata: { name, namespace: SYSTEM, uid: `uid-${name}`, resourceVersion: "1", generation: 1 },
        spec: { protocol: "layer2", addresses: [addresses] },
      } as unknown as AddressPool),
    removePool: (name) => void stores.pools.delete(`${SYSTEM}/${name}`),
    configure,
    say: (node, record) =>
      stores.speakers.set(`${SYSTEM}/${node}`, { generation, forwards: true, ...record }),
    overwrite,
    rebuilds: () => rebuilds,
    addressesOf: (key) => addressesOf(term.allocator.outcome(key)),
    end: async () => {
      stop.abort();
      await running;
    },
  };
  return world;
}
