/** Takes away everything of ours, so that no packet is led astray in between: nothing is marked before anything else goes. */
import { DOORS, markOfValue } from "#speaker/forwarding/elements.ts";
import { faultOf } from "#speaker/forwarding/fault.ts";
import type { ForwardingKernel } from "#speaker/forwarding/kernel.ts";
import { HEARD } from "#speaker/forwarding/sets.ts";
import type { Slices } from "#speaker/forwarding/slices.ts";
import type { Element } from "#speaker/forwarding/types.ts";
import type { NetlinkError } from "#speaker/netlink/error.ts";
import type { MarkService } from "#speaker/netlink/ipvs.ts";

const AT_ONCE = 500;

/** `remembered`: marks of ours, should somebody have taken the table away. Throws NetlinkError, ForwardingError. */
export async function emptyKernel(
  kernel: ForwardingKernel,
  remembered: ReadonlySet<number>,
  slices: Slices,
): Promise<void> {
  const exists = kernel.elements.exists();
  const marks = exists ? ownMarks(kernel) : remembered;
  if (exists) await unmark(kernel, slices);
  kernel.skeleton.closeWay();
  await removeRoutes(kernel, slices);
  // A kernel without ip_vs is not asked for what cannot be there.
  if (marks.size > 0) await removeServers(kernel, marks, slices);
  kernel.skeleton.remove();
}

function ownMarks({ elements }: ForwardingKernel): Set<number> {
  return new Set([...elements.walk("marks")].flatMap((part) => part.map(({ key }) => markOfValue(key))));
}

async function unmark({ elements }: ForwardingKernel, slices: Slices): Promise<void> {
  const present = elements.sets().filter((set) => set !== "marks" && !set.startsWith(HEARD));
  const doors = DOORS.filter((set) => present.includes(set));
  for (const set of [...doors, ...present.filter((name) => !DOORS.includes(name))]) {
    const all: Element[] = [];
    for (const part of elements.walk(set)) all.push(...part);
    for (let start = 0; start < all.length; start += AT_ONCE) {
      elements.change({ remove: new Map([[set, all.slice(start, start + AT_ONCE)]]), add: new Map() });
      await slices.breathe();
    }
  }
}

async function removeRoutes({ routes }: ForwardingKernel, slices: Slices): Promise<void> {
  const all: string[] = [];
  for (const part of routes.walk()) all.push(...part);
  for (let start = 0; start < all.length; start += AT_ONCE) {
    const [worst] = routes.write({ add: [], remove: all.slice(start, start + AT_ONCE) });
    if (worst !== undefined) throw faultOf(worst.error);
    await slices.breathe();
  }
}

async function removeServers(
  { servers }: ForwardingKernel,
  marks: ReadonlySet<number>,
  slices: Slices,
): Promise<void> {
  const all: MarkService[] = [];
  for (const part of servers.walk()) all.push(...part.filter(({ mark }) => marks.has(mark)));
  for (let start = 0; start < all.length; start += AT_ONCE) {
    const some = all.slice(start, start + AT_ONCE);
    const refused = servers.write(some.map((service) => ({ kind: "removeService", service })));
    const worst = refused.find(({ error }) => !isGone(error));
    if (worst !== undefined) throw faultOf(worst.error);
    await slices.breathe();
  }
}

const isGone = ({ code }: NetlinkError): boolean => code === "ESRCH" || code === "ENOENT";
