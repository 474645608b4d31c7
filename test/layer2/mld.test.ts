/**
 * IPv6 addresses behind a switch that listens to MLD, as managed switches do: it sends a solicitation to those ports
 * alone where somebody reported the group. A bridge of the kernel is the switch; owner and client are namespaces.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bridgeLines, cableLines, namespaceLines } from "#hack/common/networks.ts";
import { build, removeNamespaces } from "#test/network/namespace.ts";

import { until } from "#test/until.ts";

const SWITCH = `gkms-${process.pid}`;
const OWNER = `gkmo-${process.pid}`;
const CLIENT = `gkmc-${process.pid}`;
const NAMES = [SWITCH, OWNER, CLIENT];
const HARDWARE = "02:00:00:00:0a:02";
const CHILD = fileURLToPath(new URL("./responder-child.ts", import.meta.url));
/** Linux before 6.7 allows a socket so much, which is 365 groups. */
const OPTION_MEMORY_BYTES = 20_480;

/** As managed switches, but a hundred times as fast: hundredths of a second. */
const SNOOPING =
  "mcast_snooping 1 mcast_mld_version 2 mcast_query_response_interval 100 mcast_query_interval 300 " +
  "mcast_startup_query_interval 100 mcast_last_member_interval 20";

const inside = (namespace: string, ...command: string[]): string =>
  spawnSync("ip", ["netns", "exec", namespace, ...command], { encoding: "utf8" }).stdout;

/** All that tcpdump prints of a link, as it comes. */
async function capture(
  t: TestContext,
  namespace: string,
  link: string,
  filter: string,
): Promise<() => string> {
  const options = `netns exec ${namespace} tcpdump -v -n -e -l --immediate-mode -i ${link}`.split(" ");
  const child = spawn("ip", [...options, filter]);
  let heard = "";
  let errors = "";
  child.stdout.on("data", (data) => {
    heard += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  t.after(() => child.kill());
  await until("tcpdump to listen", () => errors.includes("listening"));
  return () => heard;
}

interface Owner {
  /** Announces exactly these. */
  set(vips: readonly string[]): Promise<void>;
  kill(): void;
}

function startOwner(t: TestContext): Owner {
  const child = spawn("nsenter", [`--net=/run/netns/${OWNER}`, process.execPath, CHILD], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  return {
    async set(vips) {
      const answer = new Promise<string>((resolve) =>
        child.stdout.once("data", (data) => resolve(String(data).trim())),
      );
      child.stdin.write(`${vips.join(" ")}\n`);
      assert.match(await answer, /^done/);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Groups that the switch knows on the owner's port. */
const known = (): string[] =>
  inside(SWITCH, "bridge", "mdb", "show")
    .split("\n")
    .filter((line) => line.includes("port owner"))
    .map((line) => /grp (\S+)/.exec(line)?.[1] ?? "");

/** Whether the client's kernel finds the owner by asking for `vip`. */
function resolves(vip: string): boolean {
  inside(CLIENT, "ip", "neigh", "flush", "all");
  inside(CLIENT, "ping", "-6", "-c", "1", "-W", "1", vip);
  return inside(CLIENT, "ip", "neigh", "show", vip).includes(HARDWARE);
}

test("behind MLD snooping", { timeout: 600_000 }, async (t) => {
  const remove = () => removeNamespaces(NAMES);
  remove();
  t.after(remove);
  const port = (link: string) => ({ namespace: SWITCH, link, bridge: "br0" });
  build(
    namespaceLines(SWITCH),
    namespaceLines(OWNER, [`net.core.optmem_max=${OPTION_MEMORY_BYTES}`]),
    namespaceLines(CLIENT),
    bridgeLines({ namespace: SWITCH, link: "br0" }, SNOOPING),
    `ip -n ${SWITCH} link set br0 type bridge mcast_querier 1`,
    cableLines(port("owner"), {
      namespace: OWNER,
      link: "eth0",
      hardware: HARDWARE,
      addresses: ["fd50::a/64"],
    }),
    cableLines(port("client"), { namespace: CLIENT, link: "eth0", addresses: ["fd50::c/64"] }),
  );
  const reports = await capture(t, SWITCH, "owner", "ip6[6] == 0 and ip6[48] == 143");
  const questions = await capture(t, OWNER, "eth0", "icmp6 and ip6[40] == 135");
  const owner = startOwner(t);

  await t.test("the switch keeps questions away from who has not joined", async () => {
    // Only once it has heard a querier does a switch take silence for "nobody": here it is the querier itself.
    await until("questions for a group of nobody to be kept away", async () => {
      const asked = (vip: string) => questions().split(`who has ${vip}\n`).length;
      const before = asked("fd50::bad");
      resolves("fd50::bad");
      // One that the owner's kernel has joined for comes through: what was before it has been read.
      const ownBefore = asked("fd50::a");
      await until("a question for the owner's own address", () => {
        resolves("fd50::a");
        return asked("fd50::a") > ownBefore;
      });
      return asked("fd50::bad") === before;
    });
  });

  await t.test("an address is reported, questions for it arrive, the client finds it", async () => {
    await owner.set(["fd50::1:100"]);
    await until("the switch to know the group", () => known().includes("ff02::1:ff01:100"));
    await until("the report", () => /report v2.*\[gaddr ff02::1:ff01:100 to_ex/.test(reports()));
    await until("the client to find it", () => resolves("fd50::1:100"));
    await until("the question", () => questions().includes("who has fd50::1:100"));
  });

  await t.test("the switch's queries are answered: it goes on knowing", async () => {
    const told = () => reports().match(/ff02::1:ff01:100 is_ex/g)?.length ?? 0;
    const before = told();
    await until("an answer to two queries", () => told() >= before + 2, { deadlineMs: 20_000 });
    await until("the client to find it", () => resolves("fd50::1:100"));
  });

  await t.test("1,000 addresses where one socket joins 365 groups: all are reported", async () => {
    const vips = Array.from({ length: 1_000 }, (_, at) => `fd50::2:${(at + 1).toString(16)}`);
    const groups = new Set(vips.map((_, at) => `ff02::1:ff02:${(at + 1).toString(16)}`));
    await owner.set(["fd50::1:100", ...vips]);
    const has = () => known().filter((group) => groups.has(group)).length;
    await until("the switch to know 1,000 groups", () => has() === 1_000, { deadlineMs: 30_000 });
    for (const at of [0, 364, 365, 366, 730, 999])
      await until(`the client to find number ${at}`, () => resolves(vips[at] ?? ""));
  });

  await t.test("given up: the report is taken back, and the switch forgets", async () => {
    await owner.set([]);
    await until("the switch to forget", () => !known().some((group) => /ff02::1:ff0[12]:/.test(group)), {
      deadlineMs: 30_000,
    });
    await until("the report", () => reports().includes("ff02::1:ff01:100 to_in"));
  });

  await t.test("an owner that dies takes its reports with it", async () => {
    await owner.set(["fd50::1:200"]);
    await until("the switch to know", () => known().includes("ff02::1:ff01:200"));
    owner.kill();
    await until("the switch to forget", () => !known().includes("ff02::1:ff01:200"), { deadlineMs: 30_000 });
  });
});
