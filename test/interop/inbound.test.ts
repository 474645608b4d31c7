/** Routers that connect to this node: nobody is where it calls them, so the session is theirs. */
import { test } from "node:test";
import type { SessionReport } from "#speaker/bgp/types.ts";
import { Password } from "#speaker/known/password.ts";
import { until } from "#test/until.ts";
import { Lab, plain } from "./frr-pair.ts";
import { output } from "./process.ts";
import { sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 400_000 };
const PREFIX = "gkn";
/** No router listens there. */
const NOWHERE = { port: 1790 };
const NETWORKS = { IPv4: ["198.18.0.1/32"], IPv6: ["2001:db8:1::/64"] } as const;

const reportOf = async (lab: Lab): Promise<SessionReport | undefined> => (await lab.device.sessions())[0];

for (const name of ["frr-iBGP-IPv4-md5", "frr-eBGP-IPv6-md5"]) {
  test(`${name}: FRR connects, signed, to a peer whose address is written otherwise`, TIMEOUT, async () => {
    const session = sessionNamed(name);
    await using lab = await Lab.start(PREFIX, session);
    const networks = NETWORKS[session.family];
    const address = session.peer.address.toUpperCase().replace("::", ":0:0:0:0:");
    await lab.want(networks.map(plain), { ...NOWHERE, address });
    await lab.established();
    await lab.shows(networks);
    // The other password lets nobody in, and the right one does again.
    await lab.want(networks.map(plain), { password: new Password("another") });
    await lab.frr.shell(`clear bgp ${session.device.address}`);
    const isDown = async (): Promise<boolean> => (await reportOf(lab))?.state !== "Established";
    await until("the session to end", isDown, { deadlineMs: 20_000 });
    await lab.configure(`neighbor ${session.device.address} password another`);
    await lab.established();
    await lab.shows(networks);
  });
}

for (const name of ["frr-eBGP-IPv4-plain", "frr-eBGP-IPv6-plain"]) {
  test(`${name}: a near peer (RFC 5082) connects, and is heard only while it is near`, TIMEOUT, async (t) => {
    const session = sessionNamed(name);
    await using lab = await Lab.start(PREFIX, session);
    const { family, peer, device } = session;
    const networks = NETWORKS[family];
    await lab.configure(`neighbor ${device.address} ttl-security hops 1`);
    await lab.want(networks.map(plain), { ...NOWHERE, ttl: { kind: "gtsm", hops: 1 } });
    await lab.established();
    await lab.shows(networks);
    // What comes from there from now on has crossed a router, as far as the kernel can see.
    const nft = (...command: string[]): Promise<string> => output(lab.topology.device, "nft", ...command);
    const [kind, hops] = family === "IPv4" ? ["ip", "ttl"] : ["ip6", "hoplimit"];
    await nft(`add table ${kind} far`);
    await nft(`add chain ${kind} far way { type filter hook prerouting priority mangle; }`);
    await nft(`add rule ${kind} far way ${kind} saddr ${peer.address} ${kind} ${hops} set 254`);
    const isLost = async (): Promise<boolean> => (await reportOf(lab))?.losses === 1;
    await until("the session to be lost", isLost, { deadlineMs: 20_000 });
    const { lastError = "" } = (await reportOf(lab)) ?? {};
    t.diagnostic(lastError);
    await nft(`delete table ${kind} far`);
    await lab.established();
    await lab.shows(networks);
  });
}
