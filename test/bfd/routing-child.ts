/**
 * The speaker's BGP and BFD together, as it wires them, alone in a namespace: each line of standard input is a JSON document
 * {do, ...}; every change of a session is a line of output with its moment, each report one more.
 */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { silentLogger } from "#common/log.ts";
import { createBfd } from "#speaker/bfd/bfd.ts";
import type { BfdPeer } from "#speaker/bfd/types.ts";
import { createBgp } from "#speaker/bgp/bgp.ts";
import type { WantedSession } from "#speaker/bgp/types.ts";
import { Routing } from "#speaker/routing.ts";

type Command =
  | { readonly do: "apply"; readonly sessions: readonly WantedSession[]; readonly bfd: readonly BfdPeer[] }
  | { readonly do: "stop"; readonly mode: "restart" | "leave" };

const say = (event: string, more: object): void => {
  process.stdout.write(`${JSON.stringify({ event, at: Date.now(), ...more })}\n`);
};
const routing: Routing = new Routing({
  clock: systemClock,
  openBgp: (onChange) => createBgp({ clock: systemClock, log: silentLogger, onChange }),
  openBfd: () => {
    const bfd = createBfd({ clock: systemClock, log: silentLogger });
    bfd.onState(({ key, state, diagnostic, isLoss }) => say("bfd", { key, state, diagnostic, isLoss }));
    return bfd;
  },
  onChange: () => {},
  onSession: ({ peer, state }) => say("bgp", { key: peer, state }),
});

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  if (command.do === "stop") {
    await routing.stop(command.mode);
    say("stopped", {});
    break;
  }
  const sessions = new Map(command.sessions.map((session) => [session.settings.name, session]));
  routing.reconcile({ sessions, bfd: command.bfd, withheld: [] });
}
process.exit(0);
