import assert from "node:assert/strict";
import { test } from "node:test";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { Password } from "#speaker/known/password.ts";
import type { Wanted } from "./bgp-device.ts";
import { FEATURES, wantedOf } from "./cells.ts";
import { Matrix } from "./matrix.ts";
import { type Session, sessionsOf } from "./session.ts";

/** What is done to a session's plan, and which of its cells that must turn red. */
interface Mutation {
  readonly session: string;
  readonly change: (wanted: WantedSession) => WantedSession;
  readonly red: readonly string[];
}

const settings =
  (changed: Partial<WantedSession["settings"]>) =>
  (wanted: WantedSession): WantedSession => ({ ...wanted, settings: { ...wanted.settings, ...changed } });

type Advertisement = WantedSession["advertisements"][number];
const advertisements =
  (change: (one: Advertisement) => readonly Advertisement[]) =>
  (wanted: WantedSession): WantedSession => ({
    ...wanted,
    advertisements: wanted.advertisements.flatMap(change),
  });

function withoutPassword(wanted: WantedSession): WantedSession {
  const { password: _, ...rest } = wanted.settings;
  return { ...wanted, settings: rest };
}

function withoutLocalPref({ localPref: _, ...rest }: Advertisement): readonly Advertisement[] {
  return [rest];
}

/** One aggregate becomes two more specific prefixes. */
function halves(one: Advertisement): readonly Advertisement[] {
  const [address = "", length = ""] = one.prefix.split("/");
  if (length !== "26") return [one];
  return [one, { ...one, prefix: `${address}/27` }];
}

const ALL_RED: readonly string[] = FEATURES;
/** The graceful restart's cell compares every attribute, so it reddens with each. */
const MUTATIONS: readonly Mutation[] = [
  { session: "frr-iBGP-IPv4-md5", change: withoutPassword, red: ALL_RED },
  { session: "frr-iBGP-IPv6-md5", change: settings({ password: new Password("another") }), red: ALL_RED },
  { session: "frr-eBGP-IPv4-multihop", change: settings({ ttl: { kind: "gtsm", hops: 1 } }), red: ALL_RED },
  { session: "frr-eBGP-IPv4-plain", change: settings({ gracefulRestart: false }), red: ["gracefulRestart"] },
  {
    session: "frr-iBGP-IPv4-plain",
    change: advertisements(withoutLocalPref),
    red: ["gracefulRestart", "localPref"],
  },
  {
    session: "frr-iBGP-IPv4-multihop",
    change: advertisements((one) => [{ ...one, communities: one.communities.slice(1) }]),
    red: ["gracefulRestart", "communities"],
  },
  {
    session: "frr-eBGP-IPv6-plain",
    change: advertisements((one) => [{ ...one, largeCommunities: one.largeCommunities.slice(1) }]),
    red: ["gracefulRestart", "communities"],
  },
  {
    session: "frr-eBGP-IPv4-md5",
    change: advertisements(halves),
    // A route that nobody expects is a fault of each.
    red: ALL_RED,
  },
  { session: "exabgp-iBGP-IPv4-plain", change: advertisements(withoutLocalPref), red: ["localPref"] },
  {
    session: "exabgp-eBGP-IPv4-plain",
    change: advertisements((one) => [{ ...one, communities: [] }]),
    red: ["communities"],
  },
  {
    session: "exabgp-eBGP-IPv4-md5",
    change: withoutPassword,
    red: ALL_RED.filter((one) => one !== "gracefulRestart"),
  },
];

function mutated(sessions: readonly Session[]): Wanted {
  const plan = new Map(wantedOf(sessions));
  for (const { session, change } of MUTATIONS) {
    const wanted = plan.get(session);
    assert.ok(wanted, session);
    plan.set(session, change(wanted));
  }
  return plan;
}

test("what is taken away from a session turns its cells red, and no others", {
  timeout: 600_000,
}, async (t) => {
  const sessions = [...sessionsOf("frr"), ...sessionsOf("exabgp")];
  await using matrix = await Matrix.start("gkm", sessions);
  // It never settles: this is how long it may take where nothing is wrong.
  const cells = await matrix.run(mutated(sessions), { deadlineMs: 20_000 });
  const red = cells.filter(({ fault }) => fault !== undefined);
  for (const { name, fault } of red) t.diagnostic(`RED ${name}: ${fault}`);
  assert.deepEqual(
    red.map(({ name }) => name).sort(),
    MUTATIONS.flatMap((mutation) => mutation.red.map((feature) => `${mutation.session} ${feature}`)).sort(),
  );
});
