/** Child process of device.ts: each line of standard input is an Order, each line of standard output its Answer. */
import { createInterface } from "node:readline";
import { systemClock } from "#common/clock.ts";
import { errorText } from "#common/error.ts";
import type { Logger } from "#common/log.ts";
import { type Bgp, createBgp } from "#speaker/bgp/bgp.ts";
import { openGateways } from "#speaker/bgp/gateways.ts";
import type { Advertisement } from "#speaker/bgp/types.ts";
import { openOnLink } from "#speaker/bgp/unnumbered.ts";
import { Password } from "#speaker/known/password.ts";
import type { Answer, Order, Wanted } from "./bgp-device.ts";

const write =
  (level: string) =>
  (message: string, fields: object = {}): void => {
    process.stderr.write(`${new Date().toISOString()} ${level} ${message} ${JSON.stringify(fields)}\n`);
  };
const log: Logger = {
  debug: write("debug"),
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
  child: () => log,
};
const onLink = openOnLink({
  clock: systemClock,
  onError: (link, error) => log.warn(link, { error: errorText(error) }),
});
const gateways = openGateways({
  clock: systemClock,
  onChange: () => bgp.relocate(),
  onError: (error) => log.warn("default routes", { error: errorText(error) }),
});
const { addressOn } = onLink;
const bgp: Bgp = createBgp({ clock: systemClock, log, addressOn, gatewayOf: gateways.gatewayOf });
let wanted: Wanted = new Map();

/** What was made of a prefix is one object for as long as it is wanted, as with the speaker's own plans. */
const made: Advertisement[] = [];

/** Routes that no list on standard input had to be read for. */
function announce(count: number): void {
  made.length = Math.min(made.length, count);
  for (let at = made.length; at < count; at += 1)
    made.push({ prefix: `198.18.${at >> 8}.${at & 255}/32`, communities: [], largeCommunities: [] });
  const advertisements = [...made];
  bgp.reconcile(new Map([...wanted].map(([name, one]) => [name, { ...one, advertisements }])));
}

function withPasswords({ wanted: sessions, passwords }: Extract<Order, { do: "reconcile" }>): Wanted {
  const texts = new Map(passwords);
  return new Map(
    sessions.map(([name, one]) => {
      const { password: _, ...settings } = one.settings;
      const text = texts.get(name);
      const own = text === undefined ? settings : { ...settings, password: new Password(text) };
      return [name, { ...one, settings: own }];
    }),
  );
}

async function obey(order: Order): Promise<Answer> {
  switch (order.do) {
    case "reconcile":
      wanted = withPasswords(order);
      bgp.reconcile(wanted);
      return {};
    case "announce":
      announce(order.count);
      return {};
    case "sessions":
      return { sessions: bgp.sessions() };
    case "bfdDown":
      bgp.bfdDown(order.peer);
      return {};
    case "stop":
      await bgp.stop({ mode: order.mode });
      return {};
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  const answer = await obey(order).catch((error: unknown): Answer => ({ error: errorText(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (order.do === "stop") break;
}
process.exit(0);
