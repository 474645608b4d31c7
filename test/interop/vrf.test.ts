/**
 * Sessions in a VRF of the node. Runs itself in guests where this kernel has no ip_vs: theirs have VRFs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerView } from "#speaker/known/view.ts";
import { isInside, testInside } from "#test/network/inside.ts";
import { ip } from "#test/network/namespace.ts";
import { until } from "#test/until.ts";
import { peerView, planOf } from "./cells.ts";
import { Lab, plain } from "./frr-pair.ts";
import { LINK, sessionNamed } from "./session.ts";

const NAME = "frr-eBGP-IPv4-plain";
const PREFIX = "198.18.0.1/32";
const VRF = "red";

/** The link towards the router, and its addresses and routes with it, into a VRF; undefined: done. */
function enslave(namespace: string): string | undefined {
  try {
    ip(`-n ${namespace} link add ${VRF} type vrf table 100
      -n ${namespace} link set ${VRF} up
      -n ${namespace} link set ${LINK} master ${VRF}`);
    return undefined;
  } catch (error) {
    return `this kernel makes no VRF: ${String(error)}`;
  }
}

const settled = (view: Partial<PeerView>, base: PeerView = peerView(sessionNamed(NAME))) => {
  const wanted = planOf([{ ...base, ...view }]).get(NAME);
  assert.ok(wanted);
  return new Map([[NAME, { ...wanted, advertisements: [plain(PREFIX)] }]]);
};

if (!isInside) testInside("sessions in a VRF", import.meta.filename, "long");
else suite();

function suite(): void {
  test("the session is in the VRF, whoever connects, and its next hop is the link's own", {
    timeout: 400_000,
  }, async (t) => {
    await using lab = await Lab.start("gkv", sessionNamed(NAME));
    const refusal = enslave(lab.topology.device);
    if (refusal !== undefined) {
      t.skip(refusal);
      return;
    }
    // Outside of the VRF there is no way to the router.
    await lab.device.reconcile(settled({}));
    await until("the reason", async () => (await lab.device.sessions())[0]?.lastError !== undefined);
    assert.equal((await lab.device.sessions())[0]?.state === "Established", false);
    await lab.configure(`neighbor ${lab.session.device.address} passive`);
    await lab.device.reconcile(settled({ vrf: VRF }));
    await lab.established();
    await lab.shows([PREFIX]);
    const [route] = (await lab.frr.routes("IPv4")).get(lab.session.device.address) ?? [];
    assert.equal(route?.nextHop, lab.session.device.address);
    await lab.device.reconcile(new Map());
    await lab.shows([]);
    // Now the router connects: the listener is in the VRF, too.
    await lab.configure(`no neighbor ${lab.session.device.address} passive`);
    const { address: _, sourceAddress: _source, ...base } = peerView(sessionNamed(NAME));
    await lab.device.reconcile(settled({ vrf: VRF, range: "10.0.1.0/24" }, base));
    await lab.established();
    await lab.shows([PREFIX]);
  });

  test("a VRF that the node does not have is said", { timeout: 60_000 }, async () => {
    await using lab = await Lab.start("gkw", sessionNamed(NAME));
    await lab.device.reconcile(settled({ vrf: "nowhere" }));
    const said = await until("the reason", async () => (await lab.device.sessions())[0]?.lastError);
    assert.match(said, /ENODEV|No such device/);
  });
}
