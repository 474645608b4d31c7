/**
 * Somebody who knows nothing of the cluster asks one question, `genkan explain` or one `kubectl describe`, and has to
 * find the word for the cause in the answer. Services, pools and peers are judged by the real controller in a real API
 * server. What speakers would say of their nodes is said with their own functions; that they say it, with real kernels,
 * is shown by the tests that docs/troubleshooting.md names.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Reason } from "#api/v1beta1/reasons.ts";
import { addressPools, services } from "#common/kube/resource.ts";
import type { Trouble } from "#speaker/apply.ts";
import { conntrackTrouble } from "#speaker/host/conntrack.ts";
import { reversePathTrouble } from "#speaker/host/reverse-path.ts";
import { WallClock } from "#speaker/host/wall-clock.ts";
import { takingsOf } from "#speaker/known/takers.ts";
import { type Kind, PathTally } from "#speaker/paths/tally.ts";
import { TakenPorts } from "#speaker/plan/taken.ts";
import { Tally, THROUGH_MS } from "#speaker/selfprobe/tally.ts";
import { CliWorld, condition } from "#test/integration/cli-world.ts";
import { SYSTEM } from "#test/integration/controller-process.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 60_000, everyMs: 200 };

let world: CliWorld;
before(async () => {
  world = await CliWorld.start();
  for (const number of [1, 2]) {
    await world.addNode(number);
    await world.speak(number);
    await world.report(number);
  }
  await world.addPool("office", { addresses: ["172.30.0.100-172.30.0.104", "fd30::100-fd30::104"] });
  await world.addService("web");
  await world.addEndpoints("web", { "10.244.1.1": "n1", "10.244.2.1": "n2" });
});
after(() => world?.[Symbol.asyncDispose]());

/** Both nodes report this beside what is well. */
async function bothSay(type: string, { reason, message }: Trouble<Reason>): Promise<void> {
  for (const number of [1, 2]) {
    const well = [
      "ForwardingReady",
      "AnnouncingReady",
      "AllServed",
      "FirewallOpen",
      "PathsClear",
      "HostSound",
    ];
    const conditions = well
      .filter((one) => one !== type)
      .map((one) => condition(one, "True", "Fine"))
      .concat(condition(type, "False", reason, message));
    await world.report(number, { conditions });
  }
}
const allWell = async (): Promise<void> => {
  for (const number of [1, 2]) await world.report(number);
};

function firewall() {
  const tally = new Tally();
  for (const sequence of [1, 2]) {
    const now = sequence * 30_000;
    tally.see({ family: "IPv4", from: "172.30.0.2", kind: "ordinary", sequence }, "link", now, "eth0");
    tally.judge(now + THROUGH_MS);
  }
  return tally.judge(90_000);
}

function paths(kind: Kind) {
  const tally = new PathTally();
  const of = { node: "n2", address: "172.30.0.2", bytes: 1_500, hasSmall: true };
  for (let at = 0; at < 5; at += 1) tally.see([{ ...of, kind, has: false }]);
  return tally.trouble;
}

function tracking() {
  return conntrackTrouble({ count: 9, max: 9 }, { isDropping: true, wasFull: false });
}

function clock() {
  const wall = new WallClock();
  wall.see(0, 0);
  return wall.see(3_600_000, 1_000);
}

async function taken() {
  const [{ ip = "" } = {}] = (await world.service("web"))?.status?.loadBalancer?.ingress ?? [];
  const thief = {
    metadata: { name: "thief", namespace: "team-b" },
    spec: { externalIPs: [ip], ports: [{ port: 80 }] },
  };
  const takings = takingsOf(thief as Parameters<typeof takingsOf>[0]);
  const holding = {
    revision: 1,
    holderOf: (place: string) => (place === `${ip} TCP/80` ? "default/web" : undefined),
  };
  return new TakenPorts().leftOut({ revision: 1, entries: () => [["team-b/thief", takings]] }, holding)[0];
}

/** What a speaker says of its node; undefined would be no fault. */
type Said = Trouble<Reason> | undefined;

interface Fault {
  readonly fault: string;
  readonly make: () => Promise<unknown>;
  readonly ask: readonly string[];
  /** The cause, as somebody who knows networks calls it. */
  readonly word: RegExp;
  readonly mend?: () => Promise<unknown>;
}

const EXPLAIN = ["genkan", "explain", "web"];
const DESCRIBE = ["kubectl", "describe"];
const ofNodes = (
  fault: string,
  type: string,
  find: () => Said | Promise<Said>,
  { ask = EXPLAIN, word }: { ask?: readonly string[]; word: RegExp },
): Fault => ({
  fault,
  make: async () => {
    const found = await find();
    assert.ok(found !== undefined, fault);
    await bothSay(type, found);
  },
  ask,
  word,
  mend: allWell,
});
const remove = (name: string) => () => world.plane.client.remove(services, name, { namespace: "default" });

const FAULTS: readonly Fault[] = [
  {
    fault: "the pool is full",
    make: async () => {
      for (const name of ["b", "c", "d", "e", "late"]) await world.addService(name);
    },
    ask: [...DESCRIBE, "service", "late"],
    word: /no free IPv4 address/,
    mend: async () => {
      for (const name of ["b", "c", "d", "e", "late"]) await remove(name)();
    },
  },
  {
    fault: "the address that a Service asks for is in no pool",
    make: () => world.addService("elsewhere", {}, { "genkan.dev/loadBalancerIPs": "192.0.2.77" }),
    ask: ["genkan", "explain", "elsewhere"],
    word: /192\.0\.2\.77.* no .*(AddressPool|pool)/,
    mend: remove("elsewhere"),
  },
  {
    fault: "two pools share addresses",
    make: async () => {
      await world.plane.client.create(addressPools, {
        metadata: { name: "overlapping", namespace: SYSTEM },
        spec: { protocol: "layer2", addresses: ["172.30.0.0/24"] },
      });
      const judged = async () =>
        (await world.kubectl("get", "addresspool", "overlapping", "-n", SYSTEM, "-o", "yaml")).out.includes(
          "Valid",
        );
      await until("it to be judged", judged, LONG);
    },
    ask: [...DESCRIBE, "addresspool", "overlapping", "-n", SYSTEM],
    word: /overlap/,
    mend: () => world.plane.client.remove(addressPools, "overlapping", { namespace: SYSTEM }),
  },
  {
    fault: "no pod is ready",
    make: async () => {
      await world.addService("sick");
      await world.addEndpoints("sick", { "10.244.1.9": "n1" }, { "10.244.1.9": { ready: false } });
    },
    ask: ["genkan", "explain", "sick"],
    word: /no Service that has it has a usable endpoint/,
    mend: remove("sick"),
  },
  {
    fault: "the Service is of another class",
    make: () =>
      world.plane.client.create(services, {
        metadata: { name: "other", namespace: "default" },
        spec: { type: "LoadBalancer", loadBalancerClass: "example.com/other", ports: [{ port: 80 }] },
      }),
    ask: ["genkan", "explain", "other"],
    word: /loadBalancerClass "example\.com\/other" is not ours/,
    mend: remove("other"),
  },
  {
    fault: "the speakers of all nodes are silent",
    make: async () => {
      for (const number of [1, 2]) await world.speak(number, { isSilent: true });
    },
    ask: EXPLAIN,
    word: /its speaker is silent/,
    mend: async () => {
      for (const number of [1, 2]) await world.speak(number);
    },
  },
  ofNodes(
    "the kernel has no ip_vs",
    "ForwardingReady",
    () => ({ reason: "IpvsUnavailable", message: "the kernel has no ip_vs" }),
    { word: /ip_vs/ },
  ),
  ofNodes("a firewall drops tunnels", "FirewallOpen", firewall, { word: /firewall .* drops/ }),
  ofNodes("the MTU is too small", "PathsClear", () => paths("large"), { word: /MTU .* too small/ }),
  ofNodes("a switch keeps multicast away", "PathsClear", () => paths("multicast"), {
    ask: [...DESCRIBE, "speakerstatus", "n1", "-n", SYSTEM],
    word: /MLD snooping/,
  }),
  ofNodes("connection tracking is full", "HostSound", tracking, { word: /conntrack/ }),
  ofNodes("a strict rp_filter", "HostSound", () => reversePathTrouble(["eth0"]), {
    word: /rp_filter is strict on eth0/,
  }),
  ofNodes("the clock jumped", "HostSound", clock, {
    ask: [...DESCRIBE, "speakerstatus", "n1", "-n", SYSTEM],
    word: /clock was set forward by 3599 s/,
  }),
  ofNodes("kube-proxy takes the address", "AllServed", taken, {
    word: /kube-proxy takes .* spec\.externalIPs/,
  }),
];

describe("a stranger finds the cause", { concurrency: false }, () => {
  test("where all is well nothing is found", async () => {
    const { out, code } = await world.genkan(["explain", "web"]);
    assert.equal(code, 0, out);
    for (const { fault, ask, word } of FAULTS) if (ask === EXPLAIN) assert.doesNotMatch(out, word, fault);
  });

  for (const { fault, make, ask, word, mend } of FAULTS)
    test(fault, async () => {
      const [program, ...argv] = ask;
      const asked = async (): Promise<true> => {
        const { out, err } = program === "kubectl" ? await world.kubectl(...argv) : await world.genkan(argv);
        assert.match(out.replaceAll(/\s+/g, " "), word, `${ask.join(" ")}: ${out}${err}`);
        return true;
      };
      try {
        await make();
        // Events and conditions come a moment after what they tell of.
        await until("the cause to be told", asked, LONG);
      } finally {
        await mend?.();
      }
    });
});
