/**
 * What a host on the nodes' own segment, and a pod that may use raw sockets, can do to a victim's connections: they go on
 * byte for byte, and nothing comes in by a way that is not its own.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cableLines, namespaceLines, routeLines } from "#hack/common/networks.ts";
import { LONG } from "#test/dataplane/ipvs-nodes.ts";
import { HostileWorld } from "#test/hostile/victim-world.ts";
import { script } from "#test/network/machine.ts";
import { until } from "#test/until.ts";

let world: HostileWorld;
let host: Attacker;
let pod: Attacker;

interface Attacker {
  readonly netns: string;
  readonly address: string;
}

before(async () => {
  world = await HostileWorld.start();
  const { topology, machine } = world.nodes;
  host = { netns: "evil", address: `172.30.${topology.instance}.66` };
  const { name, IPv4 } = topology.pods[0] ?? { name: "", IPv4: "" };
  pod = { netns: topology.pods.find((one) => one.name === name)?.netns ?? "", address: IPv4 };
  await script(
    machine,
    [
      ...namespaceLines("evil"),
      ...cableLines(
        { namespace: "evil", link: "eth0", addresses: [`${host.address}/24`] },
        { namespace: topology.lan, link: "evil", bridge: "br0" },
      ),
      ...routeLines("evil", ["default"], [topology.router.IPv4]),
      ...topology.nodes.flatMap(({ IPv4: node, podCidr }) => routeLines("evil", [podCidr.IPv4], [node])),
    ].join("\n"),
  );
});
after(async () => {
  if (!world?.nodes.machine.isGuest) await script(world.nodes.machine, "ip netns del evil").catch(() => {});
  await world?.[Symbol.asyncDispose]();
});

const as = ({ netns }: Attacker, text: string): Promise<string> =>
  script(world.nodes.machine, text, { netns });

/** "open", "refused", "unreachable" or, after so many seconds, "silent": what becomes of a TCP connection. */
async function tries(who: Attacker, address: string, port: number, seconds = 3): Promise<string> {
  const text = `timeout ${seconds} bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>&1 && echo open || echo "ended with $?"`;
  const said = await as(who, text);
  if (/^open$/m.test(said)) return "open";
  if (/refused/.test(said)) return "refused";
  if (/No route to host/.test(said)) return "unreachable";
  assert.match(said, /ended with 124/, said);
  return "silent";
}

/** Runs with a tunnel from the attacker to `remote` that takes what is for `inside`. */
async function tunnelling<T>(
  who: Attacker,
  { remote, inside }: { remote: string; inside: string },
  use: () => Promise<T>,
): Promise<T> {
  await as(
    who,
    `ip link add evil4 type ipip local ${who.address} remote ${remote}
ip link set evil4 up
ip route add ${inside}/32 dev evil4 src ${who.address}`,
  );
  try {
    return await use();
  } finally {
    await as(who, "ip link del evil4");
  }
}

/** Of all nodes. */
async function turnedAway(reason: string): Promise<number> {
  const counts = await Promise.all(
    world.nodes.names().map(async (name) => {
      const text = await world.nodes.on(name, `nft list counter inet genkan ${reason}`);
      return Number(/packets (\d+)/.exec(text)?.[1]);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

describe("who is on the wire", { concurrency: false }, () => {
  for (const what of ["a host on the segment", "a pod"] as const) {
    const attacker = (): Attacker => (what === "a pod" ? pod : host);

    test(`${what}: no tunnel to a pod's port past the victim's address`, async () => {
      const target = world.nodes.topology.pods.at(-1)?.IPv4 ?? "";
      const node = world.nodes.topology.nodes.at(-1)?.IPv4 ?? "";
      for (const remote of [node, target]) {
        const inside = target === remote ? world.vip.IPv4 : target;
        const before = await turnedAway("tunnel_source");
        const found = await tunnelling(attacker(), { remote, inside }, () =>
          tries(attacker(), inside, inside === target ? 8080 : 80),
        );
        // The node that has no tunnel of its own may say so by ICMP.
        assert.match(found, /silent|unreachable/, `through a tunnel to ${remote}, for ${inside}`);
        if (inside === world.vip.IPv4) assert.ok((await turnedAway("tunnel_source")) > before);
      }
      await world.unharmed();
    });

    test(`${what}: a port that the victim does not have is refused, and no packet goes round`, async () => {
      const before = await turnedAway("no_port");
      // Its kernel asks four times until then; a machine that stands still answers late.
      assert.equal(await tries(attacker(), world.vip.IPv4, 81, 14), "refused");
      const counted = (await turnedAway("no_port")) - before;
      assert.ok(counted >= 1 && counted <= 4, `${counted} packets were turned away`);
      await world.unharmed();
    });
  }

  test("a host says that the victim's address is his, again and again", async () => {
    const { IPv4 } = world.vip;
    const router = world.nodes.topology.router.netns;
    const owner = world.nodes.elected(IPv4);
    await as(
      host,
      `echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind
arping -A -c 8 -w 10 -I eth0 -s ${IPv4} ${IPv4} >/dev/null || true`,
    );
    const own = await world.nodes.hardwareOf(owner);
    await until(
      "the router to know the owner again",
      async () =>
        (await script(world.nodes.machine, `ip neigh show ${IPv4}`, { netns: router })).includes(own),
      LONG,
    );
    await until(
      "the conflict to be told",
      async () => /AddressConflict/.test(await world.toldOfVictim()),
      LONG,
    );
    await world.remember();
    await world.unharmed();
  });

  test("a host floods ports that nobody has: others' connections never notice", async () => {
    const { IPv4 } = world.vip;
    // So many at once: more programs would take the guest's only processor from everybody, and not the network.
    await as(
      host,
      `seq 1001 1400 | xargs -P 40 -I PORT timeout 1 bash -c 'exec 3<>/dev/tcp/${IPv4}/PORT' 2>/dev/null || true`,
    );
    await world.unharmed();
  });
});
