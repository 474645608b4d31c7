/** What the condition ConnectionsShared says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharingOf } from "./sharing.ts";

test("what is said of shared connections", () => {
  const on = { mode: "IPVS", connectionSync: true } as const;
  const trouble = { code: "SyncUnheard", message: "eth0" } as const;
  const said = (
    loadBalancer: Parameters<typeof sharingOf>[0],
    syncTrouble: Parameters<typeof sharingOf>[1]["syncTrouble"],
    isAlone = false,
  ): string | undefined => sharingOf(loadBalancer, { syncTrouble, isAlone })?.reason;
  assert.equal(said(undefined, undefined), undefined);
  assert.equal(said(on, null), undefined);
  assert.equal(said(on, undefined), "Sharing");
  assert.equal(said(on, trouble), "SyncUnheard");
  assert.equal(said(on, undefined, true), undefined);
  assert.equal(said({ ...on, connectionSync: false }, undefined), undefined);
  assert.equal(said({ ...on, mode: "KubeProxy" }, undefined), undefined);
});
