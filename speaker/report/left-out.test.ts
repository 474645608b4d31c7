import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelRefusal } from "../forwarding/types.ts";
import { refusedByKernel } from "./left-out.ts";

const refusal = (changes: Partial<KernelRefusal> = {}): KernelRefusal => ({
  attempt: "add destination 192.0.2.255 port 80 of fwmark 4097 IPv4",
  kind: "realServer",
  what: "endpoint 192.0.2.255 port 80",
  service: "a/web",
  place: "203.0.113.1 TCP/80",
  code: "EINVAL",
  words: "not a valid one (EINVAL)",
  ...changes,
});

test("one for each Service; both tiers of a port are one", () => {
  const other = { service: "b/web", what: "the virtual server", code: "ENOMEM", words: "no memory (ENOMEM)" };
  const found = refusedByKernel([
    refusal(other),
    refusal(),
    refusal({ attempt: "add destination 192.0.2.255 port 80 of fwmark 12289 IPv4" }),
    refusal({ what: "endpoint 192.0.2.254 port 80" }),
  ]);
  assert.deepEqual(
    found.map(({ reason, services }) => [reason, services]),
    [
      ["KernelRefused", ["a/web"]],
      ["KernelRefused", ["b/web"]],
    ],
  );
  assert.equal(
    found[0]?.message,
    "endpoint 192.0.2.255 port 80 of 203.0.113.1 TCP/80 of Service a/web is left out: the kernel does not take it, " +
      "not a valid one (EINVAL): add destination 192.0.2.255 port 80 of fwmark 4097 IPv4, and 1 more of it",
  );
});

test("what the kernel was never asked for says why", () => {
  const [found] = refusedByKernel([
    refusal({ code: "Unplanned", attempt: "", words: "it is an address of Services" }),
  ]);
  assert.deepEqual(
    [found?.reason, found?.message],
    [
      "UnusableEndpoint",
      "endpoint 192.0.2.255 port 80 of 203.0.113.1 TCP/80 of Service a/web is left out: it is an address of Services",
    ],
  );
});

test("what belongs to no Service is said without one", () => {
  const { service: _, place: __, ...rest } = refusal();
  assert.deepEqual(refusedByKernel([rest])[0]?.services, []);
});
