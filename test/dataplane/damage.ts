/** Things that somebody takes away from a node's kernel by hand, and how soon they are back. */
import assert from "node:assert/strict";
import type { IpvsNodes } from "#test/dataplane/ipvs-nodes.ts";

/** What, the command that breaks it, and the command that succeeds as long as it is there. */
export type Damage = readonly [what: string, command: string, isThere: string];

/**
 * Milliseconds by the node's own clock: asking it from here takes too long in a guest. A pass that comes between the
 * command and the first look repairs it unseen: then it is broken again.
 */
export async function repairedAfter(nodes: IpvsNodes, name: string, damage: Damage): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const took = await breakOnce(nodes, name, damage);
    if (took !== undefined) return took;
    assert.ok(tries < 5, `${damage[0]}: never gone`);
  }
}

/** Undefined: it was never seen to be gone. */
async function breakOnce(
  nodes: IpvsNodes,
  name: string,
  [, command, isThere]: Damage,
): Promise<number | undefined> {
  const said = await nodes.on(
    name,
    `${isThere}
${command}
began=$(date +%s%N)
if ${isThere}; then echo never; exit; fi
for i in $(seq 600); do if ${isThere}; then break; fi; sleep 0.05; done
echo $(( ($(date +%s%N) - began) / 1000000 ))`,
  );
  return said.trim() === "never" ? undefined : Number(said);
}
