import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { EventContent, EventTarget } from "#common/kube/events.ts";
import { silentLogger } from "#common/log.ts";
import type { AddressPlan } from "../plan/addresses.ts";
import type { LeftOut } from "../plan/claims.ts";
import { SpeakerEvents } from "./events.ts";

describe("what people are told", () => {
  let emitted: { target: EventTarget; content: EventContent }[];
  let owned: string[];
  let events: SpeakerEvents;
  const address = (vip: string): AddressPlan =>
    ({ vip, services: ["default/web"], links: ["eth0"] }) as unknown as AddressPlan;

  beforeEach(() => {
    [emitted, owned] = [[], []];
    events = new SpeakerEvents(
      {
        node: "n1",
        namespace: "genkan-system",
        events: { emit: (target, content) => void emitted.push({ target, content }) },
        log: silentLogger,
        onOwnership: (direction, count) => void owned.push(`${direction} ${count}`),
        tenureOf: () => ({
          ...{ since: 0, date: new Date(0), claimedAt: undefined },
          ...({ from: "n2", why: "Dead" } as const),
        }),
        uidOf: (service) => (service === "default/web" ? "u1" : undefined),
      },
      ["192.0.2.9"],
    );
  });

  test("an address that is taken over, at its Service; one that an earlier process had, to nobody", () => {
    events.announced([address("192.0.2.1"), address("192.0.2.9")]);
    assert.deepEqual(owned, ["taken 1"]);
    assert.deepEqual(emitted, [
      {
        target: {
          apiVersion: "v1",
          kind: "Service",
          metadata: { namespace: "default", name: "web", uid: "u1" },
        },
        content: {
          type: "Normal",
          reason: "OwnerChanged",
          message:
            "node n1 announces 192.0.2.1 by layer 2 on link eth0: taken over from n2, which fell silent",
        },
      },
    ]);
    // Given up, and taken again: news.
    events.announced([address("192.0.2.9")]);
    assert.equal(emitted.length, 2);
  });

  test("a trouble once, until it is another", () => {
    const trouble = { reason: "IpvsUnavailable", message: "no ip_vs" } as const;
    for (const troubles of [[trouble], [trouble], [], [trouble]]) events.troubled(troubles);
    assert.deepEqual(
      emitted.map(({ target, content }) => [target.kind, target.metadata.name, content.reason]),
      [
        ["SpeakerStatus", "n1", "IpvsUnavailable"],
        ["SpeakerStatus", "n1", "IpvsUnavailable"],
      ],
    );
  });

  test("who uses an address, too: told at each of its Services, with what is done; not when it is over", () => {
    const conflict = { link: "eth0", vip: "192.0.2.1", station: "5254000000ff" };
    const services = ["default/web", "default/api"];
    events.contested({ ...conflict, state: "defended" }, services);
    events.contested({ ...conflict, state: "yielded" }, services);
    events.contested({ ...conflict, station: "", state: "over" }, services);
    assert.deepEqual(
      emitted.map(({ target, content }) => [target.metadata.name, content.type, content.reason]),
      [
        ["web", "Warning", "AddressConflict"],
        ["api", "Warning", "AddressConflict"],
        ["web", "Warning", "AddressConflict"],
        ["api", "Warning", "AddressConflict"],
      ],
    );
    const texts = emitted.map(({ content }) => content.message);
    assert.match(
      texts[0] ?? "",
      /node n1: .* 52:54:00:00:00:ff, uses 192\.0\.2\.1 on link eth0, too: clients may/,
    );
    assert.match(
      texts[2] ?? "",
      /52:54:00:00:00:ff, uses 192\.0\.2\.1 on link eth0, too: the address is left to it/,
    );
  });

  test("what is left out is told once at its Service, again when it comes back, and in portions", () => {
    const leftOut = (count: number): LeftOut[] =>
      Array.from({ length: count }, (_, index) => ({
        reason: "KernelRefused",
        message: `left out ${index}`,
        services: ["default/web"],
      }));
    events.leftOut(leftOut(2));
    events.leftOut(leftOut(2));
    const [first] = emitted;
    assert.deepEqual(
      [first?.target, first?.content.message],
      [
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { namespace: "default", name: "web", uid: "u1" },
        },
        "node n1: left out 0",
      ],
    );
    assert.equal(emitted.length, 2);
    events.leftOut([]);
    events.leftOut(leftOut(2));
    assert.equal(emitted.length, 4);
    emitted.length = 0;
    events.leftOut([]);
    const told = [1, 2, 3, 4].map(() => {
      events.leftOut(leftOut(25));
      return emitted.length;
    });
    assert.deepEqual(told, [10, 20, 25, 25]);
  });
});
