import assert from "node:assert/strict";
import { test } from "node:test";
import { Password } from "#speaker/known/password.ts";
import { settled, until } from "#test/until.ts";
import { Lab, plain } from "./frr-pair.ts";
import { output } from "./process.ts";
import { type Session, sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 400_000 };
const UPDATE = 2;
const NOTIFICATION = 3;
const ROUTE_REFRESH = 5;
const PREFIX = "gkl";

const IBGP = sessionNamed("frr-iBGP-IPv4-plain");
const EBGP = sessionNamed("frr-eBGP-IPv4-plain");
const EBGP6 = sessionNamed("frr-eBGP-IPv6-plain");
const NETWORKS = ["198.18.0.1/32", "198.18.0.2/32", "198.18.0.3/32"];

test("one prefix more or less is one UPDATE, and what is told again is not sent again", TIMEOUT, async () => {
  await using lab = await Lab.start(PREFIX, EBGP);
  await lab.want(NETWORKS.map(plain));
  await lab.established();
  await lab.shows(NETWORKS);
  const added = [...NETWORKS, "198.18.0.4/32"];
  const more = await lab.sent(async () => {
    await lab.want(added.map(plain));
    await lab.shows(added);
    await lab.want(added.map(plain));
  });
  assert.equal(more.filter(({ type }) => type === UPDATE).length, 1);
  const less = await lab.sent(async () => {
    await lab.want(NETWORKS.map(plain));
    await lab.shows(NETWORKS);
  });
  assert.equal(less.filter(({ type }) => type === UPDATE).length, 1);
  assert.equal((await lab.neighbor()).connectionsEstablished, 1);
});

test("a peer that asks for a refresh is told everything again", TIMEOUT, async () => {
  const familyLines = ({ device }: Session) => [`no neighbor ${device.address} soft-reconfiguration inbound`];
  await using lab = await Lab.start(PREFIX, EBGP, { familyLines });
  await lab.want(NETWORKS.map(plain));
  await lab.established();
  await lab.shows(NETWORKS);
  const again = await lab.sent(async () => {
    await lab.frr.shell(`clear bgp ipv4 unicast ${EBGP.device.address} soft in`);
    await until("the refresh to be answered", async () => {
      const { messageStats } = (await lab.neighbor()) as unknown as { messageStats: { updatesRecv: number } };
      return messageStats.updatesRecv >= 3;
    });
  });
  const announced = again.filter(
    ({ type, bytes }) => type === UPDATE && bytes.includes(Buffer.from("c6120001", "hex")),
  );
  assert.equal(announced.length, 1);
  // RFC 7313: its beginning and its end are told around it.
  const kinds = again.flatMap(({ type, bytes }) => (type === ROUTE_REFRESH ? [bytes.readUInt8(21)] : []));
  assert.deepEqual(kinds, [1, 2]);
  await lab.shows(NETWORKS);
});

test(
  "3,000 prefixes with equal attributes are one UPDATE where both sides take long ones",
  TIMEOUT,
  async () => {
    await using lab = await Lab.start(PREFIX, EBGP);
    await lab.want(NETWORKS.map(plain));
    await lab.established();
    await lab.shows(NETWORKS);
    const received = async (): Promise<number> =>
      ((await lab.neighbor()) as unknown as { messageStats: { updatesRecv: number } }).messageStats
        .updatesRecv;
    // The End-of-RIB comes behind the routes.
    const before = await settled("no more UPDATEs of the beginning", received);
    const more = Array.from(
      { length: 3_000 - NETWORKS.length },
      (_, at) => `198.19.${at >> 8}.${at & 255}/32`,
    );
    await lab.want([...NETWORKS, ...more].map(plain));
    await lab.shows([...NETWORKS, ...more]);
    assert.equal(await settled("no more UPDATEs", received), before + 1);
    await lab.want(NETWORKS.map(plain));
    await lab.shows(NETWORKS);
    assert.equal(await settled("no more UPDATEs", received), before + 2);
  },
);

test(
  "leaving is told by GRACEFUL_SHUTDOWN, then withdrawals, then words that FRR shows",
  TIMEOUT,
  async () => {
    await using lab = await Lab.start(PREFIX, IBGP);
    await lab.want(NETWORKS.map(plain));
    await lab.established();
    await lab.shows(NETWORKS);
    const messages = await lab.sent(() => lab.device.stop("leave"));
    const community = Buffer.from("c00804ffff0000", "hex");
    const marked = messages.findIndex(({ type, bytes }) => type === UPDATE && bytes.includes(community));
    const withdrawn = messages.findIndex(({ type, bytes }) => type === UPDATE && bytes.readUInt16BE(19) > 0);
    const notified = messages.findIndex(({ type }) => type === NOTIFICATION);
    assert.ok(
      marked >= 0 && marked < withdrawn && withdrawn < notified,
      `${marked} ${withdrawn} ${notified}`,
    );
    // RFC 9003: Cease (6), administrative shutdown (2), length, text.
    assert.equal(messages[notified]?.bytes.toString("hex", 19, 21), "0602");
    assert.equal(messages[notified]?.bytes.toString("utf8", 22), "the speaker leaves this node");
    await until("FRR to show the words", async () => {
      const { lastShutdownDescription, lastNotificationReason } = await lab.neighbor();
      assert.equal(lastNotificationReason, "Cease/Administrative Shutdown");
      assert.equal(lastShutdownDescription, "the speaker leaves this node");
      return true;
    });
    await lab.shows([]);
  },
);

test(
  "a router with 10,100 routes that nobody uses keeps its session, and status says so",
  TIMEOUT,
  async () => {
    const networks = Array.from({ length: 10_100 }, (_, at) => `network 20.${at >> 8}.${at & 255}.0/24`);
    await using lab = await Lab.start(PREFIX, EBGP, {
      globalLines: ["no bgp network import-check"],
      familyLines: () => networks,
    });
    await lab.want(NETWORKS.map(plain));
    await lab.established();
    const warned = async (): Promise<boolean> => (await lab.device.sessions())[0]?.warning !== undefined;
    await until("the warning", warned, { deadlineMs: 20_000 });
    const [report] = await lab.device.sessions();
    assert.equal(
      report?.warning,
      "the router advertises more than 10000 prefixes, and this node uses none: filter them there",
    );
    assert.equal(report?.losses, 0);
    assert.equal((await lab.neighbor()).connectionsDropped, 0);
  },
);

test(
  "a peer that tells more prefixes than its BGPPeer allows is cut off, by its count",
  TIMEOUT,
  async () => {
    await using lab = await Lab.start(PREFIX, EBGP);
    const networks = Array.from({ length: 6 }, (_, at) => `network 203.0.113.${at}/32`);
    await lab.configure("no bgp network import-check", "address-family ipv4 unicast", ...networks);
    await lab.want(NETWORKS.map(plain), { maximumPrefixes: 6 });
    await lab.established();
    const counted = async (): Promise<boolean> => {
      const [report] = await lab.device.sessions();
      if (report?.prefixesReceived === 6) return true;
      throw new Error(JSON.stringify(report));
    };
    await until("FRR's prefixes to be counted", counted);
    await lab.configure("address-family ipv4 unicast", "network 203.0.113.6/32");
    const reason = async (): Promise<boolean> =>
      (await lab.neighbor()).lastNotificationReason === "Cease/Maximum Number of Prefixes Reached";
    await until("FRR to be told why", reason);
    const [report] = await lab.device.sessions();
    assert.match(report?.lastError ?? "", /prefix/i);
  },
);

test(
  "routes of a node that is gone without a word are kept for the restart time (RFC 4724)",
  TIMEOUT,
  async () => {
    await using lab = await Lab.start(PREFIX, EBGP);
    await lab.want(NETWORKS.map(plain), { gracefulRestart: true, restartTimeMs: 5_000 });
    await lab.established();
    await lab.shows(NETWORKS);
    await lab.device.kill();
    const isNoticed = async (): Promise<boolean> => (await lab.neighbor()).bgpState !== "Established";
    await until("the loss", isNoticed);
    assert.deepEqual(await lab.prefixes(), NETWORKS, "kept for a speaker that comes back");
    await lab.shows([]);
  },
);

test("a node that leaves withdraws its routes, graceful restart or not (RFC 8326)", TIMEOUT, async () => {
  await using lab = await Lab.start(PREFIX, EBGP);
  await lab.want(NETWORKS.map(plain), { gracefulRestart: true });
  await lab.established();
  await lab.shows(NETWORKS);
  await lab.device.stop("leave");
  // Well before FRR would drop the routes of a node that is only restarting.
  await lab.shows([]);
});

test("near peers only (RFC 5082): FRR at one hop is reached, with both sides looking", TIMEOUT, async () => {
  await using lab = await Lab.start(PREFIX, EBGP);
  await lab.configure(`neighbor ${EBGP.device.address} ttl-security hops 1`);
  await lab.want(NETWORKS.map(plain), { ttl: { kind: "gtsm", hops: 1 } });
  await lab.established();
  await lab.shows(NETWORKS);
});

test(
  "a router that takes near packets only has the session within 15 s of our learning so (RFC 5082)",
  TIMEOUT,
  async (t) => {
    await using lab = await Lab.start(PREFIX, EBGP);
    await lab.configure(`neighbor ${EBGP.device.address} ttl-security hops 1`);
    await lab.want(NETWORKS.map(plain));
    // FRR's connection reaches us, and what we say on it does not reach FRR.
    const isHalfOpen = async (): Promise<boolean> => (await lab.neighbor()).bgpState === "OpenSent";
    await until("a connection that is half dead", isHalfOpen, { deadlineMs: 30_000 });
    await lab.want(NETWORKS.map(plain), { ttl: { kind: "gtsm", hops: 1 } });
    const isUp = async (): Promise<boolean> => (await lab.neighbor()).bgpState === "Established";
    const began = performance.now();
    await until("the session", isUp, { deadlineMs: 15_000, everyMs: 100 });
    t.diagnostic(`${Math.round(performance.now() - began)} ms`);
  },
);

test("any AS of the kind that was asked for is taken: external, internal", TIMEOUT, async (t) => {
  for (const [session, peerAsn, wrong] of [
    [EBGP, "external", "internal"],
    [IBGP, "internal", "external"],
  ] as const) {
    await using lab = await Lab.start(PREFIX, session);
    await lab.want(NETWORKS.map(plain), { peerAsn: wrong });
    const refused = async (): Promise<boolean> => (await lab.device.sessions())[0]?.lastError !== undefined;
    await until(`a peer that is ${peerAsn} to be refused as ${wrong}`, refused, { deadlineMs: 20_000 });
    t.diagnostic((await lab.device.sessions())[0]?.lastError ?? "");
    await lab.want(NETWORKS.map(plain), { peerAsn });
    await lab.established();
    await lab.shows(NETWORKS);
  }
});

test("IPv4 prefixes over an IPv6 session have an IPv6 next hop (RFC 8950)", TIMEOUT, async () => {
  const { device } = EBGP6;
  await using lab = await Lab.start(PREFIX, EBGP6);
  const neighbor = `neighbor ${device.address}`;
  await lab.configure(
    `${neighbor} capability extended-nexthop`,
    "address-family ipv4 unicast",
    `${neighbor} activate`,
  );
  const prefixes = [...NETWORKS, "2001:db8:1::/64"];
  await lab.want(prefixes.map(plain), { families: ["IPv4", "IPv6"], nextHops: { IPv6: device.address } });
  await lab.established();
  await lab.shows(["2001:db8:1::/64"]);
  await until("FRR to show the other family, too", async () => {
    const own = (await lab.frr.routes("IPv4")).get(device.address) ?? [];
    assert.deepEqual(own.map(({ prefix }) => prefix).sort(), NETWORKS);
    for (const { nextHop } of own) assert.equal(nextHop, device.address);
    return true;
  });
});

test(
  "a changed password keeps our side's session until the peer's own change, and it comes back signed",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-iBGP-IPv4-md5");
    await using lab = await Lab.start(PREFIX, session);
    await lab.want(NETWORKS.map(plain));
    await lab.established();
    await lab.want(NETWORKS.map(plain), { password: new Password("rotated") });
    assert.equal((await lab.device.sessions())[0]?.state, "Established");
    await lab.configure(`neighbor ${session.device.address} password rotated`);
    await until(
      "the session with the new password",
      async () => {
        const { bgpState } = await lab.neighbor();
        return bgpState === "Established" && (await lab.prefixes()).length === NETWORKS.length;
      },
      { deadlineMs: 30_000 },
    );
  },
);

test("of two connections made at once one is left, again and again", TIMEOUT, async () => {
  await using lab = await Lab.start(PREFIX, EBGP);
  await lab.want(NETWORKS.map(plain));
  for (let round = 0; round < 5; round += 1) {
    await lab.established();
    await lab.shows(NETWORKS);
    const filter = "( sport = 179 or dport = 179 )";
    await until("one connection to be left", async () => {
      const sockets = await output(lab.topology.device, "ss", "-Htn", "state", "established", filter);
      assert.equal(sockets.trim().split("\n").length, 1, sockets);
      return true;
    });
    await lab.frr.shell(`clear bgp ${EBGP.device.address}`);
    await until(
      "the session to be lost",
      async () => (await lab.neighbor()).connectionsDropped === round + 1,
    );
  }
});
