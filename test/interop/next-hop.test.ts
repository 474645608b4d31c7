/** Next hops that a BGPPeer says, as FRR takes them: it shows the path as valid only where it knows a way there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalAddress } from "#speaker/bgp/address.ts";
import type { PeerView } from "#speaker/known/view.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { peerView, planOf } from "./cells.ts";
import { Lab, plain } from "./frr-pair.ts";
import { mainAddress, type Session, sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX4 = "198.18.0.1/32";
const PREFIX6 = "2001:db8:1::/64";
/** On the device's lo, as an anycast address of all nodes is. */
const SHARED = { IPv4: "10.255.0.1", IPv6: "fd00:ff::1" };

interface Path {
  readonly valid?: boolean;
  readonly nexthops: readonly {
    readonly ip: string;
    readonly scope?: string;
    readonly accessible?: boolean;
  }[];
}

/** What the speaker plans where the BGPPeer has this, too. */
function settingsOf(session: Session, more: Partial<PeerView>) {
  const wanted = planOf([{ ...peerView(session), ...more }]).get(session.name);
  assert.ok(wanted);
  return wanted.settings;
}

/** Addresses that FRR has as the prefix's next hops, once the path is valid. */
async function hopsOf(lab: Lab, family: "ipv4" | "ipv6", prefix: string): Promise<string[]> {
  return until(
    `FRR to know a way to ${prefix}`,
    async () => {
      const found = await lab.frr.json<{ paths?: readonly Path[] }>(
        `show bgp ${family} unicast ${prefix} json`,
      );
      const [path] = found.paths ?? [];
      if (path?.valid !== true) throw new Error(JSON.stringify(found));
      return path.nexthops.map(({ ip: address }) => address).sort();
    },
    { deadlineMs: 20_000, everyMs: 100 },
  );
}

async function bothFamilies(lab: Lab): Promise<void> {
  const { address } = lab.session.device;
  await lab.configure("address-family ipv6 unicast", `neighbor ${address} activate`);
}

test(
  "the node's InternalIP, and another router of the link: what FRR has as next hops (RFC 4271 section 5.1.3)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    await using lab = await Lab.start("gkn", session);
    await bothFamilies(lab);
    const both = { isDualStack: true };
    const nextHop = { IPv4: "InternalIP", IPv6: "InternalIP" } as const;
    const prefixes = [PREFIX4, PREFIX6].map(plain);
    await lab.want(prefixes, settingsOf(session, { ...both, nextHop }));
    await lab.established();
    assert.deepEqual(await hopsOf(lab, "ipv4", PREFIX4), [mainAddress.IPv4(0)]);
    const ipv6 = await hopsOf(lab, "ipv6", PREFIX6);
    // It is of the link that FRR shares: the link-local address comes with it (RFC 2545 section 3).
    assert.ok(
      ipv6.includes(canonicalAddress(mainAddress.IPv6(0))) && ipv6.some((one) => one.startsWith("fe80:")),
      ipv6.join(),
    );
    const other = { IPv4: { address: "10.0.9.9" }, IPv6: { address: "fd00:a::9:9" } };
    await lab.want(prefixes, settingsOf(session, { ...both, nextHop: other }));
    const moved = async (): Promise<boolean> =>
      (await hopsOf(lab, "ipv4", PREFIX4)).join() === "10.0.9.9" &&
      (await hopsOf(lab, "ipv6", PREFIX6)).join() === "fd00:a::9:9";
    await until("the other router's addresses", moved, { deadlineMs: 20_000, everyMs: 100 });
  },
);

test(
  "an address on lo that nodes share, over iBGP: FRR takes it where it has a route to it",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-iBGP-IPv4-plain");
    await using lab = await Lab.start("gkn", session);
    await bothFamilies(lab);
    const router = lab.topology.namespaceOf("frr");
    ip(`-n ${lab.topology.device} addr add ${SHARED.IPv4}/32 dev lo
    -n ${lab.topology.device} addr add ${SHARED.IPv6}/128 dev lo
    -n ${router} route add ${SHARED.IPv4}/32 via ${mainAddress.IPv4(0)}
    -n ${router} route add ${SHARED.IPv6}/128 via ${mainAddress.IPv6(0)}`);
    const nextHop = { IPv4: { address: SHARED.IPv4 }, IPv6: { address: SHARED.IPv6 } };
    await lab.want([PREFIX4, PREFIX6].map(plain), settingsOf(session, { isDualStack: true, nextHop }));
    await lab.established();
    assert.deepEqual(await hopsOf(lab, "ipv4", PREFIX4), [SHARED.IPv4]);
    assert.deepEqual(await hopsOf(lab, "ipv6", PREFIX6), [SHARED.IPv6]);
  },
);

test("a family without a next hop is kept back and counted, and the other one is told", TIMEOUT, async () => {
  const session = sessionNamed("frr-eBGP-IPv4-plain");
  await using lab = await Lab.start("gkn", session);
  await bothFamilies(lab);
  const settings = settingsOf(session, { isDualStack: true });
  await lab.want([PREFIX4, PREFIX6].map(plain), { ...settings, chosenNextHops: { IPv6: null } });
  await lab.established();
  await lab.shows([PREFIX4]);
  const [report] = await lab.device.sessions();
  assert.deepEqual([report?.prefixesAdvertised, report?.prefixesWithoutNextHop], [1, 1]);
  assert.equal((await lab.frr.routes("IPv6")).size, 0);
});
