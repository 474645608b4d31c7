/** `genkan plan`: what a change would do to the living cluster, by the planners that would do it. Pure. */
import { firstLines } from "#api/and-more.ts";
import { printable } from "#api/printable.ts";
import { type Answer, EXIT } from "#cli/answer.ts";
import { type Change, changed, type PlanSnapshot } from "#cli/plan/change.ts";
import { type Difference, difference } from "#cli/plan/difference.ts";
import { Foresight } from "#cli/plan/outcome.ts";
import { risksOf } from "#cli/plan/risk.ts";

/** A change may move thousands of addresses: so many lines of a part are shown, the rest is counted. */
const MAX_SHOWN = 100;

export function plan(snapshot: PlanSnapshot, change: Change): Answer {
  const foresight = new Foresight(snapshot.namespace);
  const before = foresight.outcome(snapshot);
  const { snapshot: next, refused, passedOver } = changed(snapshot, change);
  const after = foresight.outcome(next);
  const found = difference(before, after);
  const flowsAtRisk = risksOf(before, after, found);
  const isSame = found.services.length + found.moves.length + found.prefixes.length === 0;
  const lines = [
    ...refused.map((words) => `would be refused: ${words}`),
    ...shown(found),
    ...some(
      flowsAtRisk.map(
        ({ service, share, why }) =>
          `open connections of ${service} at risk: ${share === 1 ? "all" : `about ${Math.ceil(share * 100)} %`}; ${why.join("; ")}`,
      ),
    ),
    ...(passedOver === 0 ? [] : [`passed over, since their kinds decide nothing here: ${passedOver}`]),
    isSame ? "nothing moves" : summary(found),
  ];
  return {
    text: lines.map((line) => `${printable(line)}\n`).join(""),
    value: { ...found, flowsAtRisk, refused, passedOver },
    exitCode: refused.length > 0 ? EXIT.notWell : isSame ? EXIT.well : EXIT.moves,
  };
}

function shown({ services, moves, prefixes }: Difference): string[] {
  return [
    ...some(
      services.map(({ service, given, lost, refusal }) => {
        const parts = [
          ...(lost.length === 0 ? [] : [`loses ${lost.join(", ")}`]),
          ...(given.length === 0 ? [] : [`gets ${given.join(", ")}`]),
          ...(refusal === undefined ? [] : [`is refused: ${refusal}`]),
        ];
        return `Service ${service} ${parts.join("; ")}`;
      }),
    ),
    ...some(moves.map(({ address, from, to }) => `${address} moves from ${nodes(from)} to ${nodes(to)}`)),
    ...some(
      prefixes.map(({ node, peer, advertised, withdrawn }) => {
        const parts = [
          ...(withdrawn.length === 0 ? [] : [`hears no more ${withdrawn.join(", ")}`]),
          ...(advertised.length === 0 ? [] : [`hears ${advertised.join(", ")}`]),
        ];
        return `peer ${peer} ${parts.join("; ")} from ${node}`;
      }),
    ),
  ];
}

const nodes = (names: readonly string[]): string => (names.length === 0 ? "nobody" : names.join(","));

const some = (lines: readonly string[]): string[] => firstLines(lines, MAX_SHOWN, " (-o json has all)");

function summary({ services, moves, prefixes }: Difference): string {
  const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0);
  const given = sum(services.map((one) => one.given.length));
  const lost = sum(services.map((one) => one.lost.length));
  return `${given} addresses given, ${lost} lost, ${moves.length} moved; ${prefixes.length} sessions would hear something else`;
}
