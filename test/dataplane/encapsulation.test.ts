/**
 * Where tunnels other than ipip end: what is taken by GRE, by UDP and as it is, from whom, for how long, and that nothing
 * stays. Real packets from a wire against a real kernel; runs itself in guests where this kernel has no ip_vs.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { FAMILIES, type Family } from "#api/address.ts";
import { PORT } from "#api/names.ts";
import { GRE_LINKS, type Tunnel } from "#speaker/forwarding/encapsulation.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { markOf } from "#speaker/forwarding/mark.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { ForwardedEndpoint, ForwardedPort, ForwardingInput } from "#speaker/forwarding/types.ts";
import { inGre, inGue, syn, tooBig, tunnelled } from "#test/dataplane/packets.ts";
import { FakeClock } from "#test/fakes/clock.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { run } from "#test/network/namespace.ts";
import { Wire } from "#test/network/wire.ts";
import { until } from "#test/until.ts";
import { CAST } from "./cast.ts";

/** Of whoever sends frames here (wire.ts). */
const STATION = "020202020202";

const byGue = (source: string, target: string, packet: Buffer): Buffer =>
  inGue(source, target, packet, PORT.tunnel);
const CARRIED = { gre: inGre, gue: byGue } as const;
const KINDS = ["gre", "gue"] as const;

const endpoint = (address: string, more: Partial<ForwardedEndpoint> = {}): ForwardedEndpoint => ({
  ...{ address, port: 8080, isLocal: true, isServing: true, returnPath: "direct" },
  ...more,
});

function portsOf(family: Family, at: number, tunnel: Tunnel): ForwardedPort[] {
  const { vip, pod, elsewhere } = CAST[family];
  const port = (id: number, more: Partial<ForwardedPort>): ForwardedPort => ({
    ...{ id: at * 100 + id, family, vip, protocol: "TCP", port: 80, scheduler: "mh" },
    ...{ affinity: false, preferLocal: false, endpoints: [endpoint(pod)] },
    ...more,
  });
  const remote = endpoint(elsewhere, { isLocal: false, ...(tunnel !== "ipip" && { tunnel }) });
  return [port(1, {}), port(2, { port: 82, endpoints: [remote] })];
}

const wanting = (tunnel: Tunnel): ForwardingInput => ({
  nodeAddresses: { IPv4: CAST.IPv4.node, IPv6: CAST.IPv6.node },
  ports: FAMILIES.flatMap((family, at) => portsOf(family, at, tunnel)),
  vips: FAMILIES.map((family) => CAST[family].vip),
  members: FAMILIES.map((family) => CAST[family].member),
  ...(tunnel !== "ipip" && { tunnel }),
  ...(tunnel === "none" && { stations: [STATION] }),
});

if (!isInside) {
  testInside("tunnels other than ipip", import.meta.filename, "long");
} else {
  let kernel: ForwardingKernel;
  let forwarding: Forwarding;
  let wire: Wire;
  const clock = new FakeClock();

  before(() => {
    wire = new Wire();
    kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    forwarding = new Forwarding(kernel, { clock });
  });
  after(() => {
    wire?.[Symbol.dispose]();
    kernel?.close();
  });

  /** As asked, and nothing left of what was asked before. */
  async function settle(tunnel: Tunnel): Promise<void> {
    const first = await forwarding.reconcile(wanting(tunnel));
    assert.deepEqual([first.tunnelTrouble, first.refused], [undefined, []]);
    await clock.advance(61_000);
    await forwarding.reconcile(wanting(tunnel));
  }

  /** What was seen of the packets once one that gets through in any case had arrived; and what the counters say. */
  async function seen(
    packets: readonly Buffer[],
  ): Promise<{ lines: string[]; counts: Record<string, number> }> {
    const old = forwarding.counts().turnedAway;
    wire.forget();
    wire.send(packets);
    const marks = FAMILIES.map((family) => {
      const { client, vip, pod, member } = CAST[family];
      return { from: client(99), packet: tunnelled(member, pod, syn(client(99), vip, 80)), pod };
    });
    wire.send(marks.map(({ packet }) => packet));
    const lines = await until("what was sent last to arrive", () => {
      const all = wire.seen();
      return marks.every(({ from, pod }) => all.includes(`pod ${from} ${pod} tcp 8080`)) && all;
    });
    const counts = Object.entries(forwarding.counts().turnedAway)
      .map(([name, packets]) => [name, packets - (old[name] ?? 0)] as const)
      .filter(([, more]) => more > 0);
    return { lines, counts: Object.fromEntries(counts) };
  }

  const reached = (lines: readonly string[], client: string): string[] =>
    lines.filter((line) => /^(pod|host|out)/.test(line) && line.split(" ").includes(client));

  const listeners = (): string => {
    const { stdout } = spawnSync("ip", ["fou", "show"], { encoding: "utf8" });
    return stdout;
  };

  test("nothing but ipip is taken while nothing else is asked for, and no module is loaded for it", async () => {
    await settle("ipip");
    const packets = FAMILIES.flatMap((family) => {
      const { member, pod, vip, client } = CAST[family];
      return KINDS.map((kind, at) => CARRIED[kind](member, pod, syn(client(at + 1), vip, 80)));
    });
    const { lines, counts } = await seen(packets);
    for (const family of FAMILIES)
      for (const at of [1, 2]) assert.deepEqual(reached(lines, CAST[family].client(at)), []);
    assert.deepEqual(counts, {});
    assert.doesNotMatch(run("ip", "-br", "link"), /genkan-gre/);
  });

  for (const kind of KINDS) {
    const carry = CARRIED[kind];
    test(`${kind}: is offered once it ends here, and a second pass writes nothing`, async () => {
      await settle(kind);
      const { offered, writes } = await forwarding.reconcile(wanting(kind));
      assert.deepEqual([offered, writes], [[kind], 0]);
    });

    test(`${kind}: IPVS sends by it to the pods of other nodes`, async () => {
      await settle(kind);
      for (const [at, family] of FAMILIES.entries()) {
        const mark = markOf(at * 100 + 2, 1, 0x1000);
        const of = run("ipvsadm", "-Sn").split("\n");
        const line = of.find((one) => one.startsWith(`-a -f ${mark} `)) ?? "";
        assert.match(line, kind === "gre" ? /--tun-type gre/ : /--tun-type gue --tun-port 7476/);
        // A checksum of UDP is a must in IPv6.
        if (kind === "gue") assert.match(line, family === "IPv4" ? /--tun-nocsum/ : /--tun-csum/);
      }
    });

    for (const family of FAMILIES) {
      const { member, stranger, pod, node, vip, client, tunnelEnd } = CAST[family];
      test(`${kind}, ${family}: members reach our pods`, async () => {
        await settle(kind);
        const { lines, counts } = await seen([carry(member, pod, syn(client(1), vip, 80))]);
        assert.deepEqual(reached(lines, client(1)), [`pod ${client(1)} ${pod} tcp 8080`]);
        assert.deepEqual(counts, {});
      });

      test(`${kind}, ${family}: path MTU discovery gets through`, async () => {
        const about = syn(vip, client(2), 40_000, 80);
        const { lines } = await seen([carry(member, pod, tooBig(client(2), vip, about))]);
        assert.ok(lines.includes(`marked ${client(2)} ${vip}`), lines.join("\n"));
      });

      const TURNED_AWAY: readonly (readonly [string, Buffer, string])[] = [
        ["from somebody else", carry(stranger, pod, syn(client(3), vip, 80)), "tunnel_source"],
        ["from a pod", carry(pod, pod, syn(client(3), vip, 80)), "tunnel_source"],
        ["to where tunnels end", carry(member, tunnelEnd, syn(client(3), vip, 80)), "tunnel_source"],
        ["for a port that no Service has", carry(member, pod, syn(client(3), vip, 443)), "tunnel_content"],
        ["for a port whose pods are elsewhere", carry(member, pod, syn(client(3), vip, 82)), "no_pod"],
      ];
      for (const [what, packet, counter] of TURNED_AWAY) {
        test(`${kind}, ${family}: dropped and counted ${what}`, async () => {
          const { lines, counts } = await seen([packet]);
          assert.deepEqual(reached(lines, client(3)), []);
          assert.deepEqual(counts, { [counter]: 1 });
        });
      }

      test(`${kind}, ${family}: what is for no address of ours is none of ours`, async () => {
        const { lines, counts } = await seen([
          carry(member, pod, syn(client(4), pod, 8080)),
          carry(member, node, syn(client(4), pod, 8080)),
        ]);
        assert.deepEqual(reached(lines, client(4)), []);
        assert.deepEqual(counts, {});
      });
    }
  }

  test("what was asked for before is taken for a minute more, and then its end is gone", async () => {
    await settle("gre");
    await forwarding.reconcile(wanting("gue"));
    assert.deepEqual((await forwarding.reconcile(wanting("ipip"))).offered, undefined);
    const packets = FAMILIES.flatMap((family) => {
      const { member, pod, vip, client } = CAST[family];
      return KINDS.map((kind, at) => CARRIED[kind](member, pod, syn(client(10 + at), vip, 80)));
    });
    const { lines } = await seen(packets);
    for (const family of FAMILIES) {
      const { client, pod } = CAST[family];
      for (const at of [10, 11])
        assert.deepEqual(reached(lines, client(at)), [`pod ${client(at)} ${pod} tcp 8080`]);
    }
    await clock.advance(61_000);
    await forwarding.reconcile(wanting("ipip"));
    assert.doesNotMatch(run("ip", "-br", "link"), /genkan-gre/);
    assert.doesNotMatch(listeners(), /7476/);
    assert.equal((await forwarding.reconcile(wanting("ipip"))).writes, 0);
  });

  test("another process that starts meanwhile takes away what nobody asks for", async () => {
    await settle("gue");
    const other = openForwardingKernel({ sysctlRoot: "/proc/sys" });
    const next = new Forwarding(other, { clock });
    await next.reconcile(wanting("ipip"));
    assert.match(listeners(), /7476/);
    await clock.advance(61_000);
    await next.reconcile(wanting("ipip"));
    other.close();
    assert.doesNotMatch(listeners(), /7476/);
  });

  for (const [what, doDamage] of [
    ["a link of gre that is gone", () => run("ip", "link", "del", GRE_LINKS.IPv4)],
    ["a link of gre that is down", () => run("ip", "link", "set", GRE_LINKS.IPv6, "down")],
  ] as const) {
    test(`repaired: ${what}`, async () => {
      await settle("gre");
      doDamage();
      const { changes } = await forwarding.reconcile(wanting("gre"));
      assert.ok(
        changes.some(({ kind }) => kind === "link"),
        JSON.stringify(changes),
      );
      assert.equal((await forwarding.reconcile(wanting("gre"))).writes, 0);
    });
  }

  for (const family of FAMILIES) {
    const { pod, vip, client } = CAST[family];
    test(`none, ${family}: what another node hands on as it is ends at a pod of this one, or nowhere`, async () => {
      await settle("none");
      const handed = await seen([syn(client(20), vip, 80), syn(client(21), vip, 82)]);
      assert.deepEqual(reached(handed.lines, client(20)), [`pod ${client(20)} ${pod} tcp 8080`]);
      assert.deepEqual(reached(handed.lines, client(21)), []);
      assert.deepEqual(handed.counts, { no_pod: 1 });
    });

    test(`none, ${family}: what comes from nobody's station is a client's, and goes on to another node`, async () => {
      await forwarding.reconcile({ ...wanting("none"), stations: ["020202020203"] });
      const { counts } = await seen([syn(client(22), vip, 82)]);
      assert.deepEqual(counts, {});
    });
  }

  test("removal leaves nothing of any kind", async () => {
    await settle("gre");
    await forwarding.reconcile(wanting("gue"));
    await forwarding.remove();
    assert.doesNotMatch(run("ip", "-br", "link"), /genkan/);
    assert.doesNotMatch(listeners(), /7476/);
    assert.doesNotMatch(run("nft", "list", "tables"), /genkan/);
  });
}
