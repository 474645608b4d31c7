/**
 * What networks, nodes and other people's objects put in the way, with whole speakers, a real API server and this
 * machine's kernel: each fault is named by one condition, and is taken back when it is mended. Faults of a kernel that
 * other programs of this machine have, too, are made in a guest: test/guest/host.test.ts.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { services, speakerStatuses } from "#common/kube/resource.ts";
import { run } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import type { Host } from "../network/bridge.ts";
import { SYSTEM } from "./speaker-cluster.ts";
import { NAMES, SpeakerNodes, VIP } from "./speaker-nodes.ts";

/** It is promised within five seconds; how soon is not judged on a busy machine. */
const PATIENT = { deadlineMs: 30_000, everyMs: 100 };

let nodes: SpeakerNodes;
before(async () => {
  nodes = await SpeakerNodes.start();
});
after(async () => {
  await nodes?.[Symbol.asyncDispose]();
});

const hostOf = (name: string): Host => {
  const host = nodes.bridge.hosts.get(name);
  assert.ok(host !== undefined);
  return host;
};
const inside = (name: string, ...command: string[]): string =>
  run("nsenter", `--net=/run/netns/${hostOf(name).namespace}`, ...command);

/**
 * The message with which `node` names it. `isRight` throws at another one: on a machine that stood still for a moment
 * nodes may name each other, too, and take it back.
 */
async function named(
  node: string,
  type: string,
  reason: string,
  isRight: (message: string) => void = () => {},
): Promise<string> {
  return await until(
    `${node} to say ${type} ${reason}`,
    async () => {
      const conditions = (await nodes.cluster.kube.get(speakerStatuses, node, SYSTEM))?.status?.conditions;
      const found = conditions?.find((one) => one.type === type);
      if (found?.status !== "False" || found.reason !== reason)
        throw new Error(`it says ${found?.status} ${found?.reason}: ${found?.message}`);
      isRight(found.message);
      return found.message;
    },
    PATIENT,
  );
}
const well = (node: string, type: string): Promise<unknown> =>
  until(`${node} to be well again`, () => nodes.cluster.hasCondition(node, type, "True"), PATIENT);

describe("hindrances", { concurrency: false }, () => {
  test("all is well at first, and no node asks in vain", async () => {
    for (const name of NAMES) for (const type of ["PathsClear", "HostSound"]) await well(name, type);
  });

  test("a path with a smaller MTU that tells nobody", async () => {
    nodes.bridge.setMtu("n2", 1_400);
    try {
      for (const asker of ["n1", "n3"]) {
        const { IPv4 } = hostOf("n2").addresses;
        await named(asker, "PathsClear", "LargePacketsLost", (message) => {
          assert.match(message, /MTU .* too small: packets of 1500 bytes/);
          assert.ok(message.includes(`n2 (${IPv4})`), message);
          assert.ok(!message.includes(asker === "n1" ? "n3" : "n1"), message);
        });
      }
    } finally {
      nodes.bridge.setMtu("n2", 1_500);
    }
    for (const name of NAMES) await well(name, "PathsClear");
  });

  test("a switch that snoops MLD and does not learn what a node reports", async () => {
    nodes.bridge.setSnooping(true);
    inside(
      "n2",
      "nft",
      `table inet reports {
        chain out { type filter hook output priority 0; icmpv6 type mld2-listener-report drop; }
      }`,
    );
    try {
      // The switch forgets what was reported before.
      for (const isIn of [false, true]) nodes.bridge.setCable("n2", isIn);
      await named("n1", "PathsClear", "MulticastLost", (message) => {
        assert.ok(message.includes(`n2 (${hostOf("n2").addresses.IPv6})`), message);
        assert.match(message, /MLD snooping/);
      });
    } finally {
      inside("n2", "nft", "delete table inet reports");
      nodes.bridge.setSnooping(false);
    }
    for (const name of NAMES) await well(name, "PathsClear");
  });

  test("a cable that was out: who was asked for in vain is asked for anew at once", async () => {
    const { IPv4 = "", IPv6 = "" } = nodes.client.addresses;
    const isIncomplete = (address: string): boolean =>
      inside("n2", "ip", "neigh", "show", address, "dev", "eth0", "nud", "incomplete") !== "";
    const packets = [IPv4, IPv6].map((address) =>
      spawn("nsenter", [`--net=/run/netns/${hostOf("n2").namespace}`, "ping", "-i", "0.2", address]),
    );
    const pace = (ms: number): void => {
      for (const family of ["ipv4", "ipv6"])
        inside("n2", "sysctl", "-qw", `net.${family}.neigh.eth0.retrans_time_ms=${ms}`);
    };
    // The kernel asks again after this time, which is a second by default: longer than the test waits.
    pace(600_000);
    try {
      nodes.bridge.setCable("n2", false);
      for (const address of [IPv4, IPv6])
        await until(`${address} to be asked for`, () => isIncomplete(address), PATIENT);
      nodes.bridge.setCable("n2", true);
      for (const address of [IPv4, IPv6])
        await until(`${address} to be known`, () => !isIncomplete(address), PATIENT);
    } finally {
      for (const one of packets) one.kill();
      pace(1_000);
    }
    for (const name of NAMES) await well(name, "PathsClear");
  });

  test("a strict rp_filter that drops what came by another link than its answer would leave by", async () => {
    inside("n1", "sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=1");
    inside("n1", "ip", "link", "add", "uplink2", "type", "veth", "peer", "name", "nobody");
    inside("n1", "ip", "link", "set", "uplink2", "up");
    inside("n1", "ip", "route", "add", "198.51.100.0/24", "dev", "uplink2");
    const client = nodes.client.namespace;
    run("ip", "-n", client, "addr", "add", "198.51.100.7/32", "dev", "eth0");
    // Its question for n1's hardware address would be dropped, too.
    const { hardware, addresses } = hostOf("n1");
    run("ip", "-n", client, "neigh", "replace", addresses.IPv4, "lladdr", hardware, "dev", "eth0");
    const asking = spawn("ip", [
      ...["netns", "exec", client, "ping", "-i", "0.2", "-I", "198.51.100.7", addresses.IPv4],
    ]);
    try {
      const message = await named("n1", "HostSound", "ReversePathDrops");
      assert.match(message, /strict on eth0: .*net\.ipv4\.conf\.eth0\.rp_filter=2/);
    } finally {
      asking.kill();
      inside("n1", "sysctl", "-qw", "net.ipv4.conf.eth0.rp_filter=2");
    }
    await until("n1 to be well again", () => nodes.cluster.hasCondition("n1", "HostSound", "True"), {
      deadlineMs: 90_000,
    });
    await well("n2", "HostSound");
  });

  test("whoever looks for a fault lets speakers say more, and less again, while they run", async () => {
    inside(
      "n3",
      "nft",
      `table inet quiet {
        chain out { type filter hook output priority 0; icmp type echo-request drop; }
      }`,
    );
    const speaker = nodes.speaker("n3");
    const said = (): number => speaker.logs.filter(({ level }) => level === "debug").length;
    try {
      assert.equal(said(), 0);
      await nodes.cluster.patchLoadBalancer({ spec: { logLevel: "debug" } });
      await until("n3 to say what it cannot ask", () => said() > 0, PATIENT);
      await nodes.cluster.patchLoadBalancer({ spec: { logLevel: null } });
      let before = -1;
      const isSilent = (): boolean => {
        const now = said();
        const isSame = now === before;
        before = now;
        return isSame;
      };
      // It would say so every two seconds.
      await until("n3 to say no more", isSilent, { deadlineMs: 60_000, everyMs: 5_000 });
      assert.ok(!speaker.hasEnded);
    } finally {
      inside("n3", "nft", "delete table inet quiet");
    }
  });

  test("kube-proxy takes an address that a Service names as an external one", async () => {
    const { kube } = nodes.cluster;
    await nodes.setMode("IPVS");
    await kube.create(services, {
      metadata: { name: "thief", namespace: "default" },
      spec: { externalIPs: [VIP], ports: [{ port: 80 }] },
    });
    const message = await named("n1", "AllServed", "TakenByKubeProxy");
    assert.ok(message.includes(`${VIP} TCP/80 of Service default/web`), message);
    assert.match(message, /Service default\/thief has the address in spec\.externalIPs/);
    await kube.remove(services, "thief", { namespace: "default" });
    await well("n1", "AllServed");
  });
});
