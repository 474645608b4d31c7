import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { EventContent, EventTarget } from "#common/kube/events.ts";
import { silentLogger } from "#common/log.ts";
import { SpeakerEvents } from "./events.ts";
import type { AddressPlan } from "./plan.ts";
import type { SpeakerState } from "./view.ts";

const OURS = "020000000001";
const OTHERS = "020000000002";
const FOREIGN = "5254000000ff";

function stateWith(...hardware: (string | undefined)[]): SpeakerState {
  const links = hardware.map((one, at) => ({
    name: `eth${at}`,
    prefixes: [],
    ...(one !== undefined && { hardware: one }),
  }));
  return { isReady: true, links };
}

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
          message: "node n1 announces 192.0.2.1 by layer 2 on link eth0",
        },
      },
    ]);
    // Given up, and taken again: news.
    events.announced([address("192.0.2.9")]);
    assert.equal(emitted.length, 2);
  });

  test("a trouble once, until it is another", () => {
    const trouble = { reason: "NoIpvs", message: "no ip_vs" };
    for (const troubles of [[trouble], [trouble], [], [trouble]]) events.troubled(troubles);
    assert.deepEqual(
      emitted.map(({ target, content }) => [target.kind, target.metadata.name, content.reason]),
      [
        ["SpeakerStatus", "n1", "NoIpvs"],
        ["SpeakerStatus", "n1", "NoIpvs"],
      ],
    );
  });

  const conflict = (station: string) => ({ link: "eth0", vip: "192.0.2.1", station });
  const all = [stateWith(OURS), stateWith("020000000003", OTHERS)];
  const cases: [string, string, SpeakerState[], number][] = [
    ["a station that is nobody's", FOREIGN, all, 2],
    ["another speaker, on any of its links", OTHERS, all, 0],
    ["this node itself, by another link", OURS, all, 0],
    ["a speaker of an older build may be the one", FOREIGN, [...all, stateWith(undefined)], 0],
  ];
  for (const [what, station, states, count] of cases) {
    test(`who announces an address, too: ${what}`, () => {
      events.contested(conflict(station), ["default/web", "default/api"], states);
      assert.equal(emitted.length, count);
      if (count === 0) return;
      const { target, content } = emitted[0] ?? assert.fail();
      assert.deepEqual(
        [target.metadata.name, content.type, content.reason],
        ["web", "Warning", "AddressConflict"],
      );
      assert.match(content.message, /52:54:00:00:00:ff, announces 192\.0\.2\.1 on link eth0 of node n1/);
    });
  }
});
