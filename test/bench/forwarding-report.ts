/** The page that `make bench-forwarding` keeps. Pure. */
import { FAMILIES, type Family } from "#api/address.ts";
import type { Figure } from "./forwarding-figures.ts";
import type { Sample } from "./forwarding-samples.ts";
import {
  type Added,
  type Find,
  factorsOf,
  findIn,
  firstOfFlow,
  knownOf,
  knownTable,
  micros,
  packetsOfRequest,
  packetTable,
  requestTable,
  sumTable,
  table,
  WHERE,
  waysAt,
} from "./forwarding-tables.ts";
import { baseOf, WAYS } from "./forwarding-ways.ts";

/** What a kernel, and programs on it, need for work that has nothing to do with forwarding: microseconds. */
export interface Calibration {
  /** A million steps of arithmetic in a program. */
  readonly compute_us: number;
  /** A system call that does nothing. */
  readonly call_us: number;
  /** A system call in which the kernel makes a megabyte of random bytes. */
  readonly draw_us: number;
}

export interface Ground {
  readonly place: Sample["place"];
  readonly kernel: string;
  readonly calibration: Calibration;
  /** Of a processor, what the load had while it worked. */
  readonly share: number;
}

export interface Run {
  readonly figures: readonly Figure[];
  readonly grounds: readonly Ground[];
  /** About the machine and the run: a line each. */
  readonly circumstances: readonly string[];
}

export function report(run: Run): string {
  const find = findIn(run.figures);
  const place = run.grounds.at(-1)?.place ?? "here";
  const families = FAMILIES.filter((family) => waysAt(find, place, family).length > 0);
  const used = WAYS.filter(({ name }) => run.figures.some(({ way }) => way === name));
  const parts = [
    "# Forwarding: what it adds to a request, and to a packet",
    run.circumstances.join("\n"),
    `${READING}\n\n${used.map(({ name, meaning }) => `- \`${name}\`: ${meaning}`).join("\n")}`,
    ...families.flatMap((family) => [
      `## ${family}, ${WHERE[place]}`,
      requestTable(find, place, family),
      packetTable(find, place, family),
    ]),
    ...(run.grounds.length > 1 ? checks(run, find, families) : [sums(find, ["here"], families)]),
  ];
  return `${parts.join("\n\n")}\n`;
}

const READING = `Client, nodes and pod share one processor, and client and server are one process: a packet is forwarded inside the system
call that sends it. So a request's time is all of its processor time, wherever it was spent, as the scheduler of this
machine counts it; what other programs took meanwhile is not in it. *Added* is the difference to the same hops without any
rule (\`routed\`, or \`routed-far\`), between samples of the same round; half of the rounds lie between the numbers in
parentheses. *Rate* is that of requests for one processor, compared in the same way. Packets come from a flood, a
thousand of them to a system call, and are dropped where they arrive: that is the kernel's work on the way, and hardly
anything else. A connection of its own is closed by a reset.`;

function sums(find: Find, places: ReadonlyArray<Sample["place"]>, families: readonly Family[]): string {
  const tables = families.map((family) => `${family}:\n\n${sumTable(find, places, family)}`);
  return `A request on an open connection is one packet to the pod and one from it, so what
is added to it can be had twice: from requests, and as the sum of what is added to both packets, which no system call
blurs.\n\n${tables.join("\n\n")}`;
}

function checks(run: Run, find: Find, families: readonly Family[]): string[] {
  const [native, guest] = run.grounds;
  if (native === undefined || guest === undefined) return [];
  return [
    "## How this was checked",
    calibration(native, guest),
    rates(find, families[0] ?? "IPv4"),
    `**Known steps.** What needs no ip_vs was measured on this machine's own kernel in the same rounds:`,
    ...families.map((family) => `${family}:\n\n${knownTable(knownOf(find, family))}`),
    `**Two ways to one figure.** ${sums(find, ["here", "guest"], families)}`,
    "**What follows.**",
    ...families.map((family) => `${verdict(find, family)}\n\n${scaled(find, family)}`),
  ];
}

function calibration(native: Ground, guest: Ground): string {
  const rows = (
    [
      ["a program's own work: a million steps of arithmetic", "compute_us"],
      ["the kernel's own work: a megabyte of random bytes by one system call", "draw_us"],
      ["the way between: a system call that does nothing", "call_us"],
    ] as const
  ).map(([what, key]) => {
    const [here, there] = [native.calibration[key], guest.calibration[key]];
    const text = (value: number): string => (value < 1 ? value.toFixed(2) : micros(value));
    return [what, text(here), text(there), (there / here).toFixed(2)];
  });
  const shares = [native, guest].map(({ share }) => `${Math.round(share * 100)} %`);
  return `**Kernel-side work against user-side work.** In the guest programs and kernel run at this machine's speed, and what
lies between them is slow. A request makes four system calls, so they are most of it, and the ratio of rates hides what
forwarding costs; microseconds added, and packets, do not.

${table(["µs", "here", "in the guest", "guest by here"], rows)}
${/ SMP /.test(guest.kernel) ? SEVERAL_PROCESSORS : ""}
While they worked the loads had ${shares[0]} of a processor here and ${shares[1]} in the guest.`;
}

/** Measured with perf: of the time of a packet that is routed. */
const SEVERAL_PROCESSORS = `
The guest's kernel is built for several processors (SMP): each time it holds off interrupts it makes a system call of this
machine. That is three quarters of its work on a packet, and no other kernel has it.
`;

/** Why the ratio of rates is not the answer. */
function rates(find: Find, family: Family): string {
  const [requests, packets] = (["keep", "forth"] as const).map((kind) =>
    (["guest", "here"] as const).map((place) => find(place, "dnat", family, kind)?.ratio?.toFixed(2) ?? "?"),
  );
  return `DNAT against routing alone (${family}): of the rate of requests ${requests?.[0]} in the guest and ${requests?.[1]} here, of packets
${packets?.[0]} and ${packets?.[1]}.`;
}

/** How much the factors of several known steps may differ for their middle to mean something. */
const ALIKE = 3;

function verdict(find: Find, family: Family): string {
  const range = (added: Added): string => {
    const { least, middle, most } = factorsOf(find, { family, added });
    const isAlike = least > 0 && most / least <= ALIKE;
    const flaw = isAlike ? "" : ": **too far apart to conclude from the guest to another kernel**";
    return `${least.toFixed(2)} to ${most.toFixed(2)}, ${middle.toFixed(2)} in the middle${flaw}`;
  };
  return `${family}. The guest's by this machine's, over the known steps:

- what is added to a request's two packets: ${range(packetsOfRequest)};
- what is added to the first packet of a flow: ${range(firstOfFlow)}.

By the factor in the middle (in parentheses: by the ends), a way adds on this machine's own kernel what follows. A known
one is foretold from the others, beside what it really adds.`;
}

/** What cannot be measured here: from the guest, by the factors of what can. */
function scaled(find: Find, family: Family): string {
  const rows = WAYS.filter(
    (way) => baseOf(way) !== way.name && find("guest", way.name, family, "keep") !== undefined,
  ).map(({ name }) => [
    name,
    ...[packetsOfRequest, firstOfFlow].flatMap((added) => {
      const { least, middle, most } = factorsOf(find, { family, added, except: name });
      const [there, measured] = [added(find, "guest", family, name), added(find, "here", family, name)];
      if (there === undefined) return ["", ""];
      const ends = [least, most].map((factor) => there / factor).sort((a, b) => a - b);
      return [
        `${micros(there / middle)} (${ends.map(micros).join("..")})`,
        measured === undefined ? "-" : micros(measured),
      ];
    }),
  ]);
  return table(
    [
      ...["way", "a request's two packets, µs", "measured here"],
      ...["first packet of a flow, µs", "measured here"],
    ],
    rows,
  );
}
