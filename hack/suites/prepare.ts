/** Gets what suites need, while there is the machine's own network. What is there already costs nothing. */
import type { Say } from "#hack/common/progress.ts";
import { prepareGuest } from "#hack/guest/guest.ts";
import { hasIpvs } from "#hack/guest/ipvs.ts";
import { ensurePrograms } from "#hack/lab/programs.ts";
import type { Need, Suite } from "#hack/suites/suites.ts";
import { buildMemberlist } from "#test/interop/memberlist.ts";

const GET: Readonly<Record<Need, (tell: Say) => Promise<unknown>>> = {
  guests: async (tell) => {
    if (hasIpvs()) return;
    // Both kinds: test/network/inside.ts runs its files in each of them.
    await prepareGuest(undefined, tell);
    await prepareGuest("qemu", tell);
  },
  helm: (tell) => ensurePrograms(["helm"], tell),
  memberlist: () => buildMemberlist(),
};

export async function prepareSuites(suites: readonly Suite[], tell: Say): Promise<void> {
  for (const need of new Set(suites.flatMap(({ needs }) => needs ?? []))) await GET[need](tell);
}
