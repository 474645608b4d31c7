/**
 * Two tenants' objects, one's that stay as they are and another's that are spoiled, through everything that a speaker
 * does with objects before the kernel: lists and watches, projections, judging, liveness, plans.
 */
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import { ANNOTATION_SPEAKER_STATE } from "#api/names.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { Lease, Resource } from "#common/kube/resource.ts";
import { keptObject } from "#common/kube/shape.ts";
import type { WatchEvent } from "#common/kube/watch.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { silentLogger } from "#common/log.ts";
import { planBgp } from "#speaker/bgp/plan.ts";
import { planForwarding } from "#speaker/forwarding/plan.ts";
import { parseState } from "#speaker/known/project.ts";
import { Sources } from "#speaker/known/sources.ts";
import { ALL_WELL, type ClusterView, NO_CLAIMS, type SpeakerState } from "#speaker/known/view.ts";
import { projectLease } from "#speaker/membership/lease-record.ts";
import { Liveness } from "#speaker/membership/liveness.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { FakeClock, settle } from "#test/fakes/clock.ts";
import { fakeRandom } from "#test/fakes/random.ts";
import type { Json } from "./mutate.ts";

const NAMESPACE = "genkan-system";
export type Kind =
  | "addresspools"
  | "bfdprofiles"
  | "bgppeers"
  | "endpointslices"
  | "leases"
  | "loadbalancers"
  | "nodes"
  | "secrets"
  | "services";
type Objects = Readonly<Partial<Record<Kind, Json>>>;

const meta = (name: string, namespace: string | undefined, more: Record<string, Json> = {}): Json => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...(namespace === undefined ? {} : { namespace }),
  ...more,
});

/** `octet` tells one tenant's addresses from another's; `who` is the name of all of his objects. */
function objectsOf(who: string, octet: number): Objects {
  const condition = {
    type: FORWARDING_CONDITION,
    status: "True",
    reason: "Assigned",
    message: `AddressPool "${who}": IPv4/TCP/80=${octet} IPv4/UDP/53=${octet + 100}`,
  };
  const state = {
    isReady: true,
    links: [{ name: "eth0", prefixes: [`172.30.${octet}.1/24`], hardware: "020000000001" }],
  };
  const nodeSelectors = [{ matchLabels: { tenant: who } }];
  return {
    addresspools: {
      metadata: meta(who, NAMESPACE),
      spec: {
        protocol: "bgp",
        addresses: [
          `198.51.100.${octet}/32`,
          `198.51.100.${octet * 10 + 100}-198.51.100.${octet * 10 + 101}`,
        ],
        nodeSelectors,
        interfaces: ["eth0"],
        bgpAdvertisements: [
          { aggregationLength: 32, localPref: 100, communities: ["64512:1"], peers: [who] },
        ],
      },
    },
    bgppeers: {
      metadata: meta(who, NAMESPACE),
      spec: {
        ...{ myASN: 64_512, peerASN: 64_513, peerAddress: `172.30.${octet}.253`, holdTime: "90s" },
        ...{
          passwordSecret: { name: who },
          bfdProfile: who,
          nodeSelectors: [{ matchLabels: { role: "edge" } }],
        },
      },
    },
    bfdprofiles: { metadata: meta(who, NAMESPACE), spec: { receiveInterval: 300, detectMultiplier: 3 } },
    secrets: {
      metadata: meta(who, NAMESPACE),
      type: "kubernetes.io/basic-auth",
      data: { password: Buffer.from("s3cret").toString("base64") },
    },
    nodes: {
      metadata: meta(who, undefined, { labels: { tenant: who, role: "edge" } }),
      spec: { podCIDR: `10.244.${octet}.0/24`, podCIDRs: [`10.244.${octet}.0/24`] },
      status: {
        addresses: [
          { type: "InternalIP", address: `172.30.${octet}.1` },
          { type: "Hostname", address: who },
        ],
      },
    },
    services: {
      metadata: meta("web", who),
      spec: {
        type: "LoadBalancer",
        ports: [
          { name: "http", port: 80, protocol: "TCP" },
          { name: "dns", port: 53, protocol: "UDP" },
        ],
        loadBalancerSourceRanges: ["10.0.0.0/8"],
      },
      status: { loadBalancer: { ingress: [{ ip: `198.51.100.${octet}` }] }, conditions: [condition] },
    },
    endpointslices: {
      metadata: meta("web-1", who, { labels: { "kubernetes.io/service-name": "web" } }),
      addressType: "IPv4",
      ports: [
        { name: "http", port: 8080, protocol: "TCP" },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
      endpoints: [{ addresses: [`10.244.${octet}.1`], nodeName: who, conditions: { ready: true } }],
    },
    leases: {
      metadata: meta(`speaker-${who}`, NAMESPACE, {
        labels: { "genkan.dev/speaker": who },
        annotations: { [ANNOTATION_SPEAKER_STATE]: JSON.stringify(state) },
      }),
      spec: { holderIdentity: `pod-${who}`, renewTime: "1", leaseDurationSeconds: 4 },
    },
  };
}

const OWN = "sound";
const SPOILED = objectsOf("spoiled", 2);
const SOUND: Objects = {
  ...objectsOf(OWN, 1),
  loadbalancers: { metadata: meta("loadbalancer", NAMESPACE), spec: { forwarding: { mode: "IPVS" } } },
};
/** Of the second tenant's; the LoadBalancer is everybody's. */
export const KINDS = Object.keys(SPOILED) as Kind[];
export const originalOf = (kind: Kind): Json => SPOILED[kind] ?? null;

/** An API server whose lists are empty and whose watches say what the test wants. */
class Server {
  readonly #tell = new Map<string, (event: WatchEvent<KubeObject>) => void>();

  get client(): KubeClient {
    const watch = async function* (this: Server, { plural }: Resource<KubeObject>, signal: AbortSignal) {
      const queue: WatchEvent<KubeObject>[] = [];
      let wake = (): void => undefined;
      signal.addEventListener("abort", () => wake(), { once: true });
      this.#tell.set(plural, (event) => {
        queue.push(event);
        wake();
      });
      while (!signal.aborted) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    }.bind(this);
    return {
      list: async () => ({ items: [], resourceVersion: "1" }),
      watch: (resource: Resource<KubeObject>, _: unknown, signal: AbortSignal) => watch(resource, signal),
    } as unknown as KubeClient;
  }

  tell(kind: string, type: "MODIFIED" | "DELETED", object: KubeObject): void {
    this.#tell.get(kind)?.({ type, object });
  }
}

export class Cluster {
  readonly #server = new Server();
  readonly #clock = new FakeClock();
  readonly #sources: Sources;
  readonly #planner = new Planner();
  readonly #liveness = new Liveness(OWN);
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #leases = new Map<string, Json>();
  #version = 1;

  private constructor() {
    const { client } = this.#server;
    this.#sources = new Sources({
      ...{ client, namespace: NAMESPACE, clock: this.#clock, random: fakeRandom(), log: silentLogger },
      onChange() {},
    });
    this.#running = this.#sources.run(this.#stop.signal);
  }

  static async open(): Promise<Cluster> {
    const cluster = new Cluster();
    await settle();
    for (const objects of [SOUND, SPOILED])
      for (const [kind, object] of Object.entries(objects)) await cluster.put(kind as Kind, object);
    return cluster;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** False for what the client gives to nobody: without a name there is nothing to keep it by. */
  async put(kind: Kind, object: Json): Promise<boolean> {
    if (!isKept(object)) return false;
    if (kind === "leases") this.#leases.set(object.metadata.name, object as unknown as Json);
    else this.#server.tell(kind, "MODIFIED", this.#next(object));
    await settle();
    return true;
  }

  async remove(kind: Kind, object: Json): Promise<void> {
    if (!isKept(object)) return;
    if (kind === "leases") this.#leases.delete(object.metadata.name);
    else this.#server.tell(kind, "DELETED", this.#next(object));
    await settle();
  }

  /** What the first tenant has of the plans of his node, as text; `laterMs` is how long the Leases stay as they are. */
  planned(laterMs = 0): string {
    for (let left = laterMs; left >= 0; left -= 1_000) this.#renew();
    const { live, dead, states: texts } = this.#liveness.judge(this.#now);
    const states = new Map<string, SpeakerState>();
    for (const [name, text] of texts) {
      const state = parseState(text);
      if (state !== undefined) states.set(name, state);
    }
    const sources = this.#sources;
    const loadBalancer = sources.loadBalancer();
    const node = sources.nodes.get(OWN);
    if (loadBalancer === undefined || node === undefined) throw new Error("the sound objects are not there");
    const view: ClusterView = {
      node: OWN,
      loadBalancer,
      nodes: new Map(sources.nodes.entries()),
      pools: sources.pools.current(),
      services: sources.services,
      slicesOf: (service) => sources.slicesOf(service),
      members: { live, dead, states },
      claims: NO_CLAIMS,
      health: ALL_WELL,
    };
    const plan = this.#planner.plan(view);
    const addresses = plan.addresses.filter(({ isAdvertised }) => isAdvertised);
    const bgp = planBgp({
      ...{ node, addresses, pools: view.pools, peers: sources.peers.list() },
      labelsOf: (service) => sources.services.get(service)?.labels,
      profiles: new Map(sources.profiles.list().map((profile) => [profile.name, profile])),
      password: (secret) => sources.password(secret),
    });
    const ports = plan.ports.filter(({ vip }) => vip === VIP);
    const nodeAddresses = node.addresses;
    planForwarding({ nodeAddresses, ports, vips: [VIP] });
    const session = bgp.sessions.get(OWN);
    return JSON.stringify({
      address: plan.addresses.find(({ vip }) => vip === VIP),
      ports,
      settings: session?.settings,
      told: session?.advertisements.filter(({ prefix }) => prefix === `${VIP}/32`),
      bfd: bgp.bfd.filter(({ key }) => key === OWN),
    });
  }

  /** Names of what is left out. */
  unusable(): string[] {
    return this.#sources.unusable().map(({ object }) => object);
  }

  #now = 0;

  #renew(): void {
    this.#now += 1_000;
    for (const lease of this.#leases.values()) {
      const read = this.#next(lease as unknown as KubeObject) as Lease;
      const { spec } = read;
      const isSound = read.metadata.name !== "speaker-spoiled" && typeof spec === "object";
      const named = projectLease(
        isSound ? ({ ...read, spec: { ...spec, renewTime: String(this.#now) } } as Lease) : read,
      );
      if (named !== undefined) this.#liveness.observe(named.node, named.record, this.#now);
    }
  }

  #next(object: KubeObject): KubeObject {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }
}

const VIP = "198.51.100.1";

function isKept(object: Json | KubeObject): object is Json & KubeObject {
  try {
    keptObject("test", object);
    return true;
  } catch {
    // A ConnectionError: the client refuses the answer.
    return false;
  }
}
