/** What docs/bgp.md says that lastError says is what the code says, word for word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SocketError } from "#speaker/native/socket.ts";
import { signWith } from "#speaker/native/tcp-key.ts";
import { OPEN, SETTINGS } from "#test/fakes/bgp-peer.ts";
import { Password } from "../known/password.ts";
import { step } from "./fsm.ts";
import { type Event, fsmSettings, IDLE } from "./machine.ts";
import { negotiate, ownOpen } from "./negotiated.ts";
import { planBgp } from "./plan.ts";
import { Received } from "./received.ts";
import type { PeerSettings } from "./types.ts";
import { BgpError, Cease, ErrorCode, OpenError } from "./wire/error.ts";
import { decodeNotification, encodeNotification, shutdown } from "./wire/notification.ts";
import type { Open } from "./wire/open.ts";
import { decodeUpdate, encodeUpdate } from "./wire/update.ts";

const PAGE = readFileSync(new URL("../../docs/bgp.md", import.meta.url), "utf8");

/** The first column of the table below the head `lastError`. */
function quoted(): string[] {
  const table = PAGE.slice(PAGE.indexOf("| `lastError` |")).split("\n\n")[0] ?? "";
  return [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, words = ""]) => words).slice(1);
}

function thrown(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof BgpError || error instanceof SocketError);
    return error.message;
  }
  assert.fail("nothing was thrown");
}

const refused = (own: Partial<PeerSettings>, theirs: Partial<Open>): string => {
  const settings = { ...SETTINGS, ...own };
  return thrown(() => negotiate(settings, ownOpen(settings, false), { ...OPEN, ...theirs }));
};
const onTimer = (type: Event["type"] & `${string}Timer_Expires`): string => {
  const machine = { ...IDLE, state: "Established" as const };
  const { actions } = step(machine, { type }, fsmSettings(1_000));
  const [told] = actions.flatMap((action) =>
    action.do === "sendNotification" ? [action.error.message] : [],
  );
  return told ?? "";
};
const said = (error: BgpError): string =>
  `the peer said: ${decodeNotification(encodeNotification(error)).words}`;

function withheld(): string[] {
  const peer = {
    address: "172.30.0.253",
    port: 179,
    localAsn: 1,
    peerAsn: 2,
    nodeSelectors: [],
    isMultihop: false,
    gracefulRestart: false,
    isDualStack: false,
  };
  const plan = planBgp({
    node: { name: "n1", labels: {}, addresses: {}, own: [] },
    addresses: [],
    labelsOf: () => undefined,
    pools: new Map(),
    profiles: new Map(),
    password: () => undefined,
    peers: [
      { ...peer, name: "a", passwordSecret: "tor" },
      { ...peer, address: "172.30.0.252", name: "b", bfdProfile: "fast" },
      { ...peer, address: "172.30.0.251", name: "c" },
      { ...peer, name: "tor" },
    ],
  });
  return plan.withheld.map(({ message }) => message);
}

const broken = encodeUpdate({ nlri: Buffer.from([40, 10, 0, 0, 0, 0]) });
const prefix = encodeUpdate({
  attributes: Buffer.from("4001010040020602010000fde94003040a000001", "hex"),
  nlri: Buffer.from([8, 10]),
});
const negotiated = negotiate(SETTINGS, ownOpen(SETTINGS, false), OPEN);

const TCP_AO_KEY = {
  password: new Password("s3cret"),
  ao: { sendId: 1, receiveId: 1, algorithm: "HMAC-SHA-1-96" },
} as const;
/** A kernel that knows no such option. */
const withoutTcpAo = (): never => {
  const message = "setsockopt: ENOPROTOOPT (Protocol not available)";
  throw new SocketError({ syscall: "setsockopt", code: "ENOPROTOOPT", errno: 92, message });
};

test("every quotation is of the code", () => {
  const words = [
    refused({}, { asn: 65_002 }),
    refused({}, { capabilities: { ...OPEN.capabilities, families: ["IPv6"] } }),
    refused({ peerAsn: "internal" }, { asn: 65_000, routerId: SETTINGS.routerId }),
    said(new BgpError(ErrorCode.open, OpenError.peerAsn, "")),
    said(shutdown(Cease.administrativeShutdown, "new disks")),
    onTimer("HoldTimer_Expires"),
    onTimer("SendHoldTimer_Expires"),
    thrown(() => new Received().take(prefix, negotiated, { localAsn: 1, maximumPrefixes: 0 })).replace(
      "more than 0",
      "more than 10000",
    ),
    thrown(() => decodeUpdate(broken, { as4: true })),
    ...withheld(),
    thrown(() => signWith(withoutTcpAo, { family: "IPv4", address: "10.0.0.1" }, TCP_AO_KEY)),
  ];
  const all = quoted();
  for (const one of words) assert.ok(all.includes(one), `docs/bgp.md does not say: ${one}`);
  // The kernel's words are tested where they come from, the session's where it says them.
  const elsewhere = [
    /^connect: /,
    /^bind: /,
    /^no router/,
    /^this node has no default route/,
    /^cease \(bfdDown\)/,
    /^the connection/,
    /connected anew/,
  ];
  const unknown = all.filter((one) => !words.includes(one) && !elsewhere.some((words) => words.test(one)));
  assert.deepEqual(unknown, []);
});
