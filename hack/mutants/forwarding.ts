// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of code
/** Faults in what the kernel is given. */
import type { Faults } from "#hack/mutants/mutant.ts";

export const FORWARDING: Faults = {
  "speaker/forwarding/virtual-servers.ts": [
    [
      "a draining server is added with weight 0 at once",
      "return [add(countedOf(real)), edit(service, destinationOf(real), about)];",
      "return [add(0), edit(service, destinationOf(real), about)];",
    ],
    [
      "every edit gives weight 1",
      "const last = edit(service, destinationOf(real), about);",
      "const last = edit(service, destinationOf(real, 1), about);",
    ],
    [
      "another weight of a server that has 0 is not counted",
      "const isCounted = real.weight > 0 || lastWeightOf(found) === countedOf(real);",
      "const isCounted = true;",
    ],
    [
      "what a server that has 0 is counted by is not written beside it",
      "weight === 0 && lastWeight !== undefined",
      "weight === 0 && lastWeight === 0",
    ],
    [
      "a new service has no flags",
      "return { family: domainOf(server.family), mark, flags, scheduler };",
      "return { family: domainOf(server.family), mark, flags: 0 & flags, scheduler };",
    ],
    [
      "tunnelled and masqueraded are swapped",
      "method: METHOD[forwarding], weight",
      'method: METHOD[forwarding === "tunnel" ? "masquerade" : "tunnel"], weight',
    ],
    ["another tunnel is left as it is", "  isSameTunnel(a.tunnel, b.tunnel) &&\n", ""],
    ["all tunnels are ipip", ", ...(tunnel && { tunnel }) };", " };"],
    [
      "other flags are left as they are",
      "present.service.scheduler !== server.scheduler || present.service.flags !== server.flags",
      "present.service.scheduler !== server.scheduler",
    ],
    ["another way of forwarding is left as it is", "  a.method === b.method &&\n", ""],
    [
      "thresholds that somebody set are left as they are",
      "(a.upperThreshold ?? 0) === (b.upperThreshold ?? 0)",
      "true",
    ],
    [
      "a scheduler that one Service asks for fails the node",
      "...(hasOwnScheduler && { hasOwnScheduler })",
      "",
    ],
    [
      "the table is built before it is filled",
      "const filling = { ...service, scheduler: NO_SCHEDULER };",
      "const filling = { ...service, scheduler: server.scheduler };",
    ],
  ],
  "speaker/forwarding/server-key.ts": [
    ["a service of IPv6 is made one of IPv4", "(family === AF_INET ? mark : -mark)", "mark"],
  ],
  "speaker/forwarding/tunnel-ends.ts": [
    ["what nobody asks for goes at once", "if (now - since < LINGER_MS) return true;", ""],
    ["what nobody asks for is offered", "this.#offered = [];\n    this.#trouble", "this.#trouble"],
    ["what an earlier process made stays for good", "if (!end.has()) {", "if (!this.#unwanted.has(kind)) {"],
  ],
  "speaker/forwarding/plan-port.ts": [
    [
      "preferLocal needs all endpoints here",
      "const hasLocal = port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing);",
      "const hasLocal = port.endpoints.every((endpoint) => endpoint.isLocal && endpoint.isServing);",
    ],
    [
      "preferLocal counts a pod that serves no more",
      "const hasLocal = port.endpoints.some((endpoint) => endpoint.isLocal && endpoint.isServing);",
      "const hasLocal = port.endpoints.some((endpoint) => endpoint.isLocal);",
    ],
    [
      "tier 2 gives to other nodes' pods",
      "isLocal && (isServing || (isFailing === true && !hasServing)),",
      "isServing || (isFailing === true && !hasServing),",
    ],
    [
      "tier 2 turns away what comes for pods that fail their checks",
      "isLocal && (isServing || (isFailing === true && !hasServing)),",
      "isLocal && isServing,",
    ],
    [
      "an address is guarded though one of its ports is open",
      "sharing.some(({ sourceRanges }) => sourceRanges === undefined)",
      "sharing.every(({ sourceRanges }) => sourceRanges === undefined)",
    ],
    [
      "what is local is translated, too",
      "    if (endpoint.isLocal)\n      return [",
      '    if (endpoint.isLocal && endpoint.returnPath !== "snat")\n      return [',
    ],
    ["tier 2 for nodes without a pod", "if (!sharesConnections && !hasLocalPod(sorted)) return [];", ""],
    [
      "tier 2 only for nodes with a pod, though connections are shared",
      "if (!sharesConnections && !hasLocalPod(sorted)) return [];",
      "if (!hasLocalPod(sorted)) return [];",
    ],
    [
      "a table for tier 2 on a node without a pod",
      "return isOfLocalPod ? chosen : { ...chosen, scheduler: NO_SCHEDULER };",
      "return chosen;",
    ],
    [
      "a pod that drains gets nothing of what was sent to it",
      "weight: endpoint.isLocal ? 1 : 0,",
      "weight: endpoint.isLocal && endpoint.isServing ? 1 : 0,",
    ],
    [
      "of two pods here with one tag the first one gets all",
      "return [[tag, markOfTag(count === 1 ? tag : NO_TAG)]];",
      "return [[tag, markOfTag(tag)]];",
    ],
    [
      "nobody takes what is handed on by no tunnel",
      "if (settings.handsOnBare === true) own.push([NO_TAG, markOfTag(NO_TAG)]);",
      "",
    ],
    ["a range of the other family counts", ".filter((range) => range.family === family)", ""],
  ],
  "speaker/forwarding/tags.ts": [
    ["the order of endpoints is that of the input", ".sort(byAddress);", ";"],
    ["pods of one node have one tag", "(lastBits(address) & MAX_TAG)", "(lastBits(address) >> 9)"],
  ],
  "speaker/forwarding/scheduler.ts": [
    [
      "affinity keeps the client's port in the hash",
      "return affinity ? MH.fallback : MH.fallback | MH.port;",
      "return MH.fallback | MH.port;",
    ],
  ],
  "speaker/forwarding/wanted.ts": [
    ["two Services get one id", "if (why !== undefined) {", "if (why !== undefined && held.size < 0) {"],
    [
      "a new port takes the id of one that stays",
      "if (claimed.has(claim) || (this.#held.has(claim) && !free.has(claim))) return false;",
      "if (claimed.has(claim)) return false;",
    ],
    [
      "who may ping is not planned anew when a port goes",
      "for (const vip of yield* this.#removePorts(() => false, gone)) touched.add(vip);",
      "yield* this.#removePorts(() => false, gone);",
    ],
    [
      "another routing bit leaves the old marks",
      "const isAnew = !isDeepStrictEqual(settings, this.#settings);",
      "const isAnew = false;",
    ],
  ],
  "speaker/forwarding/left-out.ts": [
    [
      "an endpoint that is an address of Services is forwarded to",
      "if (!port.endpoints.some(({ address }) => vips.has(address))) return port;",
      "if (vips.size >= 0) return port;",
    ],
  ],
  "speaker/forwarding/wanted-entries.ts": [
    [
      "an element that two ports have goes with the first of them",
      "if (more > 1) this.#shared.set(shared, more - 1);\n    else if (more === 1) this.#shared.delete(shared);\n    else {",
      "{",
    ],
    [
      "a server that came back as it was counts as changed",
      "return isDeepStrictEqual(planServer(a, mark), planServer(b, mark));",
      "return false;",
    ],
  ],
  "speaker/forwarding/portions.ts": [
    [
      "a server comes without the elements of its port",
      "due.moveElement(set, elementKey(element), to);",
      "due.moveElement(set, elementKey(element), due);",
    ],
    ["an address is whole without its route", "due.moveRoute(canonical(vip), filling.entries);", ""],
    [
      "old intervals go after the new ones",
      "moveOwner(due, ofHistory, ownerOfPort(port), filling.entries);",
      "",
    ],
    ["services that go lose their marks first", "owners.delete(`mark ${markOf(key)}`);", ""],
    [
      "a route goes before what is marked for it",
      "routes(due, sizes.routes, (vip) => wanted.routes.has(vip));",
      "routes(due, sizes.routes, () => true);",
    ],
    [
      "an address that is whole with nothing left in hand is not said",
      "if (this.entries.size + this.whole.length === 0) return;",
      "if (this.entries.size === 0) return;",
    ],
  ],
  "speaker/forwarding/contents.ts": [
    [
      "a refusal of what is wanted no more has a pause still",
      "if (!refusals.isEmpty) for (const key of entries.servers) refusals.askAnew(keyOfParent(key));",
      "",
    ],
    [
      "a pass never gives way",
      "if (!isEnough(hasSettled)) continue;",
      "if (isEnough !== undefined) continue;",
    ],
    [
      "what a failed portion had is forgotten",
      "if (inHand !== undefined) this.#unsettled.addAll(inHand);",
      "",
    ],
    [
      "a change waits for what else is due",
      "yield* portionsOf(this.#fresh, wanted, portions);",
      "this.#join();",
    ],
  ],
  "speaker/forwarding/forwarding.ts": [
    [
      "planning never gives way",
      "if (isDue()) return false;\n      }\n      return true;",
      "}\n      return true;",
    ],
    [
      "of a plan that gave way nothing has to be written",
      "isDue, (hasSettled) => hasSettled)",
      "isDue, () => true)",
    ],
    ["what gave way is begun anew", "this.#kept.begun = plan;", ""],
    ["the audit measures by half a plan", "|| begun !== undefined) return;", ") return;"],
    [
      "what a pass did not come to is refused no more",
      "if (settled.isComplete) this.#refusals.end();",
      "this.#refusals.end();",
    ],
  ],
  "speaker/forwarding/ruleset.ts": [
    ["the mark is set behind IPVS", "hook input priority 90;", "hook input priority 99;"],
    [
      "the routing bit is set before foreign agents",
      "hook prerouting priority mangle + 10;",
      "hook prerouting priority mangle - 10;",
    ],
    ["the tunnel's IPv6 header is forgotten", "v6: 40 + 60", "v6: 40"],
    ["what this node sends is looked at too late", "hook output priority mangle;", "hook output priority 0;"],
    ["hairpins are not masqueraded", "@hairpin${digit} ct original", "@local${digit} ct original"],
  ],
  "speaker/forwarding/sysctl.ts": [
    ["a setting is saved again with our own value", "if (all.has(name)) continue;", ""],
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
};
