import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseSaved,
  restoreSysctls,
  SYNC_SYSCTLS,
  type SysctlFiles,
  toSave,
  WANTED_SYSCTLS,
  wrongSysctls,
} from "./sysctl.ts";

const files = (values: Readonly<Record<string, string>>): SysctlFiles => ({
  read: (name) => values[name],
  write: () => assert.fail("nothing is written here"),
});
const CONNTRACK = "net.ipv4.vs.conntrack";

test("what was there before is kept over later starts, a new setting comes with its present value", () => {
  const known = new Map([[CONNTRACK, "0"]]);
  const present = files({ [CONNTRACK]: "1", "net.ipv4.vs.pmtu_disc": "1", "net.ipv4.other": "7" });
  assert.deepEqual(toSave(known, present), [`${CONNTRACK}=0`, "net.ipv4.vs.pmtu_disc=1"]);
});

test("saved lines are read back as written; another's comment is none of them", () => {
  const lines = ["link.tunl0=down", `${CONNTRACK}=0`, "not ours", "=1", "a b=1"];
  assert.deepEqual(
    [...parseSaved(lines)],
    [
      ["link.tunl0", "down"],
      [CONNTRACK, "0"],
    ],
  );
  assert.deepEqual(toSave(parseSaved([`${CONNTRACK}=0`]), files({})), [`${CONNTRACK}=0`]);
});

test("a setting is wrong when it is there with another value", () => {
  assert.deepEqual(wrongSysctls(files(WANTED_SYSCTLS)), []);
  assert.deepEqual(wrongSysctls(files({ ...WANTED_SYSCTLS, [CONNTRACK]: "0" })), [[CONNTRACK, "1"]]);
  assert.deepEqual(wrongSysctls(files({})), []);
});

test("what sharing sets comes back alone when it ends, a pair of numbers as the kernel writes it", () => {
  const written: string[] = [];
  const values = { ...WANTED_SYSCTLS, ...SYNC_SYSCTLS };
  const writable = {
    ...files(values),
    write: (name: string, value: string) => written.push(`${name}=${value}`),
  };
  const saved = parseSaved([`${CONNTRACK}=0`, "net.ipv4.vs.sync_threshold=3\t50"]);
  restoreSysctls(writable, saved, SYNC_SYSCTLS);
  assert.deepEqual(written, ["net.ipv4.vs.sync_threshold=3\t50"]);
});

test("removal puts back what was there, but for what somebody has changed since", () => {
  const values: Record<string, string> = {
    ...WANTED_SYSCTLS,
    [CONNTRACK]: "0",
    "net.ipv4.vs.sloppy_tcp": "2",
  };
  const written: string[] = [];
  const writable: SysctlFiles = {
    ...files(values),
    write: (name, value) => written.push(`${name}=${value}`),
  };
  const before = new Map(Object.keys(WANTED_SYSCTLS).map((name) => [name, "7"]));
  before.set("net.ipv4.vs.pmtu_disc", "0");
  restoreSysctls(writable, before);
  assert.deepEqual(written.sort(), [
    "net.ipv4.vs.conn_reuse_mode=7",
    "net.ipv4.vs.expire_nodest_conn=7",
    "net.ipv4.vs.schedule_icmp=7",
    "net.ipv4.vs.sloppy_sctp=7",
  ]);
});
