import assert from "node:assert/strict";
import { test } from "node:test";
import { type SkeletonNeeds, SkeletonPace } from "./skeleton-pace.ts";
import { DEFAULT_SETTINGS } from "./types.ts";

const NEEDS: SkeletonNeeds = {
  ...{ settings: DEFAULT_SETTINGS, nodeAddresses: { IPv4: "10.0.0.1" }, knowsMembers: true, tunnel: "ipip" },
  remoteEndpoints: ["10.1.0.1"],
};

interface Case {
  readonly what: string;
  readonly at?: number;
  readonly epoch?: number;
  readonly needs?: Partial<SkeletonNeeds>;
  readonly isForChange?: boolean;
  readonly hasFailed?: boolean;
  readonly isDue: boolean;
}

const CASES: readonly Case[] = [
  { what: "a Service changed, and it was looked at a moment ago", isDue: false },
  { what: "nothing changed", isForChange: false, isDue: true },
  { what: "it was looked at two seconds ago", at: 3_000, isDue: true },
  { what: "somebody else changed nftables", epoch: 8, isDue: true },
  { what: "something else is asked of it", needs: { remoteEndpoints: ["10.1.0.2"] }, isDue: true },
  { what: "something failed since", hasFailed: true, isDue: true },
];

for (const { what, at = 2_999, epoch = 7, needs, isForChange = true, hasFailed, isDue } of CASES) {
  test(`${what}: it is ${isDue ? "" : "not "}looked at`, () => {
    const pace = new SkeletonPace();
    assert.equal(
      pace.isDue({ at: 1_000, needs: NEEDS }, true, () => 7),
      true,
      "the first time",
    );
    pace.looked({ at: 1_000, epoch: 7, needs: NEEDS });
    if (hasFailed === true) pace.forget();
    assert.equal(
      pace.isDue({ at, needs: { ...NEEDS, ...needs } }, isForChange, () => epoch),
      isDue,
    );
  });
}
