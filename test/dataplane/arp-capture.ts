/** Who asks for an address on a link of a namespace and who answers, as tcpdump hears it. */
import type { Running } from "#hack/guest/channel.ts";
import { type IpvsNodes, LONG } from "#test/dataplane/ipvs-nodes.ts";
import { type Machine, script } from "#test/network/machine.ts";
import { settled, until } from "#test/until.ts";

export class Capture {
  readonly #running: Running;
  #text = "";
  #errors = "";

  /** Resolves when it listens. */
  static async start(machine: Machine, netns: string): Promise<Capture> {
    const capture = new Capture(machine, netns);
    await until("tcpdump to listen", () => capture.#errors.includes("listening on"), { deadlineMs: 60_000 });
    return capture;
  }

  private constructor(machine: Machine, netns: string) {
    const filter = "arp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))";
    const command = ["tcpdump", "-Z", "root", "-n", "-e", "-l", "--immediate-mode", "-i", "eth0", filter];
    this.#running = machine.spawn(command, {
      netns,
      discard: true,
      onOutput: (chunk, stream) => {
        if (stream === "stdout") this.#text += chunk.toString();
        else this.#errors += chunk.toString();
      },
    });
  }

  /** Questions for `vip` from the link with the address `hardware`, so far. */
  questions(vip: string, hardware: string): number {
    const asked = vip.includes(":") ? `neighbor solicitation, who has ${vip},` : `Request who-has ${vip} `;
    return this.#lines(asked).filter((line) => sourceOf(line) === hardware).length;
  }

  /** Hardware addresses that answered for `vip` to the link with the address `hardware`, one for each answer so far. */
  answers(vip: string, hardware: string): string[] {
    const answered = vip.includes(":") ? `neighbor advertisement, tgt is ${vip},` : `Reply ${vip} is-at `;
    return this.#lines(answered)
      .filter((line) => line.includes(` > ${hardware},`))
      .map(sourceOf);
  }

  async stop(): Promise<void> {
    this.#running.kill("SIGINT");
    await this.#running.done;
  }

  #lines(part: string): string[] {
    return this.#text.split("\n").filter((line) => line.includes(part));
  }
}

/** The second word of tcpdump's line, after the time. */
const sourceOf = (line: string): string => line.split(" ")[1] ?? "";

/** What the owner of an address answered to the router, heard at the owner's own link. */
export interface Asked {
  /** Of the owner's link. */
  readonly hardware: string;
  /** Questions while its speaker ran; at least five. */
  readonly asked: number;
  /** Hardware addresses, one for each answer while its speaker ran. */
  readonly answers: readonly string[];
  /** The same for a question that came while its speaker stood still: the kernel alone heard it. */
  readonly byKernel: readonly string[];
}

/** Asks for `vip` from the router, by ARP or NDP. */
export async function askOwner(nodes: IpvsNodes, vip: string): Promise<Asked> {
  const { machine, topology } = nodes;
  const { netns } = topology.router;
  const asking =
    /link\/ether (\S+)/.exec(await script(machine, "ip -o link show eth0", { netns }))?.[1] ?? "";
  const owner = nodes.elected(vip);
  const ask = vip.includes(":")
    ? `ndisc6 -q -r 1 -w 1000 ${vip} eth0 || true`
    : `arping -c 1 -w 1 -I eth0 ${vip} || true`;
  const capture = await Capture.start(machine, nodes.netnsOf(owner));
  const answers = (): string[] => capture.answers(vip, asking);
  try {
    await script(machine, `for i in 1 2 3 4 5; do ${ask}; done`, { netns });
    await until("five questions", () => capture.questions(vip, asking) >= 5, LONG);
    // The router's own kernel may ask as well.
    const { asked, whileRunning } = await until(
      "an answer to each",
      () => {
        const heard = { asked: capture.questions(vip, asking), whileRunning: answers() };
        return heard.whileRunning.length >= heard.asked && heard;
      },
      LONG,
    );
    nodes.pause(owner, true);
    // What the router's kernel asked until then has been answered by the speaker; the script's end shows that it is over.
    await script(machine, "true", { netns });
    const before = await settled("the last answer", () => [capture.questions(vip, asking), answers().length]);
    await script(machine, ask, { netns });
    await until("one more question", () => capture.questions(vip, asking) > (before[0] ?? 0), LONG);
    const byKernel = answers().slice(before[1]);
    return { hardware: await nodes.hardwareOf(owner), asked, answers: whileRunning, byKernel };
  } finally {
    nodes.pause(owner, false);
    await capture.stop();
  }
}
