/** docs/results/wrk.md. Pure. */
import { spreadOf } from "../forwarding-figures.ts";
import { type Figure, KINDS, type Kind } from "./figures.ts";
import { WAYS } from "./ways.ts";

export interface About {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly date: Date;
  readonly kernel: string;
  /** In words. */
  readonly load: string;
}

const TITLES: Readonly<Record<Kind, string>> = {
  keepalive: "Requests on open connections",
  new: "Each request with a connection of its own",
};

export function page(figures: readonly Figure[], about: About): string {
  return `# Requests a second by wrk, over the number of pods

\`make bench-wrk\`, ${about.date.toISOString().slice(0, 10)}: medians of ${about.rounds} rounds of ${about.seconds} s, the ways in turns; one client with ${about.connections} connections.
The guest: ${about.kernel}, one processor. While it ran, ${about.load}.

It is the experiment of the first paper ([papers.md](../papers.md)) on one processor: client, balancer and pods share it, so
more pods bring no more requests, and what is compared is how much of the processor each way leaves for the rest. A system
call costs more in this kernel than on a machine's own ([forwarding.md](forwarding.md), "How this was checked"), and wrk and
the pods make the most of them; a proxy in user space makes more, and so does worse here than on a machine's own kernel. The
ways of the kernel can be compared with each other. The pods are addresses of one nginx, which answers 100 bytes.

${WAYS.map(({ name, meaning }) => `- \`${name}\`: ${meaning}`).join("\n")}

flannel's backend udp is not among them: it is a program in user space that flannel itself advises against. Receive packet
steering needs more than one processor.

![Requests a second over the number of pods](wrk.svg)
${KINDS.map((kind) => section(figures, kind)).join("")}`;
}

function section(figures: readonly Figure[], kind: Kind): string {
  const its = figures.filter((one) => one.kind === kind);
  const counts = [...new Set(its.map(({ pods }) => pods))];
  const failed = its.reduce((sum, one) => sum + one.failed, 0);
  const rows = WAYS.map(({ name }) => {
    const cells = counts.map((pods) => {
      const found = its.find((one) => one.way === name && one.pods === pods);
      return found === undefined ? "" : `${found.per_second} (${found.p50_ms}, ${found.p99_ms})`;
    });
    const mine = its.filter((one) => one.way === name);
    const added = middleOf(mine.flatMap(({ added_us }) => added_us ?? []));
    const ratio = middleOf(mine.flatMap((one) => one.ratio ?? []));
    const compared = ratio === undefined ? "" : `${ratio} of ${mine[0]?.against}`;
    return `| ${name} | ${cells.join(" | ")} | ${added ?? ""} | ${compared} |`;
  });
  return `
## ${TITLES[kind]}

Requests for a second of the guest's processor time; in parentheses milliseconds to the answer, of half of them and of 99 in 100. ${failed === 0 ? "None failed." : `${failed} failed.`}
*Added* is the processor time of one request less that of \`routed\`, *rate* what is compared with nginx: medians over the numbers of pods.

| way | ${counts.map((pods) => (pods === 1 ? "1 pod" : `${pods} pods`)).join(" | ")} | added, µs | rate |
|---|${counts.map(() => "---|").join("")}---|---|
${rows.join("\n")}
`;
}

function middleOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.round(spreadOf(values).median * 100) / 100;
}
