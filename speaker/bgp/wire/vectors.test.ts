/**
 * What ExaBGP's and FRR's own tests send or parse, read here. docs/results/bgp-others.md has all of their tests, and says
 * which of them do not apply.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { decodeCapabilities } from "./capability.ts";
import { BgpError, ErrorCode } from "./error.ts";
import { MessageSplitter, MessageType } from "./header.ts";
import { decodeOpen } from "./open.ts";
import { decodeUpdate, encodeUpdate, type Nlri } from "./update.ts";

function lines(file: string): string[][] {
  const text = readFileSync(join(import.meta.dirname, "testdata", file), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(" "));
}

/** Throws what it is asked for; of an error, that it is one of BGP's. */
function attempt<T>(read: () => T): T | BgpError {
  try {
    return read();
  } catch (error) {
    if (error instanceof BgpError) return error;
    throw error;
  }
}

const prefixes = (sign: string, nlri: readonly Nlri[]): string[] =>
  nlri.flatMap((one) => one.prefixes.map((prefix) => `${sign}${prefix}`));

describe("messages of ExaBGP's tests", () => {
  for (const [at, [file = "", how = "", says = "", hex = ""]] of lines("exabgp-messages.txt").entries()) {
    test(`${at} ${file}: ${says}`, () => {
      const [message] = [...new MessageSplitter().push(Buffer.from(hex, "hex"))];
      assert.ok(message !== undefined);
      if (how === "open") {
        assert.equal(message.type, MessageType.open);
        assert.equal(decodeOpen(message.body).version, 4);
        return;
      }
      const update = attempt(() => decodeUpdate(message.body, { as4: how !== "as2", isInternal: true }));
      // ADD-PATH is never agreed on: who sends its format all the same is wrong about us, and anything but a crash is right.
      if (how === "ADD-PATH") return;
      if (update instanceof BgpError) {
        assert.deepEqual([update.code, `reset:${update.subcode}`], [ErrorCode.update, says]);
        return;
      }
      // "!" stands for a route whose next hop is no host's: it counts as withdrawn.
      const isWithdrawn = says.startsWith("!");
      const end = update.endOfRib === undefined ? [] : [`end:${update.endOfRib}`];
      const sign = isWithdrawn ? "!" : "-";
      const heard = [...prefixes("+", update.announced), ...prefixes(sign, update.withdrawn), ...end];
      assert.equal(heard.join(",") || "nothing", says);
      assert.equal(update.treatedAsWithdrawn !== undefined, isWithdrawn);
    });
  }
});

/** Where we read the RFC otherwise than FRR does: name, sessions, what we do, why. */
const OTHERWISE: readonly [name: RegExp, on: string, ours: string, why: string][] = [
  [
    /-flag-partial$/,
    "both",
    "discard",
    "RFC 7606 section 3 (c) speaks of the bits Optional and Transitive, not of Partial",
  ],
  [
    /^(originator-id|cluster-list)-flag-trans$/,
    "ebgp",
    "discard",
    "RFC 7606 sections 7.9 and 7.10: from another AS it is discarded, whatever is wrong with it",
  ],
  [/^as4path-seg-type-0$/, "both", "discard", "RFC 6793 section 6: AS4_PATH that is broken is discarded"],
  [/^(pmsi|encap)-/, "both", "discard", "attributes of tunnels say nothing to a speaker without any"],
  [/^otc-value-0$/, "both", "discard", "RFC 9234 section 5 judges the length alone"],
];

/** ORIGIN, AS_PATH, NEXT_HOP. */
const RIGHT: Readonly<Record<number, string>> = {
  1: "40010100",
  2: "4002060201fa56ea64",
  3: "4003040a000001",
};

/** The list with the attribute in the place of a right one of its kind. */
function beside(attribute: string): string {
  const code = Number.parseInt(attribute.slice(2, 4), 16);
  return Object.values({ ...RIGHT, [code]: attribute }).join("");
}

function outcome(list: string, isInternal: boolean): string {
  const parts = { attributes: Buffer.from(list, "hex"), nlri: Buffer.from("180a0101", "hex") };
  const update = attempt(() => decodeUpdate(encodeUpdate(parts), { as4: true, isInternal }));
  if (update instanceof BgpError) return update.code === ErrorCode.update ? "session-reset" : "?";
  if (update.treatedAsWithdrawn === undefined) return "discard";
  assert.deepEqual(update.announced, []);
  return "withdraw";
}

describe("malformed attributes of FRR's tests", () => {
  for (const [name = "", sort, theirs = "", what, hex = ""] of lines("frr-attributes.txt")) {
    for (const session of sort === "both" ? ["ebgp", "ibgp"] : [sort ?? ""]) {
      const other = OTHERWISE.find(
        ([pattern, on]) => pattern.test(name) && (on === "both" || on === session),
      );
      const wanted = other?.[2] ?? theirs;
      test(`${name}, ${session}: ${wanted}${other === undefined ? "" : ` (${other[3]})`}`, () => {
        // A row that does not differ any more is to go.
        if (other !== undefined) assert.notEqual(wanted, theirs);
        assert.equal(outcome(what === "list" ? hex : beside(hex), session === "ibgp"), wanted);
      });
    }
  }
});

/** Of families that are not spoken nothing is read. */
const isOther = (attribute: string): boolean => !/^80....(0001|0002)01/.test(attribute);

describe("routes of families in FRR's tests", () => {
  for (const [kind, name, theirs, hex = ""] of lines("frr-multiprotocol.txt")) {
    // RFC 4760 section 3 gives the field for routes no least length: FRR asks for one route.
    const isEmpty = name === "IPv6-bug";
    const wanted = isOther(hex) || isEmpty ? "parse" : theirs;
    test(`${kind} ${name}: ${wanted}`, () => {
      const attributes = Buffer.from(`${RIGHT[1]}${RIGHT[2]}${hex}`, "hex");
      const update = attempt(() => decodeUpdate(encodeUpdate({ attributes }), { as4: true }));
      if (update instanceof BgpError) {
        assert.deepEqual([update.code, wanted], [ErrorCode.update, "error"]);
        return;
      }
      assert.deepEqual([update.treatedAsWithdrawn, wanted], [undefined, "parse"]);
      assert.equal(update.announced.length + update.withdrawn.length, isOther(hex) || isEmpty ? 0 : 1);
    });
  }
});

/** Capabilities that we read otherwise, and why. */
const OTHER_CAPABILITIES: Readonly<Record<string, string>> = {
  minsize: "route filters are not spoken",
  "ORF-empty": "route filters are not spoken",
  "Role-long": "what follows the role's one octet is passed over",
};

describe("capabilities of FRR's tests", () => {
  const OPEN = Buffer.from("04fde900b40a000001", "hex");
  for (const [kind, name = "", theirs, hex = ""] of lines("frr-capabilities.txt")) {
    const why = OTHER_CAPABILITIES[name];
    const wanted = why === undefined ? theirs : "parse";
    test(`${name} ${hex}: ${wanted}${why === undefined ? "" : ` (${why})`}`, () => {
      const bytes = Buffer.from(hex, "hex");
      const read = attempt(() =>
        kind === "cap"
          ? decodeCapabilities(bytes)
          : decodeOpen(Buffer.concat([OPEN, Buffer.from([bytes.length]), bytes])),
      );
      assert.equal(read instanceof BgpError ? "error" : "parse", wanted);
      if (read instanceof BgpError) assert.equal(read.code, ErrorCode.open);
    });
  }
});
