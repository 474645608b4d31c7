// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of code
/** Faults in what is refused, and how that is said. */
import type { Faults } from "#hack/mutants/mutant.ts";

export const ADMISSION: Faults = {
  "api/v1beta1/admission/addresspool.ts": [
    [
      "pools overlap their own older selves",
      "(owner) => owner.pool !== name",
      "(owner) => owner.pool !== undefined",
    ],
    [
      "ranges of one pool overlap",
      "if (other === undefined) return [];\n    const whose = `${other.text} of spec",
      "if (other !== one) return [];\n    const whose = `${other.text} of spec",
    ],
    [
      "a quota says nothing",
      "addresses === undefined && ports === undefined",
      "addresses === undefined && ports === null",
    ],
    [
      "an address that stays is told as taken away",
      "return has(before) && !has(after) ?",
      "return has(before) || !has(after) ?",
    ],
  ],
  "api/v1beta1/admission/advertisements.ts": [
    ["an aggregate wider than the range", "if (length < widest) {", "if (length < widest - 1) {"],
    [
      "the order of peers makes two advertisements differ",
      "[...(advertisement.peers ?? [])].sort(),",
      "[...(advertisement.peers ?? [])],",
    ],
  ],
  "api/v1beta1/admission/bgppeer.ts": [
    [
      "localASN does not matter to what is iBGP",
      "spec.peerASN === (spec.localASN ?? spec.myASN)",
      "spec.peerASN === spec.myASN",
    ],
    ["a keepalive as long as the hold time", "keepalive < hold) return [];", "keepalive <= hold) return [];"],
    ["a hold time of 2 s", "const SHORTEST_HOLD_MS = 3_000;", "const SHORTEST_HOLD_MS = 2_000;"],
    [
      "Secrets of other namespaces",
      'namespace === "" || namespace === view.namespace',
      'namespace === "" || namespace !== view.namespace',
    ],
  ],
  "api/v1beta1/admission/peer-place.ts": [
    ["multicast is a host", "value >> 28n !== 0xen && ", ""],
    [
      "one address in two spellings",
      "address === undefined ? undefined : formatAddress(address)",
      "address === undefined ? undefined : spec.peerAddress",
    ],
  ],
  "api/v1beta1/admission/loadbalancer.ts": [
    ["tolerationSeconds with any effect", 'effect !== "NoExecute"', "effect === undefined"],
  ],
  "api/v1beta1/admission/last-valid.ts": [
    [
      "a refused object counts as it is",
      "faults.length === 0 ? object : this.#lastValid(object, counting)",
      "object",
    ],

    ["a new object of an old name goes on as the old one", " || accepted.uid !== object.metadata.uid", ""],
  ],
  "api/v1beta1/admission/growing.ts": [
    [
      "a list that became shorter keeps its index",
      "entry === undefined || entry.count > list.length",
      "entry === undefined",
    ],
  ],
  "api/v1beta1/admission/canonical.ts": [
    ["two selectors that differ in order alone are two", ".sort(([a], [b]) => (a < b ? -1 : 1))", ""],
  ],
  "controller/webhook/review.ts": [
    [
      "the field stands twice in what kubectl prints",
      '({ reason: "FieldValueInvalid", ...each })',
      '({ reason: "FieldValueInvalid", ...each, message: faultText(each) })',
    ],
  ],
};
