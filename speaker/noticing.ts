/** Who is to be told which addresses this node owns, and what exactly (notice/). */
import type { LoadBalancerView } from "./known/view.ts";
import type { OwnerNotice } from "./notice/body.ts";
import type { ReceiverWanted } from "./notice/notifier.ts";
import type { Attractor, Claiming, Knowledge } from "./parts.ts";
import { type AddressPlan, isHeld } from "./plan/addresses.ts";

export interface NoticingParts {
  /** Name of this node. */
  readonly node: string;
  readonly knowledge: Pick<Knowledge, "nodes" | "receiverSecret">;
  readonly owners: Pick<Claiming, "tenureOf" | "epochOf">;
  readonly attractor: Pick<Attractor, "held">;
}

/** undefined: nobody is. */
export function receiverWanted(
  { receiver }: LoadBalancerView,
  addresses: readonly AddressPlan[],
  { node, knowledge, owners, attractor }: NoticingParts,
): ReceiverWanted | undefined {
  if (receiver === undefined) return undefined;
  const { addresses: own = {}, providerId } = knowledge.nodes.get(node) ?? {};
  const held = attractor.held();
  const notices = addresses
    .filter((plan) => isHeld(plan, held))
    .flatMap(({ vip }): OwnerNotice[] => {
      const [tenure, epoch] = [owners.tenureOf(vip), owners.epochOf(vip)];
      if (tenure === undefined || epoch === undefined) return [];
      return [{ vip, epoch, previous: tenure.from, reason: tenure.why, since: tenure.date }];
    });
  return {
    ...receiver,
    signing: knowledge.receiverSecret(receiver.secret),
    sender: { name: node, addresses: own, ...(providerId !== undefined && { providerId }) },
    notices,
  };
}
