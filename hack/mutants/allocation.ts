// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of code
/** Faults in who gets which address. */
import type { Faults } from "#hack/mutants/mutant.ts";

export const ALLOCATION: Faults = {
  "controller/allocation/ledger.ts": [
    ["a freed address stays used", "else used.delete(index);", ""],
    ["freed ids stay used", "this.ids.release(allocation.ids);", ""],
    [
      "a shared address counts for each who shares it",
      "addresses: isFirstOfNamespace ? 1 : 0",
      "addresses: 1",
    ],
  ],
  "controller/allocation/checks.ts": [
    [
      "a pool that is not valid gives addresses",
      "if (pool.isOpen) return undefined;",
      'if (pool.name !== "") return undefined;',
    ],
    [
      "another address than the asked one is kept",
      "wanted === undefined || wanted.value === vip.value",
      "wanted === undefined || wanted.family === vip.family",
    ],
    [
      "a family that is not the Service's is kept",
      "[familyIsWanted, addressIsRequested, holdersAgree]",
      "[addressIsRequested, holdersAgree]",
    ],
  ],
  "controller/allocation/sharing.ts": [
    [
      "the backend of those who share does not matter",
      "if (theirs.backend === ours.backend) return undefined;",
      "return undefined;",
    ],
    [
      "namespaces meet at an address whatever the pool says",
      "pool?.sharesAcrossNamespaces === true || !holding.isHeldBeside(namespace)",
      "pool !== undefined || !holding.isHeldBeside(namespace)",
    ],
    [
      "a stranger's Service is named",
      "taken.startsWith(`${namespace}/`) ? `Service ${taken}` : STRANGER",
      'taken !== "" ? `Service ${taken}` : STRANGER',
    ],
  ],
  "controller/allocation/quota.ts": [
    [
      "a quota admits one address more",
      "held.addresses + added <= limit",
      "held.addresses + added <= limit + 1",
    ],
    ["ports at a second address are not counted", "ports: ports * vips.length", "ports"],
  ],
  "controller/allocation/skip.ts": [
    [
      "an address that ends in .255 is given",
      "new Skip(LeftOut.Buggy, 8, 1, 1)",
      "new Skip(LeftOut.Buggy, 8, 1, 0)",
    ],
    ["of two addresses the first is left out", "if (last - first <= 1n) return NOTHING;", ""],
  ],
  "controller/allocation/forwarding-ids.ts": [
    ["a freed id comes back at once", "if (id >= this.#next) this.#next = id < this.#max ? id + 1 : 1;", ""],
    [
      "an id that another Service has is kept",
      "if (id === undefined || this.has(id) || mine.has(id)) continue;",
      "if (id === undefined || mine.has(id)) continue;",
    ],
  ],
  "controller/allocation/keep.ts": [
    [
      "a second address of one family is kept",
      "const isSurplus = vips.some((vip) => vip.family === found.vip.family);",
      "const isSurplus = false;",
    ],
    ["regained beside a quota", "!pool.quotas.has(request.namespace) && mayGive", "mayGive"],
  ],
  "controller/allocation/namespace-turns.ts": [
    [
      "a namespace does not wait for the others",
      "        this.#namespaces.delete(namespace);\n        if (keys.size > 0) this.#namespaces.set(namespace, keys);",
      "        if (keys.size === 0) this.#namespaces.delete(namespace);",
    ],
  ],
};
