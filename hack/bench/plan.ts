/**
 * What a speaker's pass costs at 10,000 Services of 10 endpoints, with fakes of kernel, layer 2 and BGP: from nothing,
 * when nothing changed, when one slice did, when a node died and came back; and how long after a death the first
 * address is taken over. Prints one JSON object a line. Ratios are against the plan from nothing in the same run, in
 * processor time, so that a busy machine does not change them.
 */
import { ALL_WELL, NO_CLAIMS } from "#speaker/known/view.ts";
import { Planner } from "#speaker/plan/plan.ts";
import { cpuNow, measure, nameOf, print, SERVICES, SIZE, world } from "./plan-world.ts";

async function run(nodes: number): Promise<boolean> {
  const { knowledge, speaker, judge, takeover, change, victim, loadBalancer, names } = await world(nodes);
  if (loadBalancer === undefined) throw new Error("the fake has no LoadBalancer");
  const view = {
    node: nameOf(0),
    loadBalancer,
    nodes: knowledge.nodes,
    pools: knowledge.pools.current(),
    services: knowledge.services,
    slicesOf: knowledge.slicesOf,
    members: {
      live: names,
      dead: [],
      states: new Map(
        names.map((name, node) => {
          const prefixes = [`172.20.${node >> 8}.${node & 255}/14`];
          return [name, { isReady: true, links: [{ name: "eth0", prefixes }] }];
        }),
      ),
    },
    claims: NO_CLAIMS,
    health: ALL_WELL,
  };
  const size = `${SIZE}-${nodes}-nodes`;
  const cold = await measure(() => () => new Planner().plan(view), 8);
  print(`plan-cold-${size}`, cold);
  const idle = await measure(() => () => speaker.pass());
  const slice = await measure((round) => {
    change(round);
    return () => speaker.pass();
  });
  const turns = { next: 0 };
  const dies = (): void => judge(victim(turns.next));
  const comesBack = (): void => {
    judge();
    turns.next += 1;
  };
  let passing: Promise<unknown> = Promise.resolve();
  const takeovers: { readonly cpuMs: number[]; readonly wallMs: number[] } = { cpuMs: [], wallMs: [] };
  const death = await measure(() => {
    const begun = takeover();
    return async () => {
      const [cpu, wall] = [cpuNow(), performance.now()];
      dies();
      passing = speaker.pass();
      await begun;
      takeovers.cpuMs.push(cpuNow() - cpu);
      takeovers.wallMs.push(performance.now() - wall);
      await passing;
      comesBack();
      await speaker.pass();
    };
  });
  for (const list of [takeovers.cpuMs, takeovers.wallMs]) list.sort((a, b) => a - b);
  const results = [
    print(`pass-idle-${size}`, idle, { ratio: { bar: 0.02, against: cold } }),
    print(`pass-one-slice-${size}`, slice, { ratio: { bar: 0.03, against: cold } }),
    print(`pass-death-and-return-${size}`, death, { ratio: { bar: 1.5, against: cold } }),
    print(`takeover-start-${SERVICES}-${nodes}-nodes`, takeovers, { p99: 50 }),
  ];
  return results.every(Boolean);
}

const results = [await run(10), await run(100)];
process.exitCode = results.every(Boolean) ? 0 : 1;
