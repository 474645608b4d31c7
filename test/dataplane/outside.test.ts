/**
 * Nothing from outside reaches what it should not: real packets from a wire against the ruleset in a real kernel. Runs
 * itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, test } from "node:test";
import { FAMILIES, parseRange } from "#api/address.ts";
import { systemClock } from "#common/clock.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { ForwardedPort, ForwardingInput } from "#speaker/forwarding/types.ts";
import { ack, datagram, ping, syn, tooBig, tunnelled } from "#test/dataplane/packets.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip, run } from "#test/network/namespace.ts";
import { Wire } from "#test/network/wire.ts";
import { settled, until } from "#test/until.ts";
import { CAST } from "./cast.ts";

const LOCAL = { port: 8080, isLocal: true, isServing: true, returnPath: "direct" } as const;

const portOf = (family: (typeof FAMILIES)[number], more: Partial<ForwardedPort>): ForwardedPort => ({
  id: 1,
  family,
  vip: CAST[family].vip,
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: [{ ...LOCAL, address: CAST[family].pod }],
  ...more,
});

function wanted(): ForwardingInput {
  const ports = FAMILIES.flatMap((family, at) => {
    const { guarded, friends } = CAST[family];
    const of = (id: number, more: Partial<ForwardedPort>) => portOf(family, { id: at * 100 + id, ...more });
    return [
      of(1, {}),
      of(2, { port: 81, endpoints: [] }),
      of(3, { port: 53, protocol: "UDP", sourceRanges: [friends] }),
      of(4, { vip: guarded, sourceRanges: [friends] }),
      // A pod on the host's network: others' tunnels end at its address, too.
      of(6, { port: 83, endpoints: [{ ...LOCAL, address: CAST[family].node }] }),
      // Its pod is on another node.
      of(5, {
        port: 82,
        endpoints: [{ ...LOCAL, address: CAST[family].elsewhere, isLocal: false }],
      }),
    ];
  });
  return {
    nodeAddresses: { IPv4: CAST.IPv4.node, IPv6: CAST.IPv6.node },
    ports,
    vips: FAMILIES.flatMap((family) => [CAST[family].vip, CAST[family].guarded]),
    members: FAMILIES.map((family) => CAST[family].member),
    routed: ["203.0.113.0-203.0.113.255", "2001:db8:51::-2001:db8:51::ffff"].map(parseRange),
  };
}

if (!isInside) {
  testInside("what must not come in", import.meta.filename);
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;
  let wire: Wire;

  before(async () => {
    wire = new Wire();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    forwarding = new Forwarding(kernel, { clock: systemClock });
    await forwarding.reconcile(wanted());
  });
  after(() => {
    wire?.[Symbol.dispose]();
    kernel?.close();
  });

  /** Sends the packets, and behind them on each way one that gets through: what was seen when these had arrived. */
  async function seen(packets: readonly Buffer[], options?: { toEverybody: boolean }): Promise<string[]> {
    wire.forget();
    wire.send(packets, options);
    const marks = FAMILIES.flatMap((family) => {
      const { client, vip, member, pod } = CAST[family];
      return [
        { from: client(98), packet: syn(client(98), vip, 80), pod },
        { from: client(99), packet: tunnelled(member, pod, syn(client(99), vip, 80)), pod },
      ];
    });
    wire.send(marks.map(({ packet }) => packet));
    const isMark = (line: string): boolean => marks.some(({ from }) => line.split(" ").includes(from));
    await until("what was sent last to arrive", () => {
      const all = wire.seen();
      return marks.every(({ from, pod }) => all.includes(`pod ${from} ${pod} tcp 8080`));
    });
    // Answers go back by another queue than these.
    const lines = await settled("the answers", () => wire.seen(), { everyMs: 20 });
    // The node's own MLD reports and questions for neighbours, at times of its own, as they leave it and as they arrive.
    const isOfLink = (line: string): boolean => / (ff02::16|ff02::1:ff[0-9a-f:]+)\b/.test(line);
    return lines.filter((line) => !isMark(line) && !isOfLink(line));
  }

  /** How many packets each counter has seen meanwhile. */
  async function counted(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const old = forwarding.counts().turnedAway;
    await work();
    const now = Object.entries(forwarding.counts().turnedAway);
    return Object.fromEntries(
      now
        .map(([name, packets]) => [name, packets - (old[name] ?? 0)] as const)
        .filter(([, more]) => more > 0),
    );
  }

  for (const family of FAMILIES) {
    const {
      node,
      member,
      stranger,
      tunnelEnd,
      pod,
      vip,
      guarded,
      nobody,
      elsewhere,
      friend,
      client,
      unreachable,
    } = CAST[family];
    const other = CAST[family === "IPv4" ? "IPv6" : "IPv4"];

    test(`${family}: a tunnel carries what members send to our ports`, async () => {
      const lines = await seen([
        tunnelled(member, pod, syn(client(1), vip, 80)),
        // To the node's own address, because a pod on the host's network has it.
        tunnelled(member, node, syn(client(2), vip, 83)),
      ]);
      assert.ok(lines.includes(`marked ${client(2)} ${vip}`), lines.join("\n"));
      assert.deepEqual(
        lines.filter((line) => line.startsWith("pod")),
        [`pod ${client(1)} ${pod} tcp 8080`],
      );
    });

    const inside = syn(client(2), vip, 80);
    const OUTER: readonly (readonly [what: string, packet: Buffer, counted: string | undefined])[] = [
      ["from somebody else", tunnelled(stranger, pod, inside), "tunnel_source"],
      ["from a pod", tunnelled(pod, pod, inside), "tunnel_source"],
      [
        "from somebody else to a pod on the host's network",
        tunnelled(stranger, node, inside),
        "tunnel_source",
      ],
      ["to an address of no pod", tunnelled(member, CAST[family].gateway, inside), undefined],
      ["to where our tunnels end", tunnelled(member, tunnelEnd, inside), "tunnel_source"],
      ["of the other family", tunnelled(member, pod, syn(other.client(2), other.vip, 80)), undefined],
    ];
    for (const [what, packet, counter] of OUTER) {
      test(`${family}: no tunnel ${what}`, async () => {
        let lines: string[] = [];
        const counts = await counted(async () => {
          lines = await seen([packet]);
        });
        assert.ok(
          !lines.some((line) => line.includes(client(2)) || line.includes(other.client(2))),
          lines.join("\n"),
        );
        assert.deepEqual(counts, counter === undefined ? {} : { [counter]: 1 });
      });
    }

    // Those that are not for an address of ours do not come into our tunnel: the pod gets what was sent to it.
    const INNER: readonly (readonly [what: string, packet: Buffer, counted: string | undefined])[] = [
      ["a pod", syn(client(3), pod, 8080), undefined],
      ["the node", datagram(client(3), node, 9000), undefined],
      ["somebody beyond", datagram(client(3), elsewhere, 53), undefined],
      ["another tunnel", tunnelled(member, pod, syn(client(3), vip, 80)), undefined],
      ["a port that no Service has", syn(client(3), vip, 443), "tunnel_content"],
      ["a port without endpoints", syn(client(3), vip, 81), "tunnel_content"],
      ["our address by ping", ping(client(3), vip), "tunnel_content"],
      ["a port whose pods are elsewhere", syn(client(3), vip, 82), "no_pod"],
      ["a port whose ranges leave the client out", datagram(client(3), vip, 53), "source_ranges"],
    ];
    for (const [what, packet, counter] of INNER) {
      test(`${family}: out of a tunnel nothing reaches ${what}`, async () => {
        let lines: string[] = [];
        const counts = await counted(async () => {
          lines = await seen([tunnelled(member, pod, packet)]);
        });
        const got = lines.filter((line) => /^(pod|out|host)/.test(line) && line.includes(`${client(3)} `));
        assert.deepEqual(got, []);
        assert.deepEqual(counts, counter === undefined ? {} : { [counter]: 1 });
      });
    }

    test(`${family}: a new connection for a pod that is not here waits, an open one is reset`, async () => {
      const lines = await seen([
        tunnelled(member, pod, syn(client(6), vip, 82)),
        tunnelled(member, pod, ack(client(7), vip, 82)),
      ]);
      assert.deepEqual(
        lines.filter((line) => line.startsWith("reset")),
        [`reset ${client(7)}`],
      );
    });

    test(`${family}: a port that no Service has is refused, also one without endpoints`, async () => {
      const lines = await seen([
        syn(client(4), vip, 443),
        syn(client(5), vip, 81),
        datagram(client(6), vip, 9999),
      ]);
      const answers = lines.filter((line) => /^(reset|icmp)/.test(line));
      const refused = `icmp ${client(6)} ${unreachable("port-unreachable")}`;
      assert.deepEqual(answers.sort(), [refused, `reset ${client(4)}`, `reset ${client(5)}`]);
      // Nothing goes back to where it came from.
      assert.ok(!lines.some((line) => line.startsWith("out") && line.endsWith(vip)), lines.join("\n"));
    });

    test(`${family}: frames to everybody are answered by nobody`, async () => {
      const lines = await seen([syn(client(7), vip, 443), datagram(client(7), nobody, 53)], {
        toEverybody: true,
      });
      assert.deepEqual(lines, []);
    });

    test(`${family}: a flood is refused at a bounded rate`, async () => {
      const flood = Array.from({ length: 2_000 }, (_, at) => syn(client(8), vip, 443, 10_000 + at));
      const digit = family.at(-1);
      const isReset = `tcp flags & rst == rst ${digit === "4" ? "ip" : "ip6"} daddr ${client(8)}`;
      run(
        "nft",
        `add counter inet witness resets${digit}; add rule inet witness early${digit} ${isReset} counter name resets${digit}`,
      );
      const start = performance.now();
      const counts = await counted(() => seen(flood));
      const seconds = (performance.now() - start) / 1_000;
      const resets = Number(
        /packets (\d+)/.exec(run("nft", "list", "counter", "inet", "witness", `resets${digit}`))?.[1],
      );
      // One rule's bucket holds 200, and 200 more come every second.
      assert.ok(counts.no_port !== undefined && counts.no_port >= 1_000, `${counts.no_port} came`);
      assert.ok(resets >= 100 && resets <= 200 + 200 * seconds, `${resets} resets in ${seconds} s`);
    });

    test(`${family}: an address that is routed here and that nobody has ends here`, async () => {
      let lines: string[] = [];
      const counts = await counted(async () => {
        lines = await seen([datagram(client(9), nobody, 53), syn(client(10), nobody, 80)]);
      });
      assert.deepEqual(counts, { no_address: 2 });
      const code = family === "IPv4" ? "host-unreachable" : "addr-unreachable";
      const answers = [9, 10].map((n) => `icmp ${client(n)} ${unreachable(code)}`);
      assert.deepEqual(lines.filter((line) => line.startsWith("icmp")).sort(), answers.sort());
      assert.ok(!lines.some((line) => line.endsWith(nobody)), lines.join("\n"));
    });

    test(`${family}: what is routed here and is behind another link of the node goes on`, async () => {
      const version = family === "IPv4" ? "-4" : "-6";
      ip(`${version} route add ${nobody} via ${pod} dev pods`);
      const lines = await seen([datagram(client(11), nobody, 53)]);
      ip(`${version} route del ${nobody} via ${pod} dev pods`);
      assert.ok(lines.includes(`pod ${client(11)} ${nobody} udp 53`), lines.join("\n"));
    });

    test(`${family}: ranges hold for pings, and those without ranges are answered`, async () => {
      const lines = await seen([ping(client(12), vip), ping(client(13), guarded), ping(friend, guarded)]);
      assert.deepEqual(
        lines
          .filter((line) => line.startsWith("icmp"))
          .map((line) => line.split(" ")[1])
          .sort(),
        [client(12), friend].sort(),
      );
    });

    test(`${family}: ranges hold directly and through a tunnel`, async () => {
      const lines = await seen([
        datagram(client(14), vip, 53),
        tunnelled(member, pod, datagram(client(15), vip, 53)),
        datagram(friend, vip, 53),
        tunnelled(member, pod, syn(friend, guarded, 80)),
      ]);
      assert.deepEqual(
        lines.filter((line) => line.startsWith("pod")),
        [`pod ${friend} ${pod} tcp 8080`, `pod ${friend} ${pod} udp 8080`],
      );
    });

    test(`${family}: ranges hold for the node itself`, async () => {
      assert.equal(await sendFromNode(vip, 53), "EPERM");
      assert.equal(await sendFromNode(node, 53), undefined);
    });

    test(`${family}: path MTU discovery gets through, directly and out of a tunnel`, async () => {
      const about = (to: string) => syn(vip, to, 40_000, 80);
      const lines = await seen([
        tooBig(client(20), vip, about(client(20))),
        tunnelled(member, pod, tooBig(client(21), vip, about(client(21)))),
      ]);
      for (const n of [20, 21]) assert.ok(lines.includes(`marked ${client(n)} ${vip}`), lines.join("\n"));
    });
  }

  /** The error's code, if the kernel lets no packet go. */
  function sendFromNode(target: string, port: number): Promise<string | undefined> {
    const socket = createSocket(target.includes(":") ? "udp6" : "udp4");
    return new Promise((resolve) => {
      socket.send("x", port, target, (error) => {
        socket.close();
        resolve((error as NodeJS.ErrnoException | null)?.code);
      });
    });
  }

  test("a foreign mark that has the routing bit stays; ours is taken off what leaves", async () => {
    run(
      "nft",
      `table inet foreign {
        counter kept { }
        chain outset { type filter hook output priority -200; udp dport 7777 meta mark set 0x51000; }
        chain look { type filter hook postrouting priority 250; udp dport 7777 meta mark 0x51000 counter name kept
          oifname "pods" meta mark != 0 drop; }
      }`,
    );
    for (const family of FAMILIES) await sendFromNode(CAST[family].client(30), 7777);
    // The packets that show that all have arrived would be dropped if they had a mark.
    await seen([]);
    const kept = run("nft", "list", "counter", "inet", "foreign", "kept");
    run("nft", "delete table inet foreign");
    assert.match(kept, /packets 2 /);
  });

  test("tunnels of others work beside ours, and stay when ours go", async () => {
    ip("link set tunl0 up\nlink set ip6tnl0 up\naddr add 10.244.1.77/32 dev tunl0");
    const packets = FAMILIES.map((family) => {
      const { member, node, pod, client } = CAST[family];
      return tunnelled(member, node, syn(client(40), pod, 8080));
    });
    const lines = await seen(packets);
    for (const family of FAMILIES) {
      const { client, pod } = CAST[family];
      assert.ok(lines.includes(`foreign ${client(40)} ${pod}`), lines.join("\n"));
      assert.ok(lines.includes(`pod ${client(40)} ${pod} tcp 8080`), lines.join("\n"));
    }
    await forwarding.remove();
    const links = run("ip", "-br", "link");
    assert.doesNotMatch(links, /genkan/);
    for (const name of ["tunl0", "ip6tnl0"]) assert.match(links, new RegExp(`^${name}\\S* .*UP`, "m"));
    assert.match(run("ip", "addr", "show", "dev", "tunl0"), /10\.244\.1\.77/);
  });
}
