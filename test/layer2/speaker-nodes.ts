/**
 * Three hosts on one layer 2 with a real speaker process each, in mode KubeProxy (so that no ip_vs is needed), a client
 * beside them, and a real API server. What tests of who answers for an address start from.
 */
import assert from "node:assert/strict";
import { loadBalancers } from "#common/kube/resource.ts";
import { elect } from "#speaker/plan/elect.ts";
import { watchBars } from "#test/bar.ts";
import { until } from "#test/until.ts";
import { BRIDGE_ADDRESS, Bridge, type Host, vip4, vip6 } from "../network/bridge.ts";
import { Cluster, type Pod, SYSTEM } from "./speaker-cluster.ts";
import { SPEAKER_UNDER, SpeakerProcess } from "./speaker-process.ts";

export const NAMES = ["n1", "n2", "n3"];
export const LONG = { deadlineMs: 20_000, everyMs: 50 };
/** A neighbour that gets no answer asks again after it. */
export const QUESTION_MS = 1_000;
/** Of the Service `web`. */
export const VIP = vip4(200);
export const VIP6 = vip6("200");

/** A pod on each of `names`: nobody connects to them. */
export const podsOn = (names: readonly string[]): Pod[] =>
  names.map((node, at) => ({ node, IPv4: `10.244.0.${at + 1}`, IPv6: `fd44::${at + 1}` }));

export class SpeakerNodes implements AsyncDisposable {
  readonly bridge: Bridge;
  readonly client: Host;
  readonly cluster: Cluster;
  readonly speakers = new Map<string, SpeakerProcess>();
  readonly #under: readonly string[];

  private constructor(bridge: Bridge, cluster: Cluster, under: readonly string[]) {
    this.bridge = bridge;
    this.client = bridge.add("cl", 99);
    this.cluster = cluster;
    this.#under = under;
  }

  /** Resolves when all speakers are ready. `under`: words of a command that starts each of them. */
  static async start(under: readonly string[] = SPEAKER_UNDER): Promise<SpeakerNodes> {
    const bridge = new Bridge();
    const pool = [`${vip4(200)}-${vip4(250)}`, `${vip6("200")}-${vip6("2ff")}`];
    const cluster = await Cluster.start({ address: BRIDGE_ADDRESS, mode: "KubeProxy", pool });
    const nodes = new SpeakerNodes(bridge, cluster, under);
    for (const [at, name] of NAMES.entries()) {
      await cluster.addNode({ name, ...bridge.add(name, at + 1).addresses });
    }
    await cluster.addService({ name: "web", vips: [VIP, VIP6], pods: podsOn(NAMES), ipMode: "VIP" });
    for (const name of NAMES) nodes.start(name);
    for (const name of NAMES) {
      await until(`${name} to be ready`, () => cluster.hasCondition(name, "Ready", "True"), LONG);
    }
    return nodes;
  }

  start(name: string, without: readonly string[] = []): SpeakerProcess {
    const host = this.bridge.hosts.get(name);
    assert.ok(host !== undefined);
    const speaker = new SpeakerProcess(host, this.cluster.plane.kubeconfig, without, this.#under);
    this.speakers.set(name, speaker);
    return speaker;
  }

  speaker(name: string): SpeakerProcess {
    const speaker = this.speakers.get(name);
    assert.ok(speaker !== undefined, `there is no speaker ${name}`);
    return speaker;
  }

  /** Waits until exactly `owner` answers for `vip`; how long it took, milliseconds. */
  async ownedBy(vip: string, owner: string | undefined, limits = LONG): Promise<number> {
    const began = performance.now();
    const wanted = owner === undefined ? [] : [owner];
    await until(
      `${vip} to be answered by ${owner ?? "nobody"}`,
      async () => {
        const owners = await this.bridge.owners(this.client, vip);
        if (JSON.stringify(owners) !== JSON.stringify(wanted))
          throw new Error(`answered by ${owners.join(", ") || "nobody"}`);
        return true;
      },
      limits,
    );
    return performance.now() - began;
  }

  /**
   * For so many milliseconds nobody but `owner` answers for `vip`. A question without an answer is asked again: who asks
   * does so after a second, and only a machine that stood still may have made it longer.
   */
  async staysWith(vip: string, owner: string, forMs: number): Promise<void> {
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      const bars = await watchBars();
      const began = performance.now();
      const owners = await this.bridge.owners(this.client, vip);
      if (owners.length > 0) assert.deepEqual(owners, [owner]);
      else {
        await this.ownedBy(vip, owner);
        await bars.hold(`an answer for ${vip}`, performance.now() - began, QUESTION_MS);
      }
    }
  }

  async setMode(mode: string): Promise<void> {
    const body = { spec: { forwarding: { mode } } };
    const { kube } = this.cluster;
    await kube.patch(loadBalancers, { name: "loadbalancer", namespace: SYSTEM, type: "merge", body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const speaker of this.speakers.values()) await speaker.end("SIGKILL");
    await this.cluster[Symbol.asyncDispose]();
    this.bridge[Symbol.dispose]();
  }
}

/** Whom the speakers elect for `vip` among `candidates`. */
export const expected = (vip: string, candidates: readonly string[] = NAMES): string =>
  elect({ vip, candidates }) ?? "";

export const others = (name: string): string[] => NAMES.filter((candidate) => candidate !== name);
