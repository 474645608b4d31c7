/** Which benchmarks `make bench` runs, in which order: what needs a quiet machine least comes last. */

export interface Benchmark {
  readonly name: string;
  /** What it answers, for the page. */
  readonly question: string;
  /** Goal of the Makefile, with its variables. */
  readonly goal: readonly string[];
  /** A run that takes longer hangs. Minutes on a quiet machine with two processors, with much to spare. */
  readonly limitMinutes: number;
}

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: "plan",
    question: "What does a speaker's pass cost at 10,000 Services, and what does a takeover wait for?",
    goal: ["bench-plan"],
    limitMinutes: 10,
  },
  {
    name: "allocation",
    question: "How fast are addresses found, and how much memory does that take?",
    goal: ["bench-allocation"],
    limitMinutes: 10,
  },
  {
    name: "growth",
    question: "How does a speaker's pass grow with Services, endpoints and nodes?",
    goal: ["bench-growth"],
    limitMinutes: 10,
  },
  {
    name: "scale",
    question:
      "What do 10,000 Services of ten pods cost in the kernel, and in the speaker that programs them?",
    goal: ["bench-scale"],
    limitMinutes: 45,
  },
  {
    name: "sharing",
    question: "What does it cost that nodes tell each other of connections?",
    goal: ["bench-sharing"],
    limitMinutes: 30,
  },
  {
    name: "forwarding",
    question: "What does forwarding add to a request and to a packet?",
    goal: ["bench-forwarding"],
    limitMinutes: 30,
  },
  {
    name: "wrk",
    question: "How many requests a second pass, over the number of pods, beside nginx and haproxy?",
    goal: ["bench-wrk"],
    limitMinutes: 30,
  },
  {
    name: "bgp",
    question: "When does a router have the prefixes, beside GoBGP and ExaBGP?",
    goal: ["bench-bgp"],
    limitMinutes: 20,
  },
  {
    name: "failover",
    question: "How long has an address no answer in layer 2?",
    goal: ["bench-failover"],
    limitMinutes: 60,
  },
  {
    name: "allocation-api",
    question: "How long from a POST to an address, through a real API server?",
    goal: ["bench-allocation-api"],
    limitMinutes: 20,
  },
  {
    name: "pools-burst",
    question: "Who waits while 300 pools are made at once beside 6,000 Services?",
    goal: ["bench-pools-burst"],
    limitMinutes: 20,
  },
  {
    name: "bfd",
    question:
      "How soon is a dead peer found, and does a session flap under load? (One minute of flaps each here.)",
    goal: ["bench-bfd", "MINUTES=1"],
    limitMinutes: 20,
  },
];
