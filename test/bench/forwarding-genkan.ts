/**
 * Writes into the kernel of the network namespace that it runs in what a speaker would, by the product's own code, and
 * leaves it there. Argument: a ForwardingInput as JSON.
 */

import { systemClock } from "#common/clock.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import { openForwardingKernel } from "#speaker/forwarding/open-kernel.ts";
import type { ForwardingInput } from "#speaker/forwarding/types.ts";

const input = JSON.parse(process.argv[2] ?? "{}") as ForwardingInput;
const kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
const { conflicts, refused } = await new Forwarding(kernel, { clock: systemClock }).reconcile(input);
kernel.close();
if (conflicts.length > 0) throw new Error(conflicts.join("; "));
if (refused.length > 0)
  throw new Error(refused.map(({ attempt, words }) => `${attempt}: ${words}`).join("; "));
