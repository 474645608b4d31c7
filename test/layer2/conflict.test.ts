/**
 * A stranger that uses our addresses, in every form that a frame has for it: each is seen, named and answered once
 * (RFC 5227 section 2.4), or by setting the address is left to it. The whole way, from the filter in the kernel on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressBytes } from "#speaker/layer2/address.ts";
import { encodeArp, gratuitousArp } from "#speaker/layer2/arp.ts";
import { BROADCAST, parseHardwareAddress } from "#speaker/layer2/frame.ts";
import { advertisementFor, probeSolicitation, unsolicitedAdvertisement } from "#speaker/layer2/ndp.ts";
import { Cable, HARDWARE } from "#test/network/cable.ts";
import { until } from "#test/until.ts";

const OWNER = parseHardwareAddress(HARDWARE.owner) ?? assert.fail();
const STRANGER = parseHardwareAddress(HARDWARE.other) ?? assert.fail();
const STATION = HARDWARE.other.replaceAll(":", "");
const bytes = (text: string): Uint8Array => addressBytes(text) ?? assert.fail(text);

const arp = (vip: string, operation: number, destination: Uint8Array, target: string): Buffer =>
  encodeArp({
    destination,
    source: STRANGER,
    packet: {
      operation,
      senderHardware: STRANGER,
      senderAddress: bytes(vip),
      targetHardware: operation === 1 ? new Uint8Array(6) : OWNER,
      targetAddress: bytes(target),
    },
  });

const FORMS: readonly [what: string, vip: string, frame: (vip: string) => Buffer][] = [
  ["an announcement, a request", "10.9.1.1", (vip) => gratuitousArp(bytes(vip), STRANGER)[0]],
  ["an announcement, a reply", "10.9.1.2", (vip) => gratuitousArp(bytes(vip), STRANGER)[1]],
  ["a question for another address", "10.9.1.3", (vip) => arp(vip, 1, BROADCAST, "10.9.0.1")],
  ["a reply to us alone", "10.9.1.4", (vip) => arp(vip, 2, OWNER, "10.9.0.2")],
  ["an advertisement to all", "fd09::1", (vip) => unsolicitedAdvertisement(bytes(vip), STRANGER)],
  [
    "an advertisement to us alone",
    "fd09::2",
    (vip) =>
      advertisementFor(
        {
          hardware: OWNER,
          sourceLinkLayer: undefined,
          source: bytes("fe80::1"),
          destination: bytes("ff02::1"),
          target: bytes(vip),
          isProbe: false,
        },
        STRANGER,
      ),
  ],
];

test("every form of conflict is seen, named and answered", { timeout: 400_000 }, async (t) => {
  const cable = new Cable(t, "cf");
  const heard = await cable.capture("other", `ether src ${HARDWARE.owner} and (arp or icmp6)`);
  const owner = cable.start("owner", "./responder-child.ts", "defend");
  const stranger = cable.start("other", "./frames-child.ts");
  const vips = FORMS.map(([, vip]) => vip);
  await owner.say([...vips, "fd09::9"].join(" "), "done");
  const words = (vip: string): number =>
    vip.includes(":")
      ? heard().split(`neighbor advertisement, tgt is ${vip},`).length - 1
      : heard().split(`Request who-has ${vip} tell ${vip},`).length - 1;
  await until("all that is told of new addresses", () => vips.every((vip) => words(vip) >= 6), {
    deadlineMs: 20_000,
  });
  for (const [what, vip, frame] of FORMS) {
    await t.test(what, async () => {
      const before = words(vip);
      await stranger.say(frame(vip).toString("hex"), "sent 1");
      await until("a report", () => owner.said.includes(`defended ${vip} ${STATION}\n`));
      await until("our word", () => words(vip) > before);
    });
  }

  await t.test("a probe for our address is no conflict: it is answered, to all", async () => {
    const before = words("fd09::9");
    await stranger.say(probeSolicitation(bytes("fd09::9"), STRANGER).toString("hex"), "sent 1");
    await until("an answer", () => words("fd09::9") > before);
    assert.doesNotMatch(owner.said, /fd09::9/);
  });
});

test("yield: who goes on gets the address, and other addresses stay ours", {
  timeout: 400_000,
}, async (t) => {
  const cable = new Cable(t, "cy");
  const owner = cable.start("owner", "./responder-child.ts", "yield");
  const stranger = cable.start("other", "./frames-child.ts");
  await owner.say("10.9.1.1 10.9.1.2", "done");
  const answers = (vip: string): boolean =>
    cable.run("other", "arping", "-c", "1", "-w", "1", "-I", "eth0", vip).includes("1 response");
  await until("an answer", () => answers("10.9.1.1"));
  const frame = gratuitousArp(bytes("10.9.1.1"), STRANGER)[1].toString("hex");
  await until(
    "the address to be left to the other one",
    async () => {
      await stranger.say(frame, "sent 1");
      return owner.said.includes(`yielded 10.9.1.1 ${STATION}\n`);
    },
    { everyMs: 200 },
  );
  assert.ok(!answers("10.9.1.1"));
  await until("an answer for the other one", () => answers("10.9.1.2"));
});
