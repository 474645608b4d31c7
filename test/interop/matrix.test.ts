import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES } from "#api/address.ts";
import { EXCLUDED, FEATURES, isExcluded, wantedOf } from "./cells.ts";
import { Matrix } from "./matrix.ts";
import { RELATIONS, ROUTERS, sessionsOf, TRANSPORTS } from "./session.ts";

const ALL = ROUTERS.length * RELATIONS.length * FAMILIES.length * TRANSPORTS.length * FEATURES.length;

test("every router shows what was announced, over every kind of session", { timeout: 600_000 }, async (t) => {
  const sessions = ROUTERS.flatMap(sessionsOf);
  const unexpected = sessions.flatMap(({ router }) => FEATURES.filter((one) => isExcluded(router, one)));
  await using matrix = await Matrix.start("gki", sessions);
  const cells = await matrix.run(wantedOf(sessions));
  for (const { name, fault } of cells)
    t.diagnostic(`${fault === undefined ? "ok " : "RED"} ${name}${fault === undefined ? "" : `: ${fault}`}`);
  for (const { router, feature, reason } of EXCLUDED)
    t.diagnostic(`not expected: ${router} ${feature}: ${reason}`);
  const green = cells.filter(({ fault }) => fault === undefined).length;
  t.diagnostic(`${green} of ${ALL - unexpected.length} cells`);
  assert.equal(green, ALL - unexpected.length);
});
