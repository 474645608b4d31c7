/** What is seen while faults are done: who answers on the wire, what clients get, and who has which address. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { systemClock } from "#common/clock.ts";
import { createKubeClient } from "#common/kube/client.ts";
import { connectionFromKubeconfig } from "#common/kube/connection.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { type Service, services } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { silentLogger } from "#common/log.ts";
import { systemRandom } from "#common/random.ts";
import { Asker } from "#test/layer2/asker.ts";
import type { Loss, Request, Seen } from "./judge.ts";

const CHILD = fileURLToPath(new URL("./traffic-child.ts", import.meta.url));
/** Each question goes to every node of the lab, which has few processors. */
const ASK_EVERY_MS = 100;

export const nowMs = (): number => performance.timeOrigin + performance.now();

export interface WatchOptions {
  readonly vips: readonly string[];
  /** judge.ts says which. */
  readonly onWire: readonly string[];
  /** Namespaces of the network: of a host on the nodes' segment, and of the client behind the router. */
  readonly router: string;
  readonly client: string;
  readonly kubeconfig: string;
}

export class Watch implements AsyncDisposable {
  readonly #vips: readonly string[];
  readonly #onWire: readonly string[];
  readonly #asker: Asker;
  readonly #child: ChildProcess;
  readonly #stop = new AbortController();
  readonly #from = nowMs();
  readonly #requests: Request[] = [];
  readonly #losses: Loss[] = [];
  readonly #twice: { what: string; at: number }[] = [];
  /** Address -> Service. */
  readonly #holders = new Map<string, string>();
  readonly #addresses = new Map<string, readonly string[]>();
  #following: Promise<void> = Promise.resolve();
  opened = 0;

  private constructor(options: WatchOptions, asker: Asker) {
    this.#vips = options.vips;
    this.#onWire = options.onWire;
    this.#asker = asker;
    const argv = [`--net=/run/netns/${options.client}`, process.execPath, CHILD, ...options.vips];
    this.#child = spawn("nsenter", argv, { stdio: ["ignore", "pipe", "inherit"] });
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#take(JSON.parse(line)));
    this.#follow(options.kubeconfig);
  }

  static async start(options: WatchOptions): Promise<Watch> {
    return new Watch(options, await Asker.start({ namespace: options.router }, options.onWire, ASK_EVERY_MS));
  }

  /** All of it up to now: it does not grow. */
  seen(): Seen {
    return {
      ...{
        from: this.#from,
        to: nowMs(),
        vips: this.#vips,
        onWire: this.#onWire,
        answers: [...this.#asker.answers],
      },
      ...{ requests: [...this.#requests], losses: [...this.#losses], twice: [...this.#twice] },
    };
  }

  /** Since that moment every address was answered so many times in a row, and nothing else happened after. */
  isWell(since: number, inARow: number): boolean {
    return this.#vips.every((vip) => {
      const last = this.#requests.filter((one) => one.vip === vip && one.at >= since).slice(-inARow);
      return last.length === inARow && last.every(({ isAnswered }) => isAnswered);
    });
  }

  #take(line: Request | Loss | { readonly opened: string }): void {
    if ("opened" in line) this.opened += 1;
    else if ("flow" in line) this.#losses.push(line);
    else this.#requests.push(line);
  }

  /** Every change of every Service. The API server may be away meanwhile. */
  #follow(kubeconfig: string): void {
    const client = createKubeClient(
      connectionFromKubeconfig(kubeconfig, (path) => readFileSync(path, "utf8")),
    );
    const store = new Store<Service>();
    store.subscribe((key) => this.#see(key, store.get(key)));
    const reflector = new Reflector<Service>({
      ...{ client, resource: services, store, clock: systemClock, random: systemRandom, log: silentLogger },
    });
    this.#following = reflector.start(this.#stop.signal).finally(() => client.close());
  }

  #see(key: string, service: Service | undefined): void {
    for (const address of this.#addresses.get(key) ?? [])
      if (this.#holders.get(address) === key) this.#holders.delete(address);
    const ingress = service?.spec?.type === "LoadBalancer" ? service.status?.loadBalancer?.ingress : [];
    const addresses = (ingress ?? []).flatMap(({ ip }) => ip ?? []);
    this.#addresses.set(key, addresses);
    for (const address of addresses) {
      const holder = this.#holders.get(address);
      if (holder !== undefined)
        this.#twice.push({ what: `${address} is of Services ${holder} and ${key}`, at: nowMs() });
      this.#holders.set(address, key);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#child.kill("SIGKILL");
    await this.#asker[Symbol.asyncDispose]();
    await this.#following.catch(() => undefined);
  }
}
