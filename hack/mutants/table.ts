// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of code
/**
 * Faults that somebody could make, one each: a text of a file, and what stands in its place. The fast tests of the room
 * must fail with each of them (`make mutants`).
 */

export interface Mutant {
  readonly path: string;
  /** What goes wrong, as a sentence without its end. */
  readonly what: string;
  /** Stands once in the file. */
  readonly before: string;
  readonly after: string;
}

/** Path -> its mutants: what goes wrong, text before, text after. */
const BY_PATH: Readonly<Record<string, readonly (readonly [what: string, before: string, after: string])[]>> =
  {
    "speaker/forwarding/virtual-servers.ts": [
      [
        "a draining server is added with weight 0 at once",
        "ipvs.addDestination(key, destinationOf(real, 1))",
        "ipvs.addDestination(key, destinationOf(real, 0))",
      ],
      [
        "every edit gives weight 1",
        "const wanted = destinationOf(real, real.weight);",
        "const wanted = destinationOf(real, 1);",
      ],
      [
        "a new service has no flags",
        "mark: server.mark, flags: server.flags };",
        "mark: server.mark, flags: 0 };",
      ],
      [
        "tunnelled and masqueraded are swapped",
        'real.forwarding === "tunnel" ? METHOD.tunnel : METHOD.masquerade',
        'real.forwarding === "tunnel" ? METHOD.masquerade : METHOD.tunnel',
      ],
      [
        "other flags are left as they are",
        "present.service.scheduler !== server.scheduler || present.service.flags !== server.flags",
        "present.service.scheduler !== server.scheduler",
      ],
      [
        "another way of forwarding is left as it is",
        "found.weight !== wanted.weight || found.method !== wanted.method",
        "found.weight !== wanted.weight",
      ],
      [
        "a service of IPv6 is made one of IPv4",
        'server.family === "IPv4" ? AF_INET : AF_INET6',
        'server.family === "IPv4" ? AF_INET : AF_INET',
      ],
      [
        "the table is built before it is filled",
        "const filling = { ...key, scheduler: NONE };",
        "const filling = { ...key, scheduler: server.scheduler };",
      ],
    ],
    "speaker/forwarding/plan.ts": [
      [
        "preferLocal needs all endpoints here",
        "port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing)",
        "port.endpoints.every((endpoint) => endpoint.isLocal && endpoint.isServing)",
      ],
      [
        "preferLocal counts a pod that serves no more",
        "(endpoint) => endpoint.isLocal && endpoint.isServing);",
        "(endpoint) => endpoint.isLocal);",
      ],
      [
        "tier 2 gives to other nodes' pods",
        "endpoint.isLocal && endpoint.isServing ? 1 : 0",
        "endpoint.isServing ? 1 : 0",
      ],
      [
        "affinity keeps the client's port in the hash",
        "return port.affinity ? MH.fallback : MH.fallback | MH.port;",
        "return MH.fallback | MH.port;",
      ],
      [
        "an address is guarded though one of its ports is open",
        "sharing.some(({ sourceRanges }) => sourceRanges === undefined)",
        "sharing.every(({ sourceRanges }) => sourceRanges === undefined)",
      ],
      [
        "what is local is translated, too",
        '} else if (endpoint.returnPath === "snat") {',
        '}\n    if (endpoint.returnPath === "snat") {',
      ],
      [
        "tier 2 for nodes without a pod",
        "if (!port.endpoints.some((endpoint) => endpoint.isLocal)) return [first];",
        "",
      ],
      [
        "the order of endpoints is that of the input",
        "    realServers: port.endpoints\n      .toSorted(byAddress)\n      .map((endpoint) => realServer(endpoint, weightOf(endpoint))),",
        "    realServers: port.endpoints.map((endpoint) => realServer(endpoint, weightOf(endpoint))),",
      ],
      ["two Services get one id", "if (why !== undefined) {", "if (why !== undefined && held.size < 0) {"],
      ["a range of the other family counts", ".filter((range) => range.family === family)", ""],
    ],
    "speaker/forwarding/ruleset.ts": [
      ["the mark is set behind IPVS", "hook input priority 90;", "hook input priority 99;"],
      [
        "the routing bit is set before foreign agents",
        "hook prerouting priority mangle + 10;",
        "hook prerouting priority mangle - 10;",
      ],
      ["the tunnel's IPv6 header is forgotten", "v6: 40 + 60", "v6: 40"],
      [
        "what this node sends is looked at too late",
        "hook output priority mangle;",
        "hook output priority 0;",
      ],
      ["hairpins are not masqueraded", "@hairpin${digit} ct original", "@local${digit} ct original"],
    ],
    "speaker/forwarding/sysctl.ts": [
      [
        "a setting is saved again with our own value",
        "present !== undefined && !all.has(name)",
        "present !== undefined",
      ],
      [
        "what somebody changed since is put back",
        "before !== ours && files.read(name) === ours",
        "before !== ours",
      ],
    ],
    "speaker/forwarding/mark.ts": [
      ["both tiers have one mark", "tier === 2 ? TIER_2 : 0", "tier === 2 ? 0 : 0"],
    ],
    "speaker/forwarding/refusals.ts": [
      [
        "a refusal is asked again after the same pause",
        "FIRST_PAUSE_MS * 2 ** Math.min(refusals - 1, 20)",
        "FIRST_PAUSE_MS * 2 ** 0",
      ],
      [
        "the pause has no bound",
        "return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(refusals - 1, 20));",
        "return FIRST_PAUSE_MS * 2 ** Math.min(refusals - 1, 20);",
      ],
    ],
    "speaker/plan/endpoints.ts": [
      [
        "one that terminates is usable beside a ready one",
        "return hasReady ? ({ isReady }) => isReady :",
        "return hasReady ? ({ isReady, isServing, isTerminating }) => isReady || (isServing && isTerminating) :",
      ],
      [
        "one that does not serve is usable",
        "({ isServing, isTerminating }) => isServing && isTerminating",
        "({ isTerminating }) => isTerminating",
      ],
      [
        "one that never was ready is usable",
        "({ isServing, isTerminating }) => isServing && isTerminating",
        "({ isServing }) => isServing",
      ],

      [
        "a ready twin in another slice is ignored",
        "known === undefined || (view.isReady && !known.view.isReady)",
        "known === undefined",
      ],

      ["slices of the other family count", "if (slice.family !== family) continue;", ""],
      [
        "the port's protocol does not matter",
        "name === port.name && protocol === port.protocol",
        "name === port.name",
      ],

      [
        "a broadcast address is an endpoint",
        "slice.endpoints.filter((view) => !isBroadcast(view))",
        "slice.endpoints",
      ],
    ],
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
      [
        "a freed id comes back at once",
        "if (id >= this.#next) this.#next = id < this.#max ? id + 1 : 1;",
        "",
      ],
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
        "before.some((one) => overlaps(one.span, span)) && !after",
        "before.some((one) => overlaps(one.span, span)) || !after",
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
      ["multicast is a host", "value >> 28n !== 0xen && ", ""],
      [
        "a keepalive as long as the hold time",
        "keepalive < hold) return [];",
        "keepalive <= hold) return [];",
      ],
      ["a hold time of 2 s", "const SHORTEST_HOLD_MS = 3_000;", "const SHORTEST_HOLD_MS = 2_000;"],
      [
        "Secrets of other namespaces",
        'namespace === "" || namespace === view.namespace',
        'namespace === "" || namespace !== view.namespace',
      ],
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

      [
        "a new object of an old name goes on as the old one",
        ' || accepted.uid !== (object.metadata.uid ?? "")',
        "",
      ],
    ],
    "api/v1beta1/admission/growing.ts": [
      [
        "a list that became shorter keeps its index",
        "entry === undefined || entry.count > list.length",
        "entry === undefined",
      ],
    ],
    "speaker/plan/forward.ts": [
      [
        "UDP keeps its clients as TCP does",
        'protocol !== "UDP" || (view.isServing && view.isTerminating)',
        'protocol !== "UDP" || protocol === "UDP"',
      ],
      [
        "a silent node's pods get new connections",
        "isUsable(view) && (!hasLiving || isAlive(view))",
        "isUsable(view)",
      ],
      [
        "when all speakers are silent nobody serves",
        "isUsable(view) && (!hasLiving || isAlive(view))",
        "isUsable(view) && isAlive(view)",
      ],
      [
        "a node without a speaker answers directly",
        'isLocal || forwardingNodes.has(view.node) ? "direct" : "snat"',
        'isLocal || forwardingNodes.has(view.node) ? "direct" : "direct"',
      ],
      ["a port without a usable endpoint keeps the others", "if (!hasUsable) return NO_ENDPOINTS;", ""],
      ["another weight of an endpoint is not seen", "    before.isServing === isServing &&\n", ""],
      [
        "other source ranges are not seen",
        "    a.preferLocal === b.preferLocal &&\n    sameItems(a.sourceRanges ?? [], b.sourceRanges ?? [])",
        "    a.preferLocal === b.preferLocal",
      ],
    ],
    "speaker/plan/services.ts": [
      [
        "changed slices are not seen",
        "before?.service === service && sameItems(before.slices, slices)",
        "before?.service === service",
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

export const MUTANTS: readonly Mutant[] = Object.entries(BY_PATH).flatMap(([path, rows]) =>
  rows.map(([what, before, after]) => ({ path, what, before, after })),
);
