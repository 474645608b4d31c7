/** One device under test and one FRR, for what a single session shows. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Capture, type CapturedMessage } from "./bgp-capture.ts";
import { Device } from "./bgp-device.ts";
import { peerView, planOf } from "./cells.ts";
import { Frr, type FrrOptions } from "./frr.ts";
import { workDirectory } from "./router.ts";
import { LINK, type Session } from "./session.ts";

export type Advertisement = WantedSession["advertisements"][number];

export const plain = (prefix: string): Advertisement => ({ prefix, communities: [], largeCommunities: [] });

export interface FrrNeighbor {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  readonly connectionsDropped: number;
  readonly lastNotificationReason?: string;
  readonly lastShutdownDescription?: string;
  readonly [field: string]: unknown;
}

export class Lab implements AsyncDisposable {
  readonly topology: Topology;
  readonly session: Session;
  readonly #directory = workDirectory("interop-lab");
  device: Device;
  #frr: Frr | undefined;
  #wanted: WantedSession;

  private constructor(prefix: string, session: Session) {
    this.session = session;
    this.topology = new Topology(prefix);
    this.topology.addRouter("frr", [session]);
    this.device = new Device(this.topology.device);
    const wanted = planOf([peerView(session)]).get(session.name);
    if (wanted === undefined) throw new Error(`no plan for ${session.name}`);
    this.#wanted = wanted;
  }

  static async start(prefix: string, session: Session, options: Partial<FrrOptions> = {}): Promise<Lab> {
    const lab = new Lab(prefix, session);
    const namespace = lab.topology.namespaceOf("frr");
    try {
      lab.#frr = await Frr.start({ ...options, namespace, sessions: [session], directory: lab.#directory });
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  get frr(): Frr {
    if (this.#frr === undefined) throw new Error("FRR was not started");
    return this.#frr;
  }

  /** Lines of FRR's `router bgp`, while it runs. */
  async configure(...lines: readonly string[]): Promise<void> {
    await this.frr.shell("conf t", `router bgp ${this.session.peer.asn}`, ...lines);
  }

  /** Reconciles with these changes to what was wanted last. */
  async want(
    advertisements: readonly Advertisement[],
    settings: Partial<WantedSession["settings"]> = {},
  ): Promise<void> {
    this.#wanted = { settings: { ...this.#wanted.settings, ...settings }, advertisements };
    await this.device.reconcile(new Map([[this.session.name, this.#wanted]]));
  }

  async neighbor(): Promise<FrrNeighbor> {
    const { address } = this.session.device;
    const all = await this.frr.json<Record<string, FrrNeighbor>>(`show bgp neighbors ${address} json`);
    const found = all[address];
    if (found === undefined) throw new Error(`FRR knows no neighbor ${address}`);
    return found;
  }

  async established(): Promise<void> {
    const isUp = async (): Promise<boolean> => (await this.neighbor()).bgpState === "Established";
    await until("the session", isUp, { deadlineMs: 20_000, everyMs: 100 });
  }

  /** Prefixes that FRR has of the device, sorted. */
  async prefixes(): Promise<string[]> {
    const routes = await this.frr.routes(this.session.family);
    return (routes.get(this.session.device.address) ?? []).map(({ prefix }) => prefix).sort();
  }

  async shows(expected: readonly string[]): Promise<void> {
    const text = [...expected].sort().join();
    const isThere = async (): Promise<boolean> => (await this.prefixes()).join() === text;
    await until(`FRR to show ${text || "nothing"}`, isThere, { deadlineMs: 15_000, everyMs: 50 });
  }

  /** What the device sends while something is done. */
  async sent(doing: () => Promise<void>): Promise<CapturedMessage[]> {
    const capture = await Capture.start(this.topology.device, LINK, join(this.#directory, "capture.pcap"));
    await doing();
    return (await capture.stop()).filter(({ from }) => from === this.session.device.address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device.kill();
    await this.#frr?.stop();
    this.topology[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true });
  }
}
