/** `genkan rebalance`: what it would move, by the function that the speakers move by, and the word that asks them. Pure. */
import { firstLines } from "#api/and-more.ts";
import { ANNOTATION_REBALANCE } from "#api/names.ts";
import { type Answer, EXIT } from "#cli/answer.ts";
import { addressesOf } from "#cli/list/owners.ts";
import { type World, type WorldSnapshot, worldOf } from "#cli/world.ts";
import { rebalance } from "#speaker/plan/rebalance.ts";

export interface Rebalancing {
  readonly answer: Answer;
  /** Of the LoadBalancer: this asks the speakers. undefined: there is nothing to ask. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A cluster may have thousands of addresses: so many moves are shown, the rest is counted. */
const MAX_SHOWN = 100;

export function rebalancing(snapshot: WorldSnapshot, { isDryRun }: { isDryRun: boolean }): Rebalancing {
  const world = worldOf(snapshot);
  const obstacle = obstacleOf(world);
  if (obstacle !== undefined) return { answer: of(`nothing is asked: ${obstacle}`, [], EXIT.notWell) };
  const addresses = addressesOf(world);
  const owners = new Map(addresses.map(({ vip, owner }) => [vip, owner]));
  const moves = [...rebalance(addresses)].map(([address, to]) => ({
    address,
    from: owners.get(address),
    to,
  }));
  if (moves.length === 0)
    return { answer: of("nothing moves: it is spread as evenly as it can be", [], EXIT.well) };
  const lines = moves.map(({ address, from, to }) => `${address} moves from ${from} to ${to}`);
  const shown = firstLines(lines, MAX_SHOWN, " (-o json has all)");
  const end = isDryRun
    ? `${moves.length} would move`
    : `${moves.length} move; "genkan owners" shows when they have`;
  const answer = of([...shown, end].join("\n"), moves, isDryRun ? EXIT.moves : EXIT.well);
  return isDryRun
    ? { answer }
    : { answer, annotations: { [ANNOTATION_REBALANCE]: snapshot.at.toISOString() } };
}

/** Why speakers would not do it. */
function obstacleOf({ loadBalancer, speakers, states }: World): string | undefined {
  if (loadBalancer === undefined) return "there is no LoadBalancer";
  if (!loadBalancer.keepsOwners)
    return "spec.layer2.stickiness is Balanced, so addresses are where the election has them";
  const deaf = speakers.live.filter((node) => states.get(node)?.hearsClaims !== true);
  return deaf.length === 0
    ? undefined
    : `speakers do not hear what others claim on ${deaf.slice(0, 5).join(", ")}, so the election decides; see MembersHeard there`;
}

const of = (text: string, moves: readonly object[], exitCode: Answer["exitCode"]): Answer => ({
  text: `${text}\n`,
  value: { moves },
  exitCode,
});
