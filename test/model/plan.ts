/** Who is to own what, as a speaker's planner says it. The same knowledge gives the same plan, so it is kept. */
import type { SpeakerState } from "#speaker/known/view.ts";
import type { AddressPlan } from "#speaker/plan/addresses.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { endpoint, node, service, slice, view } from "#test/fakes/speaker-view.ts";
import type { World } from "./model-state.ts";

export interface Known {
  readonly live: readonly string[];
  /** What each node's Lease says, and what this node says of itself. */
  readonly states: ReadonlyMap<string, string>;
  readonly claimantOf: (vip: string) => string | undefined;
}

const PLANS = new Map<string, readonly AddressPlan[]>();
const EXCLUDED = { "node.kubernetes.io/exclude-from-external-load-balancers": "" };
const POOL = {
  ...{ name: "pool", addresses: ["172.30.0.0/16"], protocol: "layer2" as const },
  ...{ nodeSelectors: [], interfaces: [], advertisements: [] },
};
const LINKS = [{ name: "eth0", prefixes: ["172.30.0.1/16"] }];

/** A Lease's text, as far as the model has it. */
export const stateText = (isReady: boolean, hearsClaims: boolean): string =>
  JSON.stringify({ isReady, ...(hearsClaims && { hearsClaims }) });

const STATES = new Map<string, SpeakerState>();

function stateOf(text: string): SpeakerState {
  let state = STATES.get(text);
  if (state === undefined) {
    state = { links: LINKS, ...JSON.parse(text) };
    STATES.set(text, state as SpeakerState);
  }
  return state as SpeakerState;
}

export function planOf(own: string, world: World, known: Known): readonly AddressPlan[] {
  const { names, vips, excluded } = world;
  const { live, states, claimantOf } = known;
  const claimants = vips.map((vip) => claimantOf(vip) ?? "");
  const said = names.map((name) => states.get(name) ?? "");
  const key = [own, ...live, "|", ...excluded, "|", ...said, "|", ...claimants].join(" ");
  let plan = PLANS.get(key);
  if (plan !== undefined) return plan;
  const { addresses } = new Planner().attract(
    view(
      {
        ...{ live, dead: [], pools: [POOL], keepsOwners: true },
        nodes: names.map((name) => node(name, excluded.has(name) ? EXCLUDED : {})),
        states: Object.fromEntries(
          [...states].flatMap(([name, text]) => (text ? [[name, stateOf(text)]] : [])),
        ),
        services: [service({ vips })],
        slices: [slice([endpoint(1, names[0] ?? "")])],
        claims: { claimantOf, changed: new Set(vips) },
      },
      own,
    ),
  );
  plan = addresses;
  PLANS.set(key, plan);
  return plan;
}
