/** The balancers and pods of all ways, in a guest: started, and told of so many pods. */
import { join } from "node:path";
import type { Guest } from "#hack/guest/boot.ts";
import type { Running } from "#hack/guest/channel.ts";
import { until } from "#test/until.ts";
import { POD_PORT } from "../forwarding-hops.ts";
import { dnat, genkanInput, haproxy, ipvs, nginxBalancer, nginxPods } from "./balancers.ts";
import { namespacesOf, podsOf, urlOf, WAYS, type Way } from "./ways.ts";

const GENKAN = join(import.meta.dirname, "..", "forwarding-genkan.ts");
/** A guest's own, which ends with it. */
const DIRECTORY = "/tmp/genkan-wrk";
/** Connections are followed, as kube-proxy's rules have it. */
const TRACKING =
  "table inet tracking { chain forward { type filter hook forward priority 0; ct state invalid drop; }\n}\n";

export class Balancers {
  readonly #guest: Guest;
  readonly #prefix: string;
  /** Programs that stand in a way, by the way's name. */
  readonly #running = new Map<string, Running>();

  constructor(guest: Guest, prefix: string) {
    this.#guest = guest;
    this.#prefix = prefix;
  }

  async startPods(): Promise<void> {
    for (const way of WAYS) {
      const at = namespacesOf(this.#prefix, way);
      await this.#nginx(`${way.name}-pods`, at.pods, nginxPods);
      await this.#answers(way, at.pods, `http://${podsOf(way, 1)[0]}:${POD_PORT}/`);
      if (way.balancer === "none" || way.balancer === "ipvs") continue;
      for (const node of way.pods === "near" ? [at.node] : [at.node, at.other])
        await this.#exec(["nft", "-f", "-"], node, TRACKING);
    }
  }

  /** Tells a way's balancer of so many pods, and waits until the client is answered. */
  async set(way: Way, pods: number): Promise<void> {
    const at = namespacesOf(this.#prefix, way);
    if (way.balancer === "dnat") await this.#exec(["nft", "-f", "-"], at.node, dnat(way, pods));
    if (way.balancer === "ipvs") {
      const [clear = "", ...lines] = ipvs(way, pods).split("\n");
      await this.#exec(["ipvsadm", clear], at.node);
      await this.#exec(["ipvsadm", "-R"], at.node, lines.join("\n"));
    }
    if (way.balancer === "nginx") {
      await this.#nginx(way.name, at.node, (directory) => nginxBalancer(directory, way, pods));
    }
    if (way.balancer === "haproxy") {
      const file = await this.#write("haproxy.cfg", haproxy(way, pods));
      await this.#start(way.name, ["haproxy", "-db", "-f", file], at.node);
    }
    if (way.balancer === "genkan") {
      await this.#genkan(at.node, JSON.stringify(genkanInput(way, pods, "node")));
      if (way.pods !== "near") await this.#genkan(at.other, JSON.stringify(genkanInput(way, pods, "other")));
    }
    await this.#answers(way, at.client, urlOf(way));
  }

  #genkan(netns: string, input: string): Promise<void> {
    return this.#exec([process.execPath, GENKAN, input], netns);
  }

  async #nginx(name: string, netns: string, config: (directory: string) => string): Promise<void> {
    const file = await this.#write(`${name}/nginx.conf`, config(join(DIRECTORY, name)));
    await this.#start(name, ["nginx", "-c", file], netns);
  }

  /** Returns its path in the guest. */
  async #write(name: string, text: string): Promise<string> {
    const path = join(DIRECTORY, name);
    const { code, stderr } = await this.#guest.exec(
      ["sh", "-c", `mkdir -p "$(dirname "$0")" && cat >"$0"`, path],
      {
        input: text,
      },
    );
    if (code !== 0) throw new Error(`${path} was not written: ${stderr}`);
    return path;
  }

  /** In place of the one of that name that runs. */
  async #start(name: string, argv: readonly string[], netns: string): Promise<void> {
    const former = this.#running.get(name);
    former?.kill("SIGTERM");
    await former?.done;
    this.#running.set(name, this.#guest.spawn(argv, { netns }));
  }

  async #answers(way: Way, netns: string, url: string): Promise<void> {
    await until(`${way.name} to answer`, async () => {
      const { code, stderr } = await this.#guest.exec(["curl", "-sSf", "-m", "1", "-o", "/dev/null", url], {
        netns,
      });
      if (code !== 0) throw new Error(stderr);
      return true;
    });
  }

  async #exec(argv: readonly string[], netns: string, input = ""): Promise<void> {
    const { code, stdout, stderr } = await this.#guest.exec(argv, { netns, input });
    if (code !== 0) throw new Error(`${argv.join(" ").slice(0, 100)} ended with ${code}: ${stderr}${stdout}`);
  }
}
