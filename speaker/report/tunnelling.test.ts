/** What the condition TunnelAsAsked says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tunnellingOf } from "./tunnelling.ts";

const said = (
  tunnel: "gre" | "gue" | "none" | undefined,
  otherwiseReached: readonly string[],
  tunnelTrouble: Parameters<typeof tunnellingOf>[1]["tunnelTrouble"] = undefined,
): string | undefined => {
  const loadBalancer = { mode: "IPVS" as const, ...(tunnel !== undefined && { tunnel }) };
  const found = tunnellingOf(loadBalancer, { ports: { otherwiseReached }, tunnelTrouble });
  return found && `${found.reason} ${found.message}`.trim();
};

test("the condition is there only where something else than ipip is asked for, and something is known", () => {
  assert.equal(said(undefined, []), undefined);
  assert.equal(said("gre", [], null), undefined);
  assert.equal(said("gre", []), "AsAsked");
});

test("it names some of those that are reached by ipip instead", () => {
  assert.match(
    said("gre", ["a", "b", "c", "d", "e"]) ?? "",
    /^NotTaken .* gre: a, b, c, and 2 more: .* by ipip$/,
  );
  assert.match(said("none", ["b"]) ?? "", /^NotOnLink .*: b: .* by ipip$/);
});

test("a kernel without the tunnel comes first", () => {
  const trouble = { code: "NoTunnelEnd", message: "add gre link genkan-gre4: no such tunnel" } as const;
  assert.match(said("gre", ["b"], trouble) ?? "", /^NoTunnelEnd add gre link genkan-gre4/);
});
