/**
 * An Announcer alone, for the tests beside: each line of standard input is the whole list of addresses for eth0, and is
 * answered by a line that begins with "done". With an argument, `defend` or `yield`, conflicts are lines, too:
 * "defended ADDRESS STATION".
 */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { monitorLinks } from "#speaker/known/node-links.ts";
import { Announcer, spawnWorker } from "#speaker/layer2/announcer.ts";

const [, , policy] = process.argv;
const fail = (error: unknown): never => {
  process.stdout.write(`failed: ${String(error)}\n`);
  process.exit(1);
};
const monitor = monitorLinks({ clock: systemClock, onChange() {}, onError: fail });
const announcer = new Announcer({
  clock: systemClock,
  log: silentLogger,
  spawn: spawnWorker,
  onTrouble() {},
  onOverlaps() {},
  onConflicts(conflicts) {
    if (policy === undefined) return;
    for (const { vip, station, state } of conflicts) process.stdout.write(`${state} ${vip} ${station}\n`);
  },
});
announcer.rule({
  own: monitor.links().map(({ hardware }) => hardware),
  members: [],
  addressConflict: policy === "yield" ? "yield" : "defend",
});
for await (const line of createInterface({ input: process.stdin })) {
  const vips = line.split(" ").filter((text) => text !== "");
  const links = monitor.links().filter(({ name }) => name === "eth0");
  await announcer.set(links, new Map(vips.length === 0 ? [] : [["eth0", new Set(vips)]])).catch(fail);
  process.stdout.write(`done ${announcer.problems.map(({ message }) => message).join(" ")}\n`);
}
await announcer.close();
monitor.close();
