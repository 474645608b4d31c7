/**
 * Writes into the kernel of the network namespace that it runs in what a speaker would, by the product's own code, and
 * leaves it there. Argument: a ForwardingInput as JSON.
 */
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import { openForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { planForwarding } from "#speaker/forwarding/plan.ts";
import type { ForwardingInput } from "#speaker/forwarding/types.ts";

const input = JSON.parse(process.argv[2] ?? "{}") as ForwardingInput;
const kernel = openForwardingKernel({ sysctlRoot: "/proc/sys" });
const { conflicts } = await new Forwarding(kernel).reconcile(planForwarding(input));
kernel.close();
if (conflicts.length > 0) throw new Error(conflicts.join("; "));
