/** What a peer is told: as few messages as can be, in the right order, and never twice. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Negotiated } from "./negotiated.ts";
import { AdjRibOut, type RibContext } from "./rib.ts";
import type { Advertisement } from "./types.ts";
import { MessageSplitter, MessageType } from "./wire/header.ts";
import { decodeRefresh } from "./wire/refresh.ts";
import { decodeUpdate, type Update } from "./wire/update.ts";

const NEGOTIATED: Negotiated = {
  remoteAsn: 65_001,
  remoteId: "10.0.0.1",
  isInternal: false,
  holdTimeMs: 90_000,
  keepaliveTimeMs: 30_000,
  families: ["IPv4", "IPv6"],
  as4: true,
  extendedMessage: false,
  enhancedRouteRefresh: false,
  extendedNextHop: false,
  gracefulRestart: undefined,
  marksOnlyToCustomer: false,
};
const context = (more: Partial<Negotiated> = {}, rest: Partial<RibContext> = {}): RibContext => ({
  negotiated: { ...NEGOTIATED, ...more },
  localAsn: 4_200_000_100,
  nextHops: { IPv4: ["10.0.0.9"], IPv6: ["fd00::9"] },
  ...rest,
});
const path = (prefix: string, more: Partial<Advertisement> = {}): Advertisement => ({
  prefix,
  communities: [],
  largeCommunities: [],
  ...more,
});
const many = (count: number, more: Partial<Advertisement> = {}): Advertisement[] =>
  Array.from({ length: count }, (_, at) => path(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}/32`, more));

interface Told {
  readonly updates: readonly Update[];
  readonly refreshes: readonly number[];
}

/** Everything that is to be sent now. */
function drain(rib: AdjRibOut, extended = false): Told {
  const updates: Update[] = [];
  const refreshes: number[] = [];
  const splitter = new MessageSplitter();
  splitter.allowsExtended = extended;
  for (let message = rib.next(); message !== undefined; message = rib.next()) {
    for (const { type, body } of splitter.push(message)) {
      if (type === MessageType.update) updates.push(decodeUpdate(body, { as4: true, isInternal: true }));
      else refreshes.push(decodeRefresh(body).kind);
    }
  }
  return { updates, refreshes };
}

const announced = ({ updates }: Told): string[][] =>
  updates.flatMap(({ announced: all }) => all.map(({ prefixes }) => [...prefixes]));
const withdrawn = ({ updates }: Told): string[][] =>
  updates.flatMap(({ withdrawn: all }) => all.map(({ prefixes }) => [...prefixes]));
const ends = ({ updates }: Told): (string | undefined)[] =>
  updates.map(({ endOfRib }) => endOfRib).filter((family) => family !== undefined);

test("routes for customers and peers say so, by our AS number; updates to others do not (RFC 9234 section 5)", () => {
  for (const marksOnlyToCustomer of [true, false]) {
    const rib = new AdjRibOut(context({ marksOnlyToCustomer }));
    rib.advertise([path("10.0.0.1/32"), path("fd00::1/128")]);
    const marks = drain(rib)
      .updates.filter(({ announced: all }) => all.length > 0)
      .map(({ attributes }) => attributes.onlyToCustomer);
    assert.deepEqual(marks, marksOnlyToCustomer ? [4_200_000_100, 4_200_000_100] : [undefined, undefined]);
  }
});

describe("the first table", () => {
  test("told in parts, its end is said after the last one (RFC 4724 section 2)", () => {
    const rib = new AdjRibOut(context());
    const all = many(6);
    rib.advertise(all.slice(0, 3), false);
    assert.deepEqual(ends(drain(rib)), []);
    rib.advertise(all);
    const last = drain(rib);
    assert.deepEqual(announced(last), [all.slice(3).map(({ prefix }) => prefix)]);
    assert.deepEqual(ends(last), ["IPv4", "IPv6"]);
  });

  test("equal attributes share an UPDATE, then each family's end", () => {
    const rib = new AdjRibOut(context());
    rib.advertise([
      path("10.0.0.1/32"),
      path("10.0.0.2/32"),
      path("fd00::1/128"),
      path("10.0.0.3/32", { communities: [7] }),
    ]);
    const told = drain(rib);
    assert.deepEqual(announced(told), [["10.0.0.1/32", "10.0.0.2/32"], ["fd00::1/128"], ["10.0.0.3/32"]]);
    assert.deepEqual(ends(told), ["IPv4", "IPv6"]);
    assert.ok(rib.isSettled);
  });

  test("an empty one is only its ends", () => {
    const rib = new AdjRibOut(context({ families: ["IPv4"] }));
    rib.advertise([]);
    assert.deepEqual(
      drain(rib).updates.map(({ endOfRib }) => endOfRib),
      ["IPv4"],
    );
  });

  test("3,000 prefixes are 4 UPDATEs of 4,096 octets, or one long one", () => {
    for (const [extendedMessage, count] of [
      [false, 4],
      [true, 1],
    ] as const) {
      const rib = new AdjRibOut(context({ extendedMessage }));
      rib.advertise(many(3_000));
      const told = drain(rib, extendedMessage);
      assert.equal(announced(told).length, count);
      assert.equal(new Set(announced(told).flat()).size, 3_000);
    }
  });
});

describe("attributes that leave no room for a route (RFC 8654 section 4)", () => {
  const large = (count: number) =>
    Array.from({ length: count }, (_, at): [number, number, number] => [65_000, at >> 6, at & 63]);

  test("are kept back, whatever else is told, and never a flood of UPDATEs", () => {
    const rib = new AdjRibOut(context({ families: ["IPv4"] }));
    rib.advertise([path("10.0.0.1/32", { largeCommunities: large(384) }), path("10.0.0.2/32")]);
    const told = drain(rib);
    assert.deepEqual(announced(told), [["10.0.0.2/32"]]);
    assert.deepEqual([rib.keptBack, rib.size, rib.isSettled], [1, 1, true]);
  });

  test("are told to a peer that takes long messages", () => {
    const rib = new AdjRibOut(context({ families: ["IPv4"], extendedMessage: true }));
    rib.advertise([path("10.0.0.1/32", { largeCommunities: large(384) })]);
    assert.deepEqual(announced(drain(rib, true)), [["10.0.0.1/32"]]);
    assert.equal(rib.keptBack, 0);
    // An attribute's length has two octets: more than that is never written.
    rib.advertise([path("10.0.0.1/32", { largeCommunities: large(5_500) })]);
    assert.deepEqual(withdrawn(drain(rib, true)), [["10.0.0.1/32"]]);
    assert.equal(rib.keptBack, 1);
  });

  test("withdraw what was told with shorter ones, and the route comes back with them", () => {
    const rib = new AdjRibOut(context({ families: ["IPv6"] }));
    const short = path("2001:db8::1/128");
    rib.advertise([short]);
    drain(rib);
    rib.advertise([{ ...short, largeCommunities: large(384) }]);
    assert.deepEqual(withdrawn(drain(rib)), [["2001:db8::1/128"]]);
    rib.advertise([short]);
    assert.deepEqual(announced(drain(rib)), [["2001:db8::1/128"]]);
    assert.equal(rib.keptBack, 0);
  });

  test("the longest that fit are told: every message is within 4,096 octets", () => {
    for (const family of ["IPv4", "IPv6"] as const) {
      for (let count = 300; count < 345; count += 1) {
        const rib = new AdjRibOut(context({ families: [family] }));
        const prefix = family === "IPv4" ? "10.0.0.1/32" : "2001:db8::1/128";
        rib.advertise([path(prefix, { largeCommunities: large(count), communities: [1, 2] })]);
        assert.equal(announced(drain(rib)).length + rib.keptBack, 1);
      }
    }
  });
});

describe("changes", () => {
  test("one more is one UPDATE, the same again is nothing, and so is a peer without the family", () => {
    const rib = new AdjRibOut(context());
    rib.advertise(many(1_000));
    drain(rib);
    rib.advertise([...many(1_000), path("192.0.2.1/32")]);
    const told = drain(rib);
    assert.equal(told.updates.length, 1);
    assert.deepEqual(announced(told), [["192.0.2.1/32"]]);
    rib.advertise([...many(1_000), path("192.0.2.1/32")]);
    assert.deepEqual(drain(rib).updates, []);
    const only4 = new AdjRibOut(context({ families: ["IPv4"] }));
    only4.advertise([path("fd00::1/128")]);
    assert.deepEqual(announced(drain(only4)), []);
  });

  test("withdrawals go first", () => {
    const rib = new AdjRibOut(context());
    rib.advertise([path("10.0.0.1/32"), path("fd00::1/128")]);
    drain(rib);
    rib.advertise([path("10.0.0.2/32")]);
    const told = drain(rib);
    assert.deepEqual(withdrawn(told), [["10.0.0.1/32"], ["fd00::1/128"]]);
    assert.deepEqual(announced(told), [["10.0.0.2/32"]]);
    assert.ok(told.updates.findIndex((one) => one.announced.length > 0) === 2);
  });

  test("other attributes are told once, without a withdrawal", () => {
    const rib = new AdjRibOut(context());
    rib.advertise(many(10));
    drain(rib);
    rib.advertise(many(10, { communities: [0xffff0000] }));
    const told = drain(rib);
    assert.deepEqual(withdrawn(told), []);
    assert.equal(told.updates.length, 1);
    assert.deepEqual(told.updates[0]?.attributes.communities, [0xffff0000]);
  });

  test("what an eBGP peer does not hear of makes neither another UPDATE nor the same one again", () => {
    const rib = new AdjRibOut(context());
    rib.advertise([path("10.0.0.1/32", { localPref: 200 }), path("10.0.0.2/32")]);
    assert.deepEqual(announced(drain(rib)), [["10.0.0.1/32", "10.0.0.2/32"]]);
    rib.advertise([path("10.0.0.1/32", { localPref: 300 }), path("10.0.0.2/32", { localPref: 100 })]);
    assert.deepEqual(drain(rib).updates, []);
    const inner = new AdjRibOut(context({ isInternal: true }));
    inner.advertise([path("10.0.0.1/32", { localPref: 200 }), path("10.0.0.2/32")]);
    assert.deepEqual(announced(drain(inner)), [["10.0.0.1/32"], ["10.0.0.2/32"]]);
    inner.advertise([path("10.0.0.1/32"), path("10.0.0.2/32", { localPref: 100 })]);
    assert.deepEqual(announced(drain(inner)), [["10.0.0.1/32"]]);
  });

  test("the same communities in another order are no news", () => {
    const rib = new AdjRibOut(context());
    const large = [[1, 2, 3] as const, [1, 2, 4] as const];
    rib.advertise([path("10.0.0.1/32", { communities: [1, 2], largeCommunities: large })]);
    drain(rib);
    rib.advertise([path("10.0.0.1/32", { communities: [2, 1], largeCommunities: large.toReversed() })]);
    assert.deepEqual(drain(rib).updates, []);
  });

  test("what changes back before it was told is never told, and what goes and comes back is", () => {
    const rib = new AdjRibOut(context());
    rib.advertise(many(3));
    drain(rib);
    rib.advertise(many(3, { communities: [1] }));
    rib.advertise([]);
    rib.advertise(many(3));
    assert.equal(rib.isSettled, true);
    assert.equal(rib.size, 3);
    rib.advertise(many(2));
    assert.deepEqual(withdrawn(drain(rib)), [["10.0.0.2/32"]]);
    rib.advertise(many(3));
    assert.deepEqual(announced(drain(rib)), [["10.0.0.2/32"]]);
    assert.equal(rib.size, 3);
  });

  test("what is no longer wanted before it was told is never told", () => {
    const rib = new AdjRibOut(context());
    rib.advertise(many(3_000));
    rib.next();
    rib.advertise([]);
    const told = drain(rib);
    assert.deepEqual(announced(told), []);
    assert.equal(rib.size, 0);
  });
});

describe("attributes", () => {
  const first = (rib: AdjRibOut): Update["attributes"] | undefined => {
    rib.advertise([path("10.0.0.1/32", { localPref: 300, largeCommunities: [[1, 2, 3]] })]);
    return drain(rib).updates[0]?.attributes;
  };

  test("to eBGP: our AS, no preference", () => {
    assert.deepEqual(first(new AdjRibOut(context())), {
      origin: 0,
      asPath: [{ type: 2, asns: [4_200_000_100] }],
      nextHop: "10.0.0.9",
      largeCommunities: [[1, 2, 3]],
    });
  });

  test("our AS number more often over eBGP alone, and MULTI_EXIT_DISC to everybody (RFC 4271 sections 5.1.2, 5.1.4)", () => {
    const own = path("10.0.0.1/32", { prepend: 2, med: 50 });
    for (const [isInternal, asPath] of [
      [false, [{ type: 2, asns: [4_200_000_100, 4_200_000_100, 4_200_000_100] }]],
      [true, []],
    ] as const) {
      const rib = new AdjRibOut(context({ families: ["IPv4"], isInternal }));
      rib.advertise([own]);
      const [{ attributes } = {}] = drain(rib).updates;
      assert.deepEqual([attributes?.asPath, attributes?.multiExitDisc], [asPath, 50]);
      rib.advertise([{ ...own, prepend: 3 }]);
      assert.equal(drain(rib).updates.length, isInternal ? 0 : 1, "an iBGP peer hears nothing of it");
      rib.advertise([{ ...own, prepend: 3, med: 51 }]);
      assert.equal(drain(rib).updates.length, 1);
    }
  });

  test("to iBGP: an empty path, the preference", () => {
    const attributes = first(new AdjRibOut(context({ isInternal: true })));
    assert.deepEqual([attributes?.asPath, attributes?.localPref], [[], 300]);
  });

  test("to a peer without 4-octet numbers: AS_TRANS, and the path in full beside it (RFC 6793)", () => {
    const rib = new AdjRibOut(context({ as4: false }));
    rib.advertise([path("10.0.0.1/32")]);
    const [message] = new MessageSplitter().push(rib.next() ?? Buffer.alloc(0));
    const { attributes } = decodeUpdate(message?.body ?? Buffer.alloc(0), { as4: false });
    assert.deepEqual(attributes.asPath, [{ type: 2, asns: [23_456] }]);
    assert.deepEqual(attributes.as4Path, [{ type: 2, asns: [4_200_000_100] }]);
    const near = new AdjRibOut(context({ as4: false }, { localAsn: 65_000 }));
    near.advertise([path("10.0.0.1/32")]);
    assert.equal(drain(near).updates[0]?.attributes.as4Path, undefined);
  });

  test("IPv4 with an IPv6 next hop (RFC 8950)", () => {
    const attributes = first(new AdjRibOut(context({}, { nextHops: { IPv4: ["fd00::9", "fe80::9"] } })));
    assert.equal(attributes?.nextHop, undefined);
    assert.equal(attributes?.mpReach?.family, "IPv4");
    assert.deepEqual(attributes?.mpReach?.nextHops, ["fd00::9", "fe80::9"]);
  });
});

describe("a refresh", () => {
  test("tells the family again, and nothing else", () => {
    const rib = new AdjRibOut(context());
    rib.advertise([path("10.0.0.1/32"), path("fd00::1/128")]);
    drain(rib);
    rib.refresh("IPv6");
    assert.deepEqual(announced(drain(rib)), [["fd00::1/128"]]);
  });

  test("is one, however often it is asked for before it is told", () => {
    for (const enhancedRouteRefresh of [false, true]) {
      const rib = new AdjRibOut(context({ enhancedRouteRefresh }));
      rib.advertise([path("10.0.0.1/32"), path("10.0.0.2/32")]);
      drain(rib);
      for (let count = 0; count < 1_000; count += 1) rib.refresh("IPv4");
      assert.equal(rib.isSettled, false);
      assert.deepEqual(announced(drain(rib)), [["10.0.0.1/32", "10.0.0.2/32"]]);
      assert.equal(rib.isSettled, true);
    }
  });

  test("that is asked for while another is told follows it, whole", () => {
    const rib = new AdjRibOut(context({ enhancedRouteRefresh: true }));
    rib.advertise(many(2_000));
    drain(rib);
    rib.refresh("IPv4");
    rib.next();
    rib.next();
    rib.refresh("IPv4");
    const told = drain(rib);
    assert.deepEqual(told.refreshes, [2, 1, 2]);
    assert.ok(announced(told).flat().length >= 2_000);
    assert.equal(rib.isSettled, true);
  });

  test("goes on whole when something else is wanted meanwhile: what is not told again is gone at its end", () => {
    for (const enhancedRouteRefresh of [false, true]) {
      const rib = new AdjRibOut(context({ enhancedRouteRefresh }));
      rib.advertise([...many(3_000), path("192.0.2.1/32")]);
      drain(rib);
      rib.refresh("IPv4");
      const begun = [rib.next(), rib.next()].map((message) => message ?? Buffer.alloc(0));
      // One that waits to be told again goes, one comes, one changes; the rest is to be told as begun.
      const changed = many(2_999).map((one) =>
        one.prefix === "10.0.7.7/32" ? { ...one, communities: [7] } : one,
      );
      rib.advertise([...changed, path("192.0.2.2/32"), path("192.0.2.1/32")]);
      const rest = drain(rib);
      const before = new MessageSplitter();
      const heard = new Set(announced(rest).flat());
      for (const message of begun) {
        for (const { type, body } of before.push(message)) {
          if (type !== MessageType.update) continue;
          for (const { prefixes } of decodeUpdate(body, { as4: true }).announced)
            for (const prefix of prefixes) heard.add(prefix);
        }
      }
      assert.equal(heard.size, 3_001);
      assert.deepEqual(withdrawn(rest), [[many(3_000)[2_999]?.prefix]]);
      if (enhancedRouteRefresh) assert.deepEqual(rest.refreshes, [2]);
      assert.equal(rib.isSettled, true);
    }
  });

  test("has a beginning and an end where both sides know them (RFC 7313)", () => {
    const rib = new AdjRibOut(context({ enhancedRouteRefresh: true }));
    rib.advertise([path("10.0.0.1/32")]);
    drain(rib);
    rib.refresh("IPv4");
    const told = drain(rib);
    assert.deepEqual(told.refreshes, [1, 2]);
    assert.deepEqual(announced(told), [["10.0.0.1/32"]]);
  });
});

test("one prefix more or less beside many costs a look at that one, however many peers there are", () => {
  let looks = 0;
  const watched = ({ prefix, ...rest }: Advertisement): Advertisement => ({
    ...rest,
    get prefix() {
      looks += 1;
      return prefix;
    },
  });
  const few = many(2_000).map(watched);
  const more = [...few.slice(0, 1_000), watched(path("192.0.2.1/32")), ...few.slice(1_000)];
  const peers = Array.from({ length: 10 }, () => new AdjRibOut(context()));
  for (const [list, said] of [
    [few, 0],
    [more, 1],
    [few, 1],
  ] as const) {
    looks = 0;
    for (const rib of peers) rib.advertise(list);
    if (said > 0) assert.ok(looks < 20 * peers.length, `${looks} looks`);
    for (const rib of peers) {
      const { updates } = drain(rib);
      if (said > 0) assert.equal(updates.length, said);
    }
  }
});

test("routes that are kept back are counted alike, whether the list is looked at whole or by what differs", () => {
  const long = { communities: Array.from({ length: 1_100 }, (_, at) => at) };
  const pool = [
    path("10.0.0.1/32"),
    path("10.0.0.1/32", long),
    path("10.0.0.2/32", long),
    path("fd00::1/128", long),
    path("fd00::1/128", { communities: [1] }),
  ];
  const lists = fc.array(fc.uniqueArray(fc.nat(pool.length - 1), { selector: (at) => pool[at]?.prefix }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(lists, (chosen) => {
      const rib = new AdjRibOut(context());
      for (const list of chosen) {
        const wanted = list.map((at) => pool[at] ?? assert.fail());
        rib.advertise(wanted);
        const whole = new AdjRibOut(context());
        whole.advertise(wanted);
        drain(rib);
        drain(whole);
        assert.deepEqual([rib.keptBack, rib.size], [whole.keptBack, whole.size]);
      }
    }),
    { numRuns: 50 },
  );
});

test("whatever is wanted in whatever order, the peer ends with exactly that", () => {
  const table = fc.uniqueArray(fc.record({ at: fc.nat(40), community: fc.nat(3), isIpv6: fc.boolean() }), {
    selector: ({ at, isIpv6 }) => `${at} ${isIpv6}`,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(table, fc.nat(3)), { minLength: 1, maxLength: 6 }), (tables) => {
      const rib = new AdjRibOut(context());
      const peer = new Map<string, string>();
      const take = (message: Buffer): void => {
        for (const { body } of new MessageSplitter().push(message)) {
          const update = decodeUpdate(body, { as4: true });
          for (const { prefixes } of update.withdrawn) for (const prefix of prefixes) peer.delete(prefix);
          for (const { prefixes } of update.announced) {
            for (const prefix of prefixes) peer.set(prefix, String(update.attributes.communities ?? ""));
          }
        }
      };
      // What stays as it was is the same object, as plans have it.
      const made = new Map<string, Advertisement>();
      const one = (prefix: string, communities: readonly number[]): Advertisement => {
        const key = `${prefix} ${communities}`;
        const present = made.get(key) ?? path(prefix, { communities });
        made.set(key, present);
        return present;
      };
      let wanted: Advertisement[] = [];
      for (const [rows, messages] of tables) {
        wanted = rows.map(({ at, community, isIpv6 }) =>
          one(
            isIpv6 ? `fd00::${at.toString(16)}/128` : `10.0.0.${at}/32`,
            community === 0 ? [] : [community],
          ),
        );
        rib.advertise(wanted);
        for (let count = 0; count < messages; count += 1) {
          const message = rib.next();
          if (message !== undefined) take(message);
        }
      }
      for (let message = rib.next(); message !== undefined; message = rib.next()) take(message);
      assert.deepEqual(
        [...peer].sort(),
        wanted
          .map(({ prefix, communities }) => [prefix.replace("::0/", "::/"), String(communities)] as const)
          .sort(),
      );
    }),
  );
});
