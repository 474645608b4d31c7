/**
 * How long the first takeover waits after a death was decided, while all of 10,000 Services are programmed anew: in this
 * node's own loop of passes, with a kernel in memory. Prints one JSON object a line.
 */
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { createLoop, type Loop } from "#common/loop.ts";
import { systemRandom } from "#common/random.ts";
import { Forwarding } from "#speaker/forwarding/forwarding.ts";
import { PASS_INTERVALS } from "#speaker/speaker.ts";
import { FakeForwardingKernel } from "#test/fakes/forwarding-kernel.ts";
import { cpuNow, print, SERVICES, world } from "./plan-world.ts";

const NODES = 10;
const DEATHS = 40;
/** From a death to the next: passes that gave way have come to writing again. */
const BETWEEN_MS = 150;

const kernel = new FakeForwardingKernel();
const forwarder = new Forwarding(kernel, { clock: systemClock });
/** Before there is a loop, nothing asks for another pass, and everything is programmed for the first time. */
let loop: Loop | undefined;
const { speaker, judge, takeover, changeAll, victim } = await world(NODES, {
  forwarder,
  clock: systemClock,
  isDue: () => loop?.isDue ?? false,
});
loop = createLoop({
  name: "speaker",
  pass: () => speaker.pass(),
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  ...PASS_INTERVALS,
});
const end = new AbortController();
const running = loop.run(end.signal);

/** Until something is written: a pass is in the middle of programming. */
async function writing(): Promise<void> {
  const { written } = kernel.counter;
  while (kernel.counter.written === written) await systemClock.sleep(1);
}

const cost: { readonly wallMs: number[]; readonly cpuMs: number[] } = { wallMs: [], cpuMs: [] };
let changes = 0;
for (let death = 0; death < DEATHS; death += 1) {
  // What a change makes of all Services is far from written when the next death is decided.
  if (death % 4 === 0) {
    changeAll(++changes);
    loop.trigger();
  }
  await writing();
  const begun = takeover();
  const [wall, cpu] = [performance.now(), cpuNow()];
  judge(victim(death));
  loop.trigger(true);
  await begun;
  cost.wallMs.push(performance.now() - wall);
  cost.cpuMs.push(cpuNow() - cpu);
  judge();
  loop.trigger(true);
  await systemClock.sleep(BETWEEN_MS);
}
for (const list of [cost.wallMs, cost.cpuMs]) list.sort((a, b) => a - b);
const isMet = print(`takeover-start-${SERVICES}`, cost, { p99: 50 });
end.abort();
await running;
forwarder.close();
process.exitCode = isMet ? 0 : 1;
